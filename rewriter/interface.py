"""The I/O contract: how each graph input and output was stored and is stored now, and its record in the model."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import onnx_graphsurgeon as gs
from onnx import ModelProto

from passes.ir.importer import UNKNOWN
from passes.layout import perm
from passes.layout.choice import Recorded
from passes.layout.formats import letters_of, roles_of
from passes.layout.layout import ANY, Layout
from passes.layout.perm import Perm
from passes.plan.roles import image
from rewriter.errors import UsageError
from rewriter.metadata import entry_of, put_entry

LAYOUTS_KEY = "rewriter.layouts"  # metadata: JSON {name: {"from": "NCHW", "to": "NHWC", "perm": [0, 2, 3, 1]}}
# https://github.com/onnx/onnx/blob/main/docs/DimensionDenotation.md
DENOTATIONS = {"N": "DATA_BATCH", "T": "DATA_TIME", "C": "DATA_CHANNEL"} | dict.fromkeys("DHW", "DATA_FEATURE")


@dataclass(frozen=True)
class InterfaceValue:
    """A graph input or output. Shapes hold sizes, symbols or ``None``; layouts are letters (``None``: not an image).

    ``note``: why it stayed, if it could be taken for an image that should have flipped, and what to do.
    """

    name: str
    old_shape: list[int | str | None] | None
    new_shape: list[int | str | None] | None
    old_layout: str | None
    new_layout: str | None
    perm: Perm | None
    note: str = ""

    @property
    def flipped(self) -> bool:
        """Whether it is stored otherwise than in the original."""
        return self.perm is not None and self.perm != perm.identity(len(self.perm))

    def to_json(self) -> dict[str, Any]:
        """The value as plain dicts, lists, strings and numbers."""
        return asdict(self)


def interface_value(tensor: gs.Tensor, layout: Layout, roles: str, note: str = "") -> InterfaceValue:
    """``tensor``, which is the original's and has axes of these ``roles`` (if they are known), stored in ``layout``."""
    if tensor.shape is None:
        return InterfaceValue(tensor.name, None, None, None, None, None, note)
    shape = [None if isinstance(d, str) and d.startswith(UNKNOWN) else d for d in tensor.shape]
    stored, old = layout.perm, letters(roles)
    new = "".join(perm.reorder(stored, old)) if old else None
    return InterfaceValue(tensor.name, shape, perm.reorder(stored, shape), old, new, stored, note)


@lru_cache
def letters(roles: str) -> str | None:
    """Roles "BCSS" as the letters "NCHW"; ``None`` if they are not those of an image."""
    known = image(roles)
    return None if known is None else letters_of(known)


@lru_cache(maxsize=1024)
def layout_text(layout: Layout, roles: str) -> str:
    """A layout as letters, where the roles of the value's axes are known, else as einops writes it."""
    original = letters(roles)
    if original is None:
        return "reversed" if layout == ANY else str(layout)
    return layout.text(original.lower()) if layout.is_divided else "".join(perm.reorder(layout.perm, original))


def recorded_layouts(model: ModelProto) -> dict[str, Recorded]:
    """What the model's own record says of inputs and outputs. Raises UsageError if it is broken."""

    def roles(text: str | None) -> str:
        return roles_of(text) if text and set(text) <= set(DENOTATIONS) else ""

    return {
        name: Recorded(roles(entry.get("to")), roles(entry["from"]), perm.inverse(tuple(entry["perm"])))
        for name, entry in read_record(model).items()
    }


def record(model: ModelProto, interface: Sequence[InterfaceValue]) -> None:
    """Write the contract into the model: metadata of what differs from the first original, dimension denotations."""
    recorded = read_record(model)
    flipped = [(value, value.perm) for value in interface if value.flipped and value.perm is not None]
    for value, flip in flipped:
        before = recorded.pop(value.name, None)
        total = perm.then(tuple(before["perm"]), flip) if before else flip
        if total != perm.identity(len(total)):
            origin = before["from"] if before else value.old_layout
            recorded[value.name] = {"from": origin, "to": value.new_layout, "perm": list(total)}
    put_entry(model, LAYOUTS_KEY, json.dumps(recorded, sort_keys=True) if recorded else None)
    layouts = {value.name: value.new_layout or "" for value, _ in flipped}
    for info in (*model.graph.input, *model.graph.output):
        for dim, letter in zip(info.type.tensor_type.shape.dim, layouts.get(info.name, ""), strict=False):
            dim.denotation = DENOTATIONS[letter]


def read_record(model: ModelProto) -> dict[str, Mapping[str, Any]]:
    """What ``record`` wrote; empty if the model was never rewritten. Raises UsageError if that is broken."""
    held = entry_of(model, LAYOUTS_KEY)
    text = "{}" if held is None else held
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in (*model.graph.input, *model.graph.output)}
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        recorded: dict[str, Mapping[str, Any]] = json.loads(text)
        if all(_fits(entry, ranks[name]) for name, entry in recorded.items()):
            return recorded
    raise UsageError(f"the model's metadata {LAYOUTS_KEY} does not fit its inputs and outputs: remove it")


def _fits(entry: Mapping[str, Any], rank: int) -> bool:
    """Whether an entry of the record is one of a value of this rank. May raise what malformed data does."""
    letters = (entry["from"], entry.get("to"))
    return sorted(entry["perm"]) == [*range(rank)] and all(one is None or isinstance(one, str) for one in letters)
