"""A model's weights for one framework: what the rewriter's plan for the whole model makes of each of them.

The plan says where an order of elements goes (the rows of a Dense behind a Flatten, the columns of one before an
Unflatten, a BatchNorm between the two) and how each operand of an elementwise operator is stored; the framework says
how the kernels are.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

import onnx_graphsurgeon as gs
from onnx import ModelProto

from passes.ir.constants import array_of
from passes.ir.control_flow import Coupling
from passes.layout import perm
from rewriter.errors import UsageError
from rewriter.pipeline import plan_of
from rewriter.weights.checkpoint import with_checkpoint
from rewriter.weights.checkpoint_files import read_checkpoint
from rewriter.weights.exporters import folded_note
from rewriter.weights.framework import Framework
from rewriter.weights.frameworks import framework_of
from rewriter.weights.inputs import load_model
from rewriter.weights.layers import Layer
from rewriter.weights.manifest import Export, LayerEntry, Manifest, Tensor
from rewriter.weights.names import module_names, own_names, renamed
from rewriter.weights.order import nearest_before
from rewriter.weights.parameters import parameter
from rewriter.weights.settings import settings_of
from rewriter.weights.storage import Storage
from rewriter.weights.trace import Use, name_of

GATED = ("LSTM", "GRU", "RNN")


def export_weights(
    model: ModelProto | str | Path,
    target: str,
    *,
    transpose_kernel: bool = False,
    names: Mapping[str, str] | None = None,
    checkpoint: str | Path | None = None,
    name: str = "",
) -> Export:
    """The weights of a model (or of the file of one) in the layout of ``target``.

    ``target``: one of ``TARGETS``, or keras, jax. ``transpose_kernel``: Flax's ConvTranspose is built with it.
    ``names``: new ones, by that of a tensor or the path of a module. ``checkpoint``: a .safetensors, .pt, .npz or
    .weights.h5 file, whose names and values are taken. ``name``: what the manifest calls the model.
    Raises UsageError on an unreadable model or checkpoint, an unknown target, or where it is not known what belongs
    to what.
    """
    framework = framework_of(target, transpose_kernel=transpose_kernel)
    proto = model if isinstance(model, ModelProto) else load_model(Path(model))
    name = name or ("" if isinstance(model, ModelProto) else Path(model).name)
    export = exported(proto, framework, name)
    if checkpoint is None:
        export.manifest.notes.extend(folded_note(proto))
    else:
        saved = read_checkpoint(Path(checkpoint))
        own = export if saved.framework == framework else exported(proto, saved.framework, name)
        export = with_checkpoint(own, export, saved, framework)
    if names:
        export = renamed(export, own_names(export.manifest, names))
    return export


def exported(proto: ModelProto, framework: Framework, name: str) -> Export:
    """The weights as they are in the model, under the names of their modules."""
    storage = Storage(plan_of(proto, framework.direction))
    export = _Exporter(storage, framework, {t.name for t in proto.graph.initializer}, name).run()
    return renamed(export, module_names(export.manifest, framework))


class _Exporter:
    """Fills a manifest: the layers first, then the constants that belong to none."""

    def __init__(self, storage: Storage, framework: Framework, initializers: set[str], model: str) -> None:
        self.storage, self.framework, self.initializers = storage, framework, initializers
        self.manifest = Manifest(framework.name, model, storage.inputs, storage.outputs)
        self.constants: dict[str, gs.Constant] = {}
        self.written: set[tuple[int, int]] = set()  # (node, input) of the constants that are in the file

    def run(self) -> Export:
        names = {id(layer.node): self._layer(layer) for layer in self.storage.layers}
        for name, after in nearest_before(self.storage.nodes, names).items():
            self.manifest.layers[name] = replace(self.manifest.layers[name], after=after)
        for node in self.storage.nodes:
            self._operands(node)
            if node.op in GATED:
                self.manifest.notes.append(f"{name_of(node)}: its gates stay in the order of ONNX's operator {node.op}")
        self.manifest.notes.extend(self.storage.transposed_images())
        tensors = {n: t.change.apply(array_of(self.constants[n])) for n, t in self.manifest.tensors.items()}
        return Export(tensors, self.manifest)

    def _layer(self, layer: Layer) -> str:
        """The name of its entry, which is added."""
        self._check_spatial(layer)
        name = str(layer.node.outputs[0].name) if layer.name in self.manifest.layers else layer.name
        names = self.framework.parameters.get(layer.kind, ())
        parameters: dict[str, str] = {}
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
        self.manifest.notes.extend(notes)
        self.manifest.layers[name] = LayerEntry(layer.kind, layer.node.op, parameters, settings)
        return name

    def _operands(self, node: "gs.Node | Coupling") -> None:
        """The constants of a node that are no layer's parameters."""
        for number, tensor in enumerate(node.inputs):
            use = Use(tensor, node, number)
            if (id(node), number) in self.written or not isinstance(tensor, gs.Constant):
                continue
            if self.storage.is_weight(use, self.initializers):
                self._add(self.storage.tensor(use), use)

    def _add(self, tensor: Tensor, use: Use) -> str:
        """The tensor's name in the file: its own, unless another reader needs it another way."""
        self.written.add((id(use.node), use.number))
        tensors = self.manifest.tensors
        other = f"{tensor.source}@{tensor.layer or tensor.node}"
        names = chain([tensor.source, other], (f"{other}@{n}" for n in count(2)))
        name = next(name for name in names if name not in tensors or tensors[name].change == tensor.change)
        if name not in tensors:
            tensors[name], self.constants[name] = tensor, use.constant
            if name != tensor.source:
                self.manifest.notes.append(f"{tensor.source!r} is needed in more than one layout: another is {name!r}")
        return name

    def _check_spatial(self, layer: Layer) -> None:
        """A plan may swap H and W where the model does; no framework's layer does."""
        if (move := self.storage.image_move(layer)) is None:
            return
        p = move.inputs[0].axis_perm
        if p not in (perm.identity(len(p)), perm.channels_last(len(p))):
            raise UsageError(
                f"{layer.name}: the model swaps spatial axes around it, so its kernel has no layout of its own"
            )
        if p == perm.identity(len(p)) and self.framework.direction == "nhwc":
            self.manifest.notes.append(
                f"{layer.name}: its input stays channels first in the plan (its shape is not known): transpose it there"
            )
