"""How a rewritten model stores what the original's inputs and outputs hold."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from passes.layout.perm import Perm, inverse, reorder, then
from rewriter.errors import CouldNotValidate
from rewriter.interface import LAYOUTS_KEY

Layouts = Mapping[str, Sequence[int]]  # by name, perms from the original's storage


def recorded(original: Mapping[str, str], rewritten: Mapping[str, str]) -> dict[str, Perm]:
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
    return undo | redo | {name: then(undo[name], redo[name]) for name in undo.keys() & redo.keys()}


def stored(name: str, value: Any, layouts: Layouts) -> Any:
    """``value``, which is as in the original, as the rewritten model stores it; a sequence item by item.

    Raises ``CouldNotValidate`` if the layout does not fit.
    """
    if name not in layouts or value is None:
        return value
    if isinstance(value, list):
        return [stored(name, item, layouts) for item in value]
    if sorted(layouts[name]) != list(range(value.ndim)):
        raise CouldNotValidate(
            f"The layout {list(layouts[name])} of {name} does not fit its {value.ndim} axes: correct it."
        )
    return np.transpose(value, layouts[name])


def original_index(index: tuple[int, ...] | None, layout: Sequence[int] | None) -> tuple[int, ...] | None:
    """Where the original has the element with this index."""
    return index if index is None or layout is None else tuple(reorder(inverse(tuple(layout)), index))
