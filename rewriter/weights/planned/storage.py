"""How the plan for a whole model stores each constant for each of its readers, as far as images are concerned.

These are channels from first to last or back, of whole images, of operands without a batch axis, and of flattened maps.
A plan may move other axes too, to spare a Transpose in an attention, say: no framework's model has its weights so.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir.constants import array_of, of_array
from passes.ir.control_flow import Coupling, flat
from passes.ir.graph import reads
from passes.layout import perm
from passes.layout.edit import Expand
from passes.layout.formats import letters_of
from passes.layout.layout import ANY, Layout, arranged, natural
from passes.layout.perm import Perm
from passes.layout.vector import parts_in
from passes.normalize.computed import computed
from passes.pipeline import Work
from passes.plan.evidence import LINEAR
from passes.plan.roles import image
from passes.rules.move import Move
from rewriter.errors import UsageError
from rewriter.pipeline import interface_of
from rewriter.weights.framework import CONV_KINDS, POOL_KINDS
from rewriter.weights.layers.integers import is_scale
from rewriter.weights.layers.layers import Layer, find_layer, made
from rewriter.weights.layers.norms import find_norm
from rewriter.weights.layers.slopes import find_prelu
from rewriter.weights.layers.trace import Use, makers, name_of, trace
from rewriter.weights.manifest.manifest import Tensor
from rewriter.weights.planned.image_layouts import (
    SEQUENCE_RANK,
    channels_first,
    channels_last,
    image_part,
    is_image,
    with_space_in_order,
)
from rewriter.weights.tensors.transform import TensorTransform

# operators whose constants say how to compute, and types of inputs that do
COMPUTE = ("Clip", "Resize", "Upsample", "Pad", "Dropout", "Range", "OneHot", "ConstantOfShape", "TopK")
COMPARE = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")
NO_WEIGHTS = ("int64", "bool", "object", "None")


class Storage:
    """A planned model: its nodes, its layers, and each constant as the plan stores it.

    ``keep_order``: but for orders along axes, as those of flattened maps, which stay the model's.
    """

    def __init__(self, work: Work, keep_order: bool = False) -> None:
        self.work, self.keep_order = work, keep_order
        self.inputs, self.outputs = interface_of(work)
        self.flips = any(value.flipped for value in (*self.inputs, *self.outputs))
        self.nodes = list(flat(work.program.graph))
        self.moves: dict[int, Move] = {id(n): m for n, m in zip(self.nodes, work.plan.moves, strict=True)}
        # Orders of the target's own along an axis: of constants, by node and input, and of values, by name.
        self.orders: dict[tuple[int, int], tuple[int, Layout]] = {}
        self.ordered: dict[str, tuple[int, Layout]] = {}
        self.reshaped: set[tuple[int, int]] = set()  # (node, input) of what layers have in another shape
        readers = Counter(name for node in work.program.graph.nodes for name in reads(node))
        readers.update(t.name for t in work.program.graph.outputs)
        found = (self._found(n, readers) for n in self.nodes)
        self.layers = [layer for layer in found if layer is not None]
        self._swaps = any(map(self._is_swapped, self.layers))
        self._makers = {id(n) for layer in self.layers for tensor in layer.computed.values() for n in makers(tensor)}
        self._shuffles = {order for layer in self.layers for order in self._channel_orders(layer)}
        self._shuffles |= {order for node in self.nodes for order in self._head_orders(node)}
        self._refuse_doubt()

    def _found(self, node: "gs.Node | Coupling", readers: "Counter[str]") -> Layer | None:
        return find_norm(node, readers, self.use) or find_prelu(node, self.use) or find_layer(node, self.computed)

    def computed(self, tensor: gs.Tensor) -> gs.Constant | None:
        """What the graph makes of constants only; under the name of the one weight that it only reshapes."""
        array = computed(tensor, self.work.program.graph, self.work.engines)
        if array is None:
            return None
        inputs = {t.name: t for node in makers(tensor) for t in node.inputs if isinstance(t, gs.Constant)}
        sources = [t for t in inputs.values() if t.dtype == array.dtype and t.shape]
        if len(sources) != 1 or not np.array_equal(array_of(sources[0]).ravel(), array.ravel()):
            return of_array(tensor.name, array)
        self.reshaped |= {(id(n), i) for n in makers(tensor) for i, t in enumerate(n.inputs) if t is sources[0]}
        return of_array(sources[0].name, array)

    def use(self, node: gs.Node, number: int) -> Use | None:
        """The constant that an input of a node is, or that the graph makes of constants."""
        return trace(node, number) or made(node, number, self.computed)

    def image_move(self, layer: Layer) -> Move | None:
        """What the plan makes of a layer of images."""
        return self.moves[id(layer.node)] if layer.kind in (*CONV_KINDS, *POOL_KINDS) else None

    def axis(self, layer: Layer) -> int:
        """The axis that a layer normalises, counted from the last, where the plan has it in an image."""
        axis, p = layer.told["axis"], self.moves[id(layer.node)].outputs[0].axis_perm
        return p.index(axis % len(p)) - len(p) if is_image(p) else int(axis)

    def layout(self, use: Use) -> Layout:
        """How a constant is stored for its reader, as the plan has it and in the order that its target has.

        As it is, if that makes a sequence of features, no image.
        """
        planned = self._planned(self.moves[id(use.node)].inputs[use.number], use.node, len(use.constant.shape))
        return with_order(planned, self.orders.get((id(use.node), use.number)))

    def around(self, node: gs.Node, number: int | None) -> Layout:
        """How an input of a node is stored for it, or (``None``) what it makes; of unknown rank, natural."""
        move = self.moves[id(node)]
        layout, value = (
            (move.outputs[0], node.outputs[0]) if number is None else (move.inputs[number], node.inputs[number])
        )
        return with_order(self._planned(layout, node, len(layout.stored)), self.ordered.get(str(value.name)))

    def _planned(self, layout: Layout, node: gs.Node, rank: int) -> Layout:
        """As planned, as far as images are concerned, and orders along axes are wanted."""
        found = self._of_images(layout, node, rank)
        return arranged(found.axis_perm, {}) if self.keep_order else found

    def _of_images(self, layout: Layout, node: gs.Node, rank: int) -> Layout:
        """As it is, if its reader makes a sequence of features, no image."""
        if layout == ANY or (self._makes_sequence(node) and node.op not in LINEAR):
            return natural(rank)
        if not self._swaps:
            return image_part(layout, self._shuffles)
        to = self.work.request.to
        if to == "nchw" and not self.flips:
            return natural(rank)
        return image_part(with_space_in_order(layout, to), self._shuffles)

    def tensor(self, use: Use) -> Tensor:
        """A constant that is no layer's parameter; one that a parameter is computed of stays as it is."""
        shape, layout = tuple(use.constant.shape), self.layout(use)
        if id(use.node) in self._makers:
            return use.tensor(TensorTransform(shape, natural(len(shape)), shape))
        stored = tuple(int(n or 0) for n in layout.shape(shape))
        edit = self.moves[id(use.node)].edits.get(use.number)
        if isinstance(edit, Expand) and self.flips:
            stored = edit.apply(np.broadcast_to(np.uint8(0), stored)).shape
        return use.tensor(TensorTransform(shape, layout, stored), *self._letters(use, layout.axis_perm, len(stored)))

    def _letters(self, use: Use, p: Perm, rank: int) -> tuple[str, str] | tuple[()]:
        """The axes of an operand before and after, when it has ``rank``: the last ones of the image made of it.

        Where that is not known, by the perm and the direction: with one spatial axis a perm is its own inverse.
        """
        if use.node.op in LINEAR or (rank == len(p) and not is_image(p)):
            return ()
        roles = image(self.work.roles.get(use.node.outputs[0].name, ""))
        stored = self.moves[id(use.node)].outputs[0].axis_perm
        if roles is not None and len(stored) == len(roles) >= rank and is_image(stored):
            old = letters_of(roles)
            return old[len(old) - len(p) :], "".join(perm.reorder(stored, old))[-rank:]
        if rank != len(p):
            return ()
        there, back = channels_last(rank), channels_first(rank)
        old = (there | back if self.work.request.to == "nchw" else back | there)[p]
        return old, "".join(perm.reorder(p, old))

    def is_weight(self, use: Use, initializers: set[str]) -> bool:
        """Not an axis, a shape, a limit, nor a number that the exporter wrote into a Constant node."""
        is_count = np.prod(use.constant.shape) == 1 and use.constant.dtype == np.int32
        if use.node.op in (*COMPUTE, *COMPARE) or is_count or is_scale(use) or str(use.constant.dtype) in NO_WEIGHTS:
            return False
        edit = self.moves[id(use.node)].edits.get(use.number)
        return (use.constant.name in initializers or len(use.constant.shape) > 0) and isinstance(edit, Expand | None)

    def transposed_images(self) -> Iterator[str]:
        """Notes on what a plan that flips images must transpose; other Transposes are the model's own."""
        folded = made_of_constants(self.nodes)
        for change in self.work.plan.relayouts if self.flips else ():
            if change.bytes is None or change.op != "Transpose" or change.value in folded:
                continue
            sides = [layout for layout in (change.stored, change.needed) if not layout.is_natural]
            if image(self.work.roles.get(change.value, "")) and all(is_image(layout.axis_perm) for layout in sides):
                yield (
                    f"{change.value!r} is transposed ({change.stored} to {change.needed}) before what reads it, and "
                    f"the weights behind it expect that: {change.blame}"
                )

    def _is_swapped(self, layer: Layer) -> bool:
        """Whether the plan runs a layer with its spatial axes in another order, as the model transposes them."""
        move = self.image_move(layer)
        p = None if move is None else move.inputs[0].axis_perm
        return p is not None and p not in (perm.identity(len(p)), perm.channels_last(len(p)))

    def _makes_sequence(self, node: "gs.Node | Coupling") -> bool:
        """Whether its result is a sequence of features, and no image."""
        roles = self.work.roles.get(node.outputs[0].name, "")
        return len(roles) == SEQUENCE_RANK and image(roles) is None

    def _head_orders(self, node: "gs.Node | Coupling") -> Iterator[Layout]:
        """Orders in which the plan has a product give a sequence's features: those of heads, which no target moves."""
        if node.op in LINEAR and self._makes_sequence(node):
            yield from orders_in(self.moves[id(node)].outputs[0])

    def _map_orders(self, node: "gs.Node | Coupling") -> Iterator[Layout]:
        """Orders that come about where a map is flattened."""
        if node.op in ("Flatten", "Reshape") and image(self.work.roles.get(node.inputs[0].name, "")) is not None:
            move = self.moves[id(node)]
            inside = {*orders_in(move.inputs[0])}
            yield from (order for order in orders_in(move.outputs[0]) if order not in inside)

    def _refuse_doubt(self) -> None:
        """Raises UsageError where one order is that of a flattened map, and that of heads or a shuffle, too."""
        if self.keep_order:
            return
        for node in self.nodes:
            if any(order in self._shuffles for order in self._map_orders(node)):
                raise UsageError(
                    f"{name_of(node)}: what it flattens has the order of other channels, so that nobody can "
                    "tell whose rows are whose: give --keep-flatten-order, and reorder the rows behind it yourself"
                )

    def _channel_orders(self, layer: Layer) -> Iterator[Layout]:
        """Orders in which the plan reads or writes an image's channels, to spare a shuffle: the target shuffles."""
        if move := self.image_move(layer):
            yield from chain.from_iterable(map(orders_in, (move.inputs[0], *move.outputs)))


def with_order(layout: Layout, ordered: tuple[int, Layout] | None) -> Layout:
    """The layout with that order along that axis."""
    if ordered is None:
        return layout
    kept = {axis: layout.along(axis) for axis in layout.lengths()}
    return arranged(layout.axis_perm, {**kept, ordered[0]: ordered[1]})


def orders_in(layout: Layout) -> Iterator[Layout]:
    """The orders along its axes, of each part of those that Concat made of several."""
    for axis in layout.lengths():
        yield from parts_in(layout.along(axis))


def made_of_constants(nodes: "list[gs.Node | Coupling]") -> set[str]:
    """Values that depend on no input of the graph, as kernels behind a Transpose: the file holds them transposed."""
    values: set[str] = set()
    for node in nodes:
        if all(isinstance(t, gs.Constant) or t.name in values or not t.name for t in node.inputs):
            values.update(t.name for t in node.outputs)
    return values
