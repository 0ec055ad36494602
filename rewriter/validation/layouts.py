"""How a rewritten model stores what the original's inputs and outputs hold."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from passes.layout.layout import Layout, permuted
from passes.layout.perm import Perm, inverse, reorder, then
from rewriter.errors import CouldNotValidate
from rewriter.interface import LAYOUTS_KEY

Layouts = Mapping[str, Layout]  # by name, from the original's storage


def of_perms(perms: Mapping[str, Sequence[int]]) -> dict[str, Layout]:
    """Layouts that are given as perms."""
    return {name: permuted(tuple(p)) for name, p in perms.items()}


def recorded(original: Mapping[str, str], rewritten: Mapping[str, str]) -> dict[str, Layout]:
    """The layouts by the metadata of both models, which may be rewrites of a third, from whose storage both count.

    Raises ``CouldNotValidate`` if it is broken.
    """

    def perms(metadata: Mapping[str, str]) -> dict[str, Perm]:
        entries = json.loads(metadata.get(LAYOUTS_KEY, "{}"))
        return {name: tuple(entry["perm"]) for name, entry in entries.items()}

    try:
        undo = {name: inverse(p) for name, p in perms(original).items()}
        redo = perms(rewritten)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        text = f"The metadata {LAYOUTS_KEY} is broken ({error!r}): give the layouts."
        raise CouldNotValidate(text) from error
    return of_perms(undo | redo | {name: then(undo[name], redo[name]) for name in undo.keys() & redo.keys()})


def stored(name: str, value: Any, layouts: Layouts) -> Any:
    """``value``, which is as in the original, as the rewritten model stores it; a sequence item by item.

    Raises ``CouldNotValidate`` if the layout does not fit.
    """
    if name not in layouts or value is None:
        return value
    if isinstance(value, list):
        return [stored(name, item, layouts) for item in value]
    layout: Layout = layouts[name]
    if not layout.fits(value.shape) or not (layout.is_divided or sorted(layout.perm) == [*range(value.ndim)]):
        text = layout if layout.is_divided else list(layout.perm)
        raise CouldNotValidate(f"The layout {text} of {name} does not fit its {value.ndim} axes: correct it.")
    return layout.apply(value)


def original_index(
    index: tuple[int, ...] | None, layout: Layout | None, shape: Sequence[int]
) -> tuple[int, ...] | None:
    """Where the original has the element that is stored at this index of a value of this shape."""
    if index is None or layout is None:
        return index
    if not layout.is_divided:
        return tuple(reorder(inverse(layout.perm), index))
    numbers = layout.inverse().apply(np.arange(np.prod(shape)).reshape(shape))
    found = np.argmax(numbers == np.ravel_multi_index(index, tuple(shape)))
    return tuple(int(i) for i in np.unravel_index(found, numbers.shape))
