"""What users hand to functions, as what is computed with: letters, numbers of any type, paths."""

import operator
from collections.abc import Iterable, Sequence
from pathlib import Path
from reprlib import Repr
from typing import Any, SupportsIndex

from rewriter.errors import UsageError

FORMATS = ("CHANNELS_FIRST", "CHANNELS_LAST")  # Keras's data_format
SHORT = Repr()
SHORT.maxother = 60


def shown(value: object) -> str:
    """What was given, on one line and short."""
    return " ".join(SHORT.repr(value).split())


def letters_in(layout: Any, argument: str) -> str:
    """A layout in capital letters. Raises UsageError if it is no text, or Keras's word for that of images."""
    if not isinstance(layout, str):
        raise UsageError(f"{argument} is {shown(layout)}: write each axis as one letter, such as OIHW or NHWC")
    if layout.upper() in FORMATS:
        raise UsageError(
            f"{argument} is {layout!r}: write the letters of an image, NCHW or NHWC; TensorFlow's kernels are HWIO in "
            "either data_format"
        )
    return layout.upper()


def number(value: Any, argument: str, least: int | None = None) -> int:
    """An integer of any type. Raises UsageError if it is none, or less than ``least``."""
    found = whole(value)
    if found is None or (least is not None and found < least):
        raise UsageError(f"{argument} is {shown(value)}: give a whole number{bound(least)}")
    return found


def numbers(value: Any, argument: str, count: int, least: int, what: str, *, one_for_all: bool = False) -> list[int]:
    """So many integers. Raises UsageError, which says ``what`` they are of, on another number of them or a lesser one.

    ``one_for_all``: a single one stands for so many.
    """
    found = [
        whole(entry) for entry in ([value] * count if one_for_all and whole(value) is not None else entries(value))
    ]
    if len(found) != count or any(n is None or n < least for n in found):
        raise UsageError(f"{argument} is {shown(value)}: give {count} number{'s' * (count > 1)}{bound(least)}, {what}")
    return [n for n in found if n is not None]


def entries(value: Any) -> Sequence[Any]:
    """Those of a sequence of any type; none of what is none, or text."""
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes) else ()


def whole(value: Any) -> int | None:
    """An integer; ``None`` of what is none: a fraction, text, True."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    try:
        return operator.index(value)
    except (TypeError, ValueError, RuntimeError):  # arrays and tensors say so when they are asked
        return None


def bound(least: int | None) -> str:
    """What a number must be, in words."""
    return "" if least is None else f" of at least {least}"


def path_of(value: Any, argument: str) -> Path:
    """Raises UsageError on what is no path."""
    try:
        return Path(value)
    except TypeError:
        raise UsageError(f"{argument} is {shown(value)}: give the path of a file") from None
