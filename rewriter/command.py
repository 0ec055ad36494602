"""What is around every command: its exit code, and a sentence for whatever goes wrong."""

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence

from rewriter import streams
from rewriter.errors import CouldNotValidate, DoesNotRun, ResultDiffers, RewriterError, VerificationError
from rewriter.version import __version__

OK, USAGE, INTERNAL = 0, 2, 4
CODES: dict[type[BaseException], int] = {
    VerificationError: 1,
    ResultDiffers: 1,
    DoesNotRun: 1,
    CouldNotValidate: 3,
    RewriterError: USAGE,
    OSError: USAGE,
    KeyboardInterrupt: 130,  # as shells have it: 128 and the signal's number
}  # all else: INTERNAL


def add_verbosity(group: argparse._ActionsContainer) -> None:
    """The options of every command."""
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("-v", "--verbose", action="count", default=0, help="print more; -vv: tracebacks of errors")
    group.add_argument("--version", action="version", version=f"onnx-layout-rewriter {__version__}")


def finished(
    run: Callable[[argparse.Namespace], int], parser: argparse.ArgumentParser, argv: Sequence[str] | None
) -> int:
    """The exit code of a command; what goes wrong is told in a sentence, with ``-vv`` its traceback, too."""
    with streams.forgiving():
        args = parser.parse_args(argv)
        try:
            code = run(args)
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            if args.verbose >= 2:
                traceback.print_exception(error)
            print(f"error: {_sentence(error)}", file=sys.stderr)
            return next((code for kind, code in CODES.items() if isinstance(error, kind)), INTERNAL)
        return code


def _sentence(error: BaseException) -> str:
    """What happened, on one line."""
    text = " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, MemoryError):
        return f"out of memory ({text})"
    if isinstance(error, RewriterError | OSError):
        return text
    return f"an internal error, please report it with the model and what -vv prints ({type(error).__name__}: {text})"
