"""``python -m rewriter.validate``: the command alone. ``from rewriter import validate`` is the function."""

import sys

if __name__ == "__main__":
    from rewriter.validate_cli import main

    sys.exit(main())
else:  # imported, as some tools do with whatever they find: the package's attribute must stay the function
    from rewriter.validation.validate import validate

    sys.modules[__name__] = validate  # type: ignore[assignment]
