"""What inputs and outputs are called in TensorFlow."""

import re
from collections.abc import Sequence
from keyword import iskeyword


def plain_names(names: Sequence[str]) -> list[str]:
    """The names as TensorFlow takes them: letters, digits and underscores, no words of Python's, all different."""
    taken: list[str] = []
    for name in names:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        plain = f"x{plain}" if not re.match(r"[A-Za-z]", plain) or iskeyword(plain) or plain == "self" else plain
        while plain in taken:
            plain += "_"
        taken.append(plain)
    return taken
