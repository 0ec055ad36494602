"""A model's weights for one framework: what the rewriter's plan for the whole model makes of each of them.

The plan says where an order of elements goes (the rows of a Dense behind a Flatten, the columns of one before an
Unflatten, a BatchNorm between the two) and how each operand of an elementwise operator is stored; the framework says
how the kernels are.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import Any

import onnx_graphsurgeon as gs
from onnx import ModelProto

from passes.ir.constants import of_array
from passes.ir.control_flow import Coupling
from passes.layout import perm
from rewriter.pipeline import plan_of
from rewriter.weights.files.checkpoint import checkpoint_of
from rewriter.weights.framework import Framework
from rewriter.weights.frameworks import framework_of
from rewriter.weights.inputs import model_of
from rewriter.weights.layers import recurrent
from rewriter.weights.layers.channels import refuse_channels
from rewriter.weights.layers.integers import notes_on_integers, operand
from rewriter.weights.layers.layers import Layer
from rewriter.weights.layers.order import nearest_before
from rewriter.weights.layers.plain import plain
from rewriter.weights.layers.settings import settings_of
from rewriter.weights.layers.trace import Use, is_zero, makers, name_of
from rewriter.weights.manifest.exporters import folded_note
from rewriter.weights.manifest.manifest import Export, LayerEntry, Manifest, Tensor
from rewriter.weights.manifest.notes import empty_note, reordered_note
from rewriter.weights.names.checkpoint import with_checkpoint
from rewriter.weights.names.names import module_names, own_names, parametrised, recurrent_module, renamed
from rewriter.weights.planned.around import ends_of, ends_of_recurrent
from rewriter.weights.planned.parameters import parameter
from rewriter.weights.planned.shuffles import ends_of_shuffle, find_shuffle, store
from rewriter.weights.planned.storage import Storage

COMPUTED = "is computed in the graph: its value is in the file"
STATES = (5, 6)  # inputs of LSTM and GRU: what they begin with
GATED = ("LSTM", "GRU", "RNN")


def export_weights(
    model: ModelProto | str | Path,
    target: str,
    *,
    transpose_kernel: bool = False,
    names: Mapping[str, str] | None = None,
    checkpoint: str | Path | Mapping[str, Any] | None = None,
    keep_quantized: bool = False,
    keep_flatten_order: bool = False,
    name: str = "",
) -> Export:
    """The weights of a model (or of the file of one) in the layout of ``target``.

    ``target``: one of ``TARGETS``, or keras, jax. ``transpose_kernel``: Flax's ConvTranspose is built with it.
    ``names``: new ones, by that of a tensor or the path of a module. ``checkpoint``: a .safetensors, .pt, .npz or
    .weights.h5 file, or a state dict, whose names and values are taken.
    ``keep_quantized``: integers stay integers, and their layers' records hold ``quantization``: by parameter its scale,
    its zero point, and along which axes of the tensor these have entries, in C order.
    ``keep_flatten_order``: rows of a Dense behind a Flatten, and columns of one before an Unflatten, stay in the
    model's order, for a net that transposes there.
    ``name``: what the manifest calls the model.
    Raises UsageError on an unreadable model or checkpoint, an unknown target, or where it is not known what belongs
    to what.
    """
    framework = framework_of(target, transpose_kernel=transpose_kernel)
    proto = model_of(model)
    name = name or ("" if isinstance(model, ModelProto) else Path(model).name)
    export = exported(proto, framework, name, keep_quantized, keep_flatten_order, whole=checkpoint is not None)
    if checkpoint is None:
        export.manifest.notes.extend(folded_note(proto))
    else:
        saved = checkpoint_of(checkpoint)
        own = export if saved.framework == framework else exported(proto, saved.framework, name, whole=True)
        export = with_checkpoint(own, export, saved, framework)
    if names:
        export = renamed(export, own_names(export.manifest, names))
    export.manifest.notes.extend([*empty_note(export.manifest), *reordered_note(export.manifest, framework)])
    return export


def exported(
    proto: ModelProto,
    framework: Framework,
    name: str,
    keep_quantized: bool = False,
    keep_order: bool = False,
    *,
    whole: bool = False,
) -> Export:
    """The weights as they are in the model, under the names of their modules.

    ``whole``: what weights are computed of is in the file beside them.
    """
    model, told, notes = plain(proto)
    storage = Storage(plan_of(model, framework.direction), keep_order)
    export = _Exporter(storage, framework, proto, name, keep=keep_quantized, whole=whole).run()
    export.manifest.notes.extend(notes)
    for layer, settings in told.items():
        entry = export.manifest.layers[layer]
        export.manifest.layers[layer] = replace(entry, settings={**entry.settings, **settings})
    return renamed(export, module_names(export.manifest, framework))


class _Exporter:
    """Fills a manifest: the layers first, then the constants that belong to none."""

    def __init__(
        self, storage: Storage, framework: Framework, proto: ModelProto, model: str, *, keep: bool, whole: bool
    ) -> None:
        self.storage, self.framework, self.keep, self.whole = storage, framework, keep, whole
        self.initializers = {t.name for t in proto.graph.initializer}
        self.stays_apart = not whole and framework.name == proto.producer_name  # as its module has parameters
        self.manifest = Manifest(framework.name, model, storage.inputs, storage.outputs)
        self.uses: dict[str, Use] = {}
        self.scales: set[str] = set()  # constants that say what integers stand for
        self.written = set(storage.reshaped)  # (node, input) of the constants that are in the file

    def run(self) -> Export:
        layers, names = {id(layer.node): layer for layer in self.storage.layers}, dict[int, str]()
        shuffles = self._shuffles()
        for node in self.storage.nodes:
            if id(node) in layers:
                names[id(node)] = self._layer(layers[id(node)])
            elif id(node) in shuffles:
                names[id(node)] = name_of(node)
                self.manifest.layers[name_of(node)] = shuffles[id(node)]
            elif node.op in GATED and (name := self._recurrent(node)):
                names[id(node)] = name
        for name, after in nearest_before(self.storage.nodes, names).items():
            self.manifest.layers[name] = replace(self.manifest.layers[name], after=after)
        for node in self.storage.nodes:
            self._operands(node)
        for name, use in self.uses.items():
            if (id(use.node), use.number) in self.storage.orders:
                self.manifest.tensors[name] = replace(self.manifest.tensors[name], shuffled=True)
        self.manifest.notes.extend(self.storage.transposed_images())
        self.manifest.notes.extend(notes_on_integers(self.uses, keep=self.keep))
        tensors = {n: t.change.apply(self.uses[n].values) for n, t in self.manifest.tensors.items()}
        return Export(tensors, self.manifest)

    def _layer(self, layer: Layer) -> str:
        """The name of its entry, which is added."""
        refuse_channels(layer)
        self._check_spatial(layer)
        name = str(layer.node.outputs[0].name) if layer.name in self.manifest.layers else layer.name
        names = self.framework.parameters.get(layer.kind, ())
        parameters: dict[str, str] = {}
        parts: dict[str, list[str]] = {}
        self.written.update((id(node), number) for node, number in layer.consumed)
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
            if (made := self._made(layer, place)) is not None and self.stays_apart:
                parts[names[place]] = self._sources(made, leave_out=False)
            else:
                sources = [] if made is None else self._sources(made, leave_out=not self.whole)
                parameters[names[place]] = self._add(tensor, use, parametrised(sources))
                self.manifest.notes.extend(
                    [] if made is None else [f"{name}: its {names[place]} {made.name!r} {COMPUTED}"]
                )
        settings, notes = settings_of(layer, self.framework)
        if parts:
            settings["computed_from"] = parts
        if "axis" in layer.told:
            settings["axis"] = self.storage.axis(layer)
        if quantization := self._quantization(parameters):
            settings["quantization"] = quantization
        self.manifest.notes.extend(notes)
        lost = next((names[place] for place in layer.computed if place not in layer.parameters), None)
        ends = ends_of(layer, self.storage, lost)
        self.manifest.layers[name] = LayerEntry(layer.kind, layer.node.op, parameters, settings, ends=ends)
        return name

    def _shuffles(self) -> dict[int, LayerEntry]:
        """Entries, by node, of what moves channels into space or back, for whose order layers are stored."""
        entries: dict[int, LayerEntry] = {}
        for shuffle in filter(None, map(find_shuffle, self.storage.nodes)):
            settings, notes = store(self.storage, shuffle, self.framework)
            entries[id(shuffle.node)] = LayerEntry(
                shuffle.kind, shuffle.node.op, {}, settings, ends=ends_of_shuffle(self.storage, shuffle)
            )
            self.manifest.notes.extend(notes)
        return entries

    def _made(self, layer: Layer, place: int) -> gs.Tensor | None:
        """What a parameter is, if the graph computes more than another shape of one constant."""
        tensor = layer.computed.get(place)
        return tensor if tensor is not None and layer.parameters[place].constant.name == tensor.name else None

    def _recurrent(self, node: gs.Node) -> str | None:
        """The name of the entry of an LSTM or GRU: constants of the file's own, that are made of the node's."""
        name, target = name_of(node), self.framework.name
        uses = {i: self.storage.use(node, i) for i in (1, 2, 3) if i < len(node.inputs) and node.inputs[i].name}
        if (target, node.op) not in recurrent.ROWS or None in uses.values():
            self.manifest.notes.append(f"{name}: its gates stay in the order of ONNX's operator {node.op}")
            return None
        known = {number: use for number, use in uses.items() if use is not None}
        values = {number: self.storage.layout(use).apply(use.values) for number, use in known.items()}
        self.written.update((id(use.node), use.number) for use in known.values())
        starts = [i for i in STATES if i < len(node.inputs) and node.inputs[i].name and is_zero(node.inputs[i])]
        self.written.update((id(node), i) for i in starts)
        sources = [
            name
            for number in (*known, *starts)
            for name in self._sources(node.inputs[number], leave_out=not self.whole)
        ]
        module, layer = recurrent_module(node, sources)
        held: dict[str, str] = {}
        for key, array in recurrent.parameters(node, target, values):
            use = Use(of_array(f"{name}.{key}", array), node, 0)
            collection = self.framework.collection(key)
            tensor = recurrent.written(use, key, self.framework)
            tensor = replace(tensor, layer=name, parameter=key, collection=collection)
            held[key] = self._add(tensor, use, recurrent.named(module, layer, key, self.framework))
        self.manifest.notes.extend(f"{name}: {note}" for note in recurrent.notes(node, target))
        settings, ends = recurrent.settings(node, target), ends_of_recurrent(node, target)
        self.manifest.layers[name] = LayerEntry(node.op.lower(), node.op, held, settings, ends=ends)
        return name

    def _sources(self, tensor: gs.Tensor, *, leave_out: bool) -> list[str]:
        """Names of the weights that a value is made of; ``leave_out``: which are not in the file besides."""
        reads = [(node, i) for node in makers(tensor) for i, t in enumerate(node.inputs) if isinstance(t, gs.Constant)]
        self.written.update((id(node), i) for node, i in reads if leave_out)
        return list(dict.fromkeys(node.inputs[i].name for node, i in reads if node.inputs[i].name in self.initializers))

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

    def _add(self, tensor: Tensor, use: Use, own: str = "") -> str:
        """The tensor's name in the file: ``own`` or the model's, unless another reader needs it another way."""
        self.scales.update(use.scaling.names if use.scaling else ())
        if self.keep:
            use = replace(use, scaling=None, kept=use.scaling)
            tensor = replace(tensor, dtype=str(use.constant.dtype))
        self.written.add((id(use.node), use.number))
        tensors = self.manifest.tensors
        other = f"{tensor.source}@{tensor.layer or tensor.node}"
        names = chain([own or tensor.source, other], (f"{other}@{n}" for n in count(2)))
        name = next(name for name in names if name not in tensors or tensors[name].change == tensor.change)
        if name not in tensors:
            tensors[name], self.uses[name] = tensor, use
            if name != (own or tensor.source):
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
