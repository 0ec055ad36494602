"""A model's weights for one framework: what the rewriter's plan for the whole model makes of each of them.

The plan says where an order of elements goes (the rows of a Dense behind a Flatten, the columns of one before an
Unflatten, a BatchNorm between the two) and how each operand of an elementwise operator is stored; the table of
``targets.py`` says how the kernels are.
"""

from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

import numpy as np
import onnx_graphsurgeon as gs
from onnx import ModelProto
from passes.layout.order import Order

from passes.ir.constants import Stored
from passes.ir.control_flow import Coupling, flat
from passes.layout import perm
from passes.layout.edit import Expand
from passes.layout.layout import ANY, AS_IS, Layout, of_rank
from passes.rules.move import Move
from rewriter.errors import UsageError
from rewriter.files import model_io
from rewriter.pipeline import Planned, interface_of, plan_of
from rewriter.weights import targets
from rewriter.weights.change import Change, unchanged
from rewriter.weights.images import image_part, is_image, letters_of, orders_in
from rewriter.weights.layers import KERNEL_KINDS, Layer, Parameter, Use, find_layer, makers
from rewriter.weights.letters import Array, perm_between, plain, written_shape
from rewriter.weights.manifest import LayerEntry, Manifest, Tensor
from rewriter.weights.padding import TARGETS
from rewriter.weights.settings import settings_of

# operators whose constants say how to compute, and inputs that do
SETTINGS = ("Clip", "Resize", "Upsample", "Pad", "Dropout", "Range", "OneHot", "ConstantOfShape", "TopK")
NO_WEIGHTS = ("int64", "bool", "object")
GATED = ("LSTM", "GRU", "RNN")
SPATIAL_KINDS = ("conv", "depthwise_conv", "conv_transpose", "average_pool", "max_pool")


@dataclass(frozen=True)
class Export:
    """``tensors`` by name, in the target's layout, and the manifest that describes them."""

    tensors: dict[str, Array]
    manifest: Manifest


def export_weights(
    model: ModelProto | str | Path, target: str, *, transpose_kernel: bool = False, name: str = ""
) -> Export:
    """The weights of a model (or of the file of one) in the layout of ``target``.

    ``target``: pytorch, tensorflow, tflite or flax. ``transpose_kernel``: Flax's ConvTranspose is built with it.
    ``name``: what the manifest calls the model.
    Raises UsageError on an unreadable model or an unknown target.
    """
    if target not in TARGETS:
        raise UsageError(f"target is {target!r}; it must be {', '.join(TARGETS)}")
    if transpose_kernel and target != targets.FLAX:
        raise UsageError(f"transpose_kernel is Flax's; {target} has no such choice")
    proto = model if isinstance(model, ModelProto) else model_io.load(model)
    plan = plan_of(proto, "nchw" if target == targets.PYTORCH else "nhwc")
    name = name or ("" if isinstance(model, ModelProto) else Path(model).name)
    return _Exporter(plan, target, transpose_kernel, {t.name for t in proto.graph.initializer}).run(name)


class _Exporter:
    def __init__(self, plan: Planned, target: str, transpose_kernel: bool, initializers: set[str]) -> None:
        self.target, self.transpose_kernel, self.initializers = target, transpose_kernel, initializers
        self.plan = plan
        self.nodes = list(flat(plan.graph))
        self.moves: dict[int, Move] = {id(n): m for n, m in zip(self.nodes, plan.plan.moves, strict=True)}
        inputs, outputs = interface_of(plan)
        self.manifest = Manifest(target, inputs=inputs, outputs=outputs)
        self.flips = any(value.flipped for value in (*inputs, *outputs))
        self.constants: dict[str, gs.Constant] = {}
        self.shuffles: set[Order] = set()
        self.computing: set[int] = set()  # nodes that compute parameters
        self.seen: set[tuple[int, int]] = set()  # (node, input) of the constants that are parameters

    def run(self, model: str) -> Export:
        found = [layer for node in self.nodes if (layer := find_layer(node)) is not None]
        self.computing = {id(n) for layer in found for tensor in layer.computed.values() for n in makers(tensor)}
        for layer in found:
            self.shuffles |= self._orders_of_channels(layer)
        for layer in found:
            self._layer(layer)
        for node in self.nodes:
            self._operands(node)
            if node.op in GATED:
                self.manifest.notes.append(f"{label(node)}: its gates stay in the order of ONNX's operator {node.op}")
        self._notes()
        tensors = {
            name: tensor.change.apply(values(self.constants[name])) for name, tensor in self.manifest.tensors.items()
        }
        return Export(tensors, replace(self.manifest, model=model))

    def _orders_of_channels(self, layer: Layer) -> set[Order]:
        """Orders in which the plan reads or writes an image's channels, to spare a shuffle: the target shuffles."""
        if layer.kind not in SPATIAL_KINDS:
            return set()
        move = self.moves[id(layer.node)]
        return {part for at in (move.inputs[0], *move.outputs) for _, order in at.orders for part in orders_in(order)}

    def _layer(self, layer: Layer) -> None:
        name = self._unused(layer)
        self._check_spatial(layer)
        names = targets.NAMES[layer.kind].of(self.target) if layer.kind in targets.NAMES else ()
        parameters = {}
        for place, parameter in layer.parameters.items():
            kernel = place == 0 and layer.kind in KERNEL_KINDS
            tensor = self._kernel(layer, parameter) if kernel else self._vector(layer, parameter)
            labelled = replace(
                tensor,
                node=layer.name,
                operator=layer.node.op,
                layer=name,
                parameter=names[place],
                collection=targets.collection(self.target, names[place]),
            )
            parameters[names[place]] = self._add(labelled, parameter.use)
        settings, notes = settings_of(layer, self.target)
        self.manifest.notes.extend(notes)
        if layer.kind == "conv_transpose" and self.target == targets.FLAX:
            settings["transpose_kernel"] = self.transpose_kernel
        self.manifest.layers[name] = LayerEntry(layer.kind, layer.node.op, parameters, settings)

    def _kernel(self, layer: Layer, parameter: Parameter) -> Tensor:
        """Letters as the table has them; orders along its axes as planned."""
        constant, spatial = parameter.use.constant, layer.spatial
        read = targets.kernel_letters(layer.kind, "onnx", spatial)
        old = "".join(read[parameter.perm.index(axis)] for axis in range(len(read)))
        new = targets.kernel_letters(layer.kind, self.target, spatial, self.transpose_kernel)
        p = perm_between(old, new)
        moved = perm.reorder(p, constant.shape)
        shape = written_shape(new, moved, layer.node.attrs.get("group"))
        flips = targets.is_flipped(layer.kind, self.target, self.transpose_kernel)
        flip = tuple(i for i, letter in enumerate(plain(new)) if flips and letter in "DHW")
        change = Change(tuple(constant.shape), p, shape, self._layout(parameter.use).orders, flip)
        spelled = targets.spelled(layer.kind, old, spatial)
        return Tensor(constant.name, "", "", dtype(constant), change, old=spelled, new=new)

    def _vector(self, layer: Layer, parameter: Parameter) -> Tensor:
        """Any other parameter: a vector stays one wherever the plan puts its axis, and follows the order along it."""
        tensor, shape = self._operand(parameter.use), tuple(parameter.use.constant.shape)
        if layer.kind == "prelu":
            return replace(tensor, change=self._slopes(layer, tensor.change))
        if len(shape) != 1:
            return tensor
        letter = "O" if layer.kind in KERNEL_KINDS else "C"
        vector = Change(shape, (0,), shape, self._layout(parameter.use).orders)
        return replace(tensor, change=vector, old=letter, new=letter)

    def _slopes(self, layer: Layer, change: Change) -> Change:
        """PyTorch's slopes are a vector; no framework's have a batch axis."""
        if self.target == targets.PYTORCH and max(change.shape, default=1) == int(np.prod(change.shape)):
            return replace(change, shape=(int(np.prod(change.shape)),))
        batched = len(change.shape) == len(layer.node.inputs[0].shape or ()) and change.shape[:1] == (1,)
        return replace(change, shape=change.shape[1:]) if batched else change

    def _operands(self, node: "gs.Node | Coupling") -> None:
        """The constants of a node that are no layer's parameters."""
        for number, tensor in enumerate(node.inputs):
            use = Use(tensor, node, number)
            if (id(node), number) in self.seen or not isinstance(tensor, gs.Constant) or not self._is_weight(use):
                continue
            self._add(replace(self._operand(use), node=label(node), operator=node.op), use)

    def _operand(self, use: Use) -> Tensor:
        shape, layout = tuple(use.constant.shape), self._layout(use)
        if id(use.node) in self.computing:
            return Tensor(use.constant.name, "", "", dtype(use.constant), unchanged(shape))
        p = of_rank(layout, len(shape)).perm
        stored = tuple(perm.reorder(p, shape))
        edit = self.moves[id(use.node)].edits.get(use.number)
        if isinstance(edit, Expand) and self.flips:
            stored = np.expand_dims(np.broadcast_to(np.uint8(0), stored), edit.axes).shape
        old, new = letters_of(p) or (None, None)
        return Tensor(
            use.constant.name, "", "", dtype(use.constant), Change(shape, p, stored, layout.orders), old=old, new=new
        )

    def _is_weight(self, use: Use) -> bool:
        """Not an axis, a shape, a limit, nor a number that the exporter wrote into a Constant node."""
        if use.node.op in SETTINGS or str(use.constant.dtype) in NO_WEIGHTS or use.constant.dtype is None:
            return False
        edit = self.moves[id(use.node)].edits.get(use.number)
        given = use.constant.name in self.initializers or len(use.constant.shape) > 0
        return given and (edit is None or isinstance(edit, Expand))

    def _layout(self, use: Use) -> Layout:
        """How the plan stores the constant for this reader."""
        at = self.moves[id(use.node)].inputs[use.number]
        return AS_IS if at == ANY else image_part(at, len(use.constant.shape), self.shuffles)

    def _add(self, tensor: Tensor, use: Use) -> str:
        """The tensor's name in the file: its own, unless another reader needs it another way."""
        self.seen.add((id(use.node), use.number))
        known = self.manifest.tensors
        other = f"{tensor.source}@{tensor.layer or tensor.node}"
        names = chain([tensor.source, other], (f"{other}@{n}" for n in count(2)))
        name = next(name for name in names if name not in known or known[name].change == tensor.change)
        if name not in known:
            known[name], self.constants[name] = tensor, use.constant
            if name != tensor.source:
                self.manifest.notes.append(f"{tensor.source!r} is needed in more than one layout: another is {name!r}")
        return name

    def _unused(self, layer: Layer) -> str:
        if layer.name not in self.manifest.layers:
            return layer.name
        return str(layer.node.outputs[0].name)

    def _check_spatial(self, layer: Layer) -> None:
        """A plan may swap H and W where the model does; no framework's layer does."""
        if layer.kind not in SPATIAL_KINDS:
            return
        at = self.moves[id(layer.node)].inputs[0].perm
        first, last = perm.identity(len(at)), perm.channels_last(len(at))
        if at not in (first, last):
            raise UsageError(
                f"{layer.name}: the model swaps spatial axes around it, so its kernel has no layout of its own"
            )
        if at == first and self.target != targets.PYTORCH:
            self.manifest.notes.append(
                f"{layer.name}: its input stays channels first in the plan (its shape is not known): transpose it there"
            )

    def _notes(self) -> None:
        """Where a plan that flips images must transpose them; other Transposes are the model's own."""
        folded = made_of_constants(self.nodes)
        for change in self.plan.plan.relayouts:
            images = all(is_image(at.perm) for at in (change.stored, change.needed) if at.perm)
            images &= change.value in self.plan.roles
            if self.flips and images and change.op == "Transpose" and change.value not in folded:
                self.manifest.notes.append(
                    f"{change.value!r} is transposed ({change.stored} to {change.needed}) before what reads it, and "
                    f"the weights behind it expect that: {change.blame}"
                )


def made_of_constants(nodes: "list[gs.Node | Coupling]") -> set[str]:
    """Values that depend on no input of the graph, as kernels behind a Transpose: the file holds them transposed."""
    found: set[str] = set()
    for node in nodes:
        if all(isinstance(t, gs.Constant) or t.name in found or not t.name for t in node.inputs):
            found.update(t.name for t in node.outputs)
    return found


def values(constant: gs.Constant) -> Array:
    held = constant._values
    return held.load() if isinstance(held, Stored) else np.asarray(constant.values)


def dtype(constant: gs.Constant) -> str:
    return str(constant.dtype)


def label(node: "gs.Node | Coupling") -> str:
    return str(node.name or node.outputs[0].name)
