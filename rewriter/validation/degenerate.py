"""Outputs of the original with which anything agrees: empty, all NaN, or one number everywhere."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rewriter.errors import CouldNotValidate
from rewriter.validation.compare import RTOL, Array


def notes_on(outputs: Sequence[str], values: Sequence[Sequence[Any]]) -> list[str]:
    """A sentence on each output whose agreement proves little; ``values`` by run and output.

    Raises ``CouldNotValidate`` if all outputs are empty or NaN: nothing is compared.
    """
    kinds = [_kind([array for value in column for array in _arrays(value)]) for column in zip(*values, strict=True)]
    if all(kind in ("empty", "NaN") for kind in kinds):
        raise CouldNotValidate(
            f"Nothing can be compared, since {_listed(outputs, kinds)} in every run: give real data (--inputs), "
            "or other sizes (--input-shape)."
        )
    return [
        f"That output {name} agrees proves little: in every run it is {'all ' * (kind != 'empty')}{kind}."
        for name, kind in zip(outputs, kinds, strict=True)
        if kind
    ]


def _listed(outputs: Sequence[str], kinds: Sequence[str]) -> str:
    return ", ".join(f"output {name} is {kind}" for name, kind in zip(outputs, kinds, strict=True))


def _arrays(value: Any) -> Iterator[Array]:
    """An array, those of a sequence; none of an optional that is empty."""
    if isinstance(value, list):
        for item in value:
            yield from _arrays(item)
    elif value is not None:
        yield np.asarray(value)


def _kind(arrays: Sequence[Array]) -> str:
    """``empty``, ``NaN`` or the one number that all are; ``""``: there is something to compare."""
    filled = [array for array in arrays if array.size]
    if not filled:
        return "empty"
    if all(array.dtype in RTOL and np.isnan(array.astype(np.float64)).all() for array in filled):
        return "NaN"
    first = filled[0].flat[0]
    several = sum(array.size for array in filled) > 1
    return str(first) if several and all((array == first).all() for array in filled) else ""
