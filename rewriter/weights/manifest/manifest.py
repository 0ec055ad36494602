"""The manifest: what each exported tensor is and was, and what each layer needs; JSON as it is written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rewriter.interface import InterfaceValue
from rewriter.version import __version__
from rewriter.weights.manifest.checked import Checked
from rewriter.weights.manifest.ends import Ends
from rewriter.weights.tensors.letters import Array
from rewriter.weights.tensors.transform import TensorTransform


@dataclass(frozen=True)
class Tensor:
    """One tensor of the file. ``old`` and ``new``: layouts as letters, ``None`` if the axes have no known meaning.

    ``shuffled``: its channels are in the order that a shuffle of the target's has.
    """

    source: str
    node: str
    operator: str
    dtype: str
    change: TensorTransform
    layer: str | None = None
    parameter: str | None = None
    collection: str | None = None
    old: str | None = None
    new: str | None = None
    shuffled: bool = False

    @property
    def layout(self) -> str | list[str]:
        """Letters before and after, or one word for a tensor that keeps them or has none."""
        if self.change.is_identity:
            return "as is"
        if self.old and self.new and self.old != self.new:
            return [self.old, self.new]
        return "reordered" if self.change.layout.is_divided else "permuted"

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        named = {"layer": self.layer, "parameter": self.parameter, "collection": self.collection}
        return {
            "source": self.source,
            "operator": self.operator,
            "node": self.node,
            **{key: value for key, value in named.items() if value},
            "letters": self.new,
            "layout": self.layout,
            "dtype": self.dtype,
            **self.change.to_json(),
        }


@dataclass(frozen=True)
class LayerEntry:
    """One layer: its kind, which tensor is which of its parameters, and its settings in the target's terms.

    ``after``: the layers whose results it reads, with no other layer between. ``ends``: the values around it in the
    model, by which it can be checked, or why it cannot; in no file.
    """

    kind: str
    operator: str
    parameters: dict[str, str]
    settings: Mapping[str, Any]
    after: tuple[str, ...] = ()
    ends: Ends | str = "it is no layer of the graph"

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        after = {"after": [*self.after]} if self.after else {}
        named = {"kind": self.kind, "operator": self.operator, "parameters": {**self.parameters}}
        return {**named, **after, **self.settings}


@dataclass(frozen=True)
class Manifest:
    """Tensors by their name in the file, layers by the name of their node, in the model's order."""

    target: str
    model: str = ""
    inputs: list[InterfaceValue] = field(default_factory=list)
    outputs: list[InterfaceValue] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    layers: dict[str, LayerEntry] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    checked: Checked | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "format": f"onnx-layout-rewriter {__version__} weights",
            "model": self.model,
            "target": self.target,
            "inputs": {value.name: value_json(value) for value in self.inputs},
            "outputs": {value.name: value_json(value) for value in self.outputs},
            "layers": {name: layer.to_json() for name, layer in self.layers.items()},
            "tensors": {name: tensor.to_json() for name, tensor in self.tensors.items()},
            "notes": self.notes,
            **({"checked": self.checked.to_json()} if self.checked else {}),
        }

    def dumps(self, *, lines: bool = False) -> str:
        """As JSON; with ``lines`` one tensor, layer or note per line."""
        if not lines:
            return json.dumps(self.to_json())
        return "{\n" + ",\n".join(f"{json.dumps(k)}: {in_lines(v)}" for k, v in self.to_json().items()) + "\n}\n"


@dataclass(frozen=True)
class Export:
    """``tensors`` by name, in the target's layout, and the manifest that describes them."""

    tensors: dict[str, Array]
    manifest: Manifest


def parts_of(name: str) -> tuple[str, str]:
    """The path of a parameter's module and its name there: "layer1.0.conv1", "weight"; the path may be empty."""
    end = max(name.rfind("."), name.rfind("/"))
    return name[: max(end, 0)], name[end + 1 :]


def in_lines(value: Any) -> str:
    """As JSON, one entry per line."""
    if isinstance(value, dict) and value:
        return "{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()) + "\n}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"  {json.dumps(v)}" for v in value) + "\n]"
    return json.dumps(value)


def value_json(value: InterfaceValue) -> dict[str, Any]:
    """What the manifest says of an input or output."""
    return {"old": value.old_layout, "new": value.new_layout, "perm": None if value.perm is None else [*value.perm]}
