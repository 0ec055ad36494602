"""A model's weights for one framework: what the rewriter's plan for the whole model makes of each of them.

The plan says where an order of elements goes (the rows of a Dense behind a Flatten, the columns of one before an
Unflatten, a BatchNorm between the two) and how each operand of an elementwise operator is stored; the framework says
how the kernels are.
"""

from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

import onnx_graphsurgeon as gs
from onnx import ModelProto

from passes.ir.constants import of_array
from passes.ir.control_flow import Coupling
from passes.layout import perm
from rewriter.files.reader import load
from rewriter.pipeline import plan_of
from rewriter.weights import recurrent
from rewriter.weights.framework import Framework
from rewriter.weights.frameworks import framework_of
from rewriter.weights.integers import notes_on_integers, operand
from rewriter.weights.layers import Layer
from rewriter.weights.letters import Array
from rewriter.weights.manifest import LayerEntry, Manifest, Tensor
from rewriter.weights.parameters import parameter
from rewriter.weights.settings import settings_of
from rewriter.weights.storage import Storage
from rewriter.weights.trace import Use, name_of

GATED = ("LSTM", "GRU", "RNN")


@dataclass(frozen=True)
class Export:
    """``tensors`` by name, in the target's layout, and the manifest that describes them."""

    tensors: dict[str, Array]
    manifest: Manifest


def export_weights(
    model: ModelProto | str | Path,
    target: str,
    *,
    transpose_kernel: bool = False,
    keep_quantized: bool = False,
    name: str = "",
) -> Export:
    """The weights of a model (or of the file of one) in the layout of ``target``.

    ``target``: one of ``TARGETS``. ``transpose_kernel``: Flax's ConvTranspose is built with it.
    ``keep_quantized``: integers stay integers, and their layers' records hold ``quantization``: by parameter its scale,
    its zero point, and along which axes of the tensor these have entries, in C order.
    ``name``: what the manifest calls the model.
    Raises UsageError on an unreadable model or an unknown target.
    """
    framework = framework_of(target, transpose_kernel=transpose_kernel)
    proto = model if isinstance(model, ModelProto) else load(model)
    storage = Storage(plan_of(proto, framework.direction))
    name = name or ("" if isinstance(model, ModelProto) else Path(model).name)
    exporter = _Exporter(storage, framework, {t.name for t in proto.graph.initializer}, name, keep_quantized)
    return exporter.run()


class _Exporter:
    """Fills a manifest: the layers first, then the constants that belong to none."""

    def __init__(self, storage: Storage, framework: Framework, initializers: set[str], model: str, keep: bool) -> None:
        self.storage, self.framework, self.initializers, self.keep = storage, framework, initializers, keep
        self.manifest = Manifest(framework.name, model, storage.inputs, storage.outputs)
        self.uses: dict[str, Use] = {}
        self.scales: set[str] = set()  # constants that say what integers stand for
        self.written = set(storage.reshaped)  # (node, input) of the constants that are in the file

    def run(self) -> Export:
        layers = {id(layer.node): layer for layer in self.storage.layers}
        for node in self.storage.nodes:
            if id(node) in layers:
                self._layer(layers[id(node)])
            elif node.op in GATED:
                self._recurrent(node)
        for node in self.storage.nodes:
            self._operands(node)
        self.manifest.notes.extend(self.storage.transposed_images())
        self.manifest.notes.extend(notes_on_integers(self.uses, keep=self.keep))
        tensors = {n: t.change.apply(self.uses[n].values) for n, t in self.manifest.tensors.items()}
        return Export(tensors, self.manifest)

    def _layer(self, layer: Layer) -> None:
        self._check_spatial(layer)
        name = str(layer.node.outputs[0].name) if layer.name in self.manifest.layers else layer.name
        names = self.framework.parameters.get(layer.kind, ())
        parameters: dict[str, str] = {}
        if layer.kind == "group_norm":
            self.written.update((id(layer.node), number) for number in (1, 2))  # fused, these are ones and zeros
        for place, use in layer.parameters.items():
            tensor = replace(
                parameter(self.storage, self.framework, layer, place),
                node=layer.name,
                operator=layer.node.op,
                layer=name,
                parameter=names[place],
                collection=self.framework.collection(names[place]),
            )
            parameters[names[place]] = self._add(tensor, use)
        settings, notes = settings_of(layer, self.framework)
        if quantization := self._quantization(parameters):
            settings["quantization"] = quantization
        self.manifest.notes.extend(notes)
        self.manifest.layers[name] = LayerEntry(layer.kind, layer.node.op, parameters, settings)

    def _recurrent(self, node: gs.Node) -> None:
        """An LSTM or GRU: constants of the file's own, that are made of the node's."""
        name, target = name_of(node), self.framework.name
        uses = {i: self.storage.use(node, i) for i in (1, 2, 3) if i < len(node.inputs) and node.inputs[i].name}
        if (target, node.op) not in recurrent.ROWS or None in uses.values():
            self.manifest.notes.append(f"{name}: its gates stay in the order of ONNX's operator {node.op}")
            return
        known = {number: use for number, use in uses.items() if use is not None}
        values = {number: self.storage.layout(use).apply(use.values) for number, use in known.items()}
        self.written.update((id(use.node), use.number) for use in known.values())
        held: dict[str, str] = {}
        for key, array in recurrent.parameters(node, target, values):
            use = Use(of_array(f"{name}.{key}", array), node, 0)
            collection = self.framework.collection(key)
            tensor = recurrent.written(use, key, self.framework)
            held[key] = self._add(replace(tensor, layer=name, parameter=key, collection=collection), use)
        self.manifest.notes.extend(f"{name}: {note}" for note in recurrent.notes(node, target))
        self.manifest.layers[name] = LayerEntry(node.op.lower(), node.op, held, recurrent.settings(node, target))

    def _operands(self, node: "gs.Node | Coupling") -> None:
        """The constants of a node that are no layer's parameters."""
        for number, tensor in enumerate(node.inputs):
            if (id(node), number) in self.written or not isinstance(tensor, gs.Constant):
                continue
            use = operand(node, number)
            if tensor.name not in self.scales and self.storage.is_weight(use, self.initializers):
                self._add(self.storage.tensor(use), use)

    def _quantization(self, parameters: dict[str, str]) -> dict[str, Any]:
        """Of parameters that stay integers."""
        kept = {key: (self.uses[name].kept, self.manifest.tensors[name]) for key, name in parameters.items()}
        return {key: scaling.told(tensor.change) for key, (scaling, tensor) in kept.items() if scaling is not None}

    def _add(self, tensor: Tensor, use: Use) -> str:
        """The tensor's name in the file: its own, unless another reader needs it another way."""
        self.scales.update(use.scaling.names if use.scaling else ())
        if self.keep:
            use = replace(use, scaling=None, kept=use.scaling)
            tensor = replace(tensor, dtype=str(use.constant.dtype))
        self.written.add((id(use.node), use.number))
        tensors = self.manifest.tensors
        other = f"{tensor.source}@{tensor.layer or tensor.node}"
        names = chain([tensor.source, other], (f"{other}@{n}" for n in count(2)))
        name = next(name for name in names if name not in tensors or tensors[name].change == tensor.change)
        if name not in tensors:
            tensors[name], self.uses[name] = tensor, use
            if name != tensor.source:
                self.manifest.notes.append(f"{tensor.source!r} is needed in more than one layout: another is {name!r}")
        return name

    def _check_spatial(self, layer: Layer) -> None:
        """A plan may swap H and W where the model does; no framework's layer does."""
        if (move := self.storage.image_move(layer)) is None:
            return
        p = move.inputs[0].axis_perm
        if p not in (perm.identity(len(p)), perm.channels_last(len(p))):
            self.manifest.notes.append(
                f"{layer.name}: the model swaps spatial axes around it, and so must the target: its kernel and "
                "settings are for the axes as the model has them there"
            )
        if p == perm.identity(len(p)) and self.framework.direction == "nhwc":
            self.manifest.notes.append(
                f"{layer.name}: its input stays channels first in the plan (its shape is not known): transpose it there"
            )
