"""DepthToSpace and SpaceToDepth, as operators or as exporters write them: Reshape, Transpose, Reshape.

Frameworks have one order of the channels of blocks each, ONNX both: ``CRD`` is PyTorch's PixelShuffle (channel, row,
column of the block), ``DCR`` that of ``tf.nn.depth_to_space`` (row, column, channel). Where the model has the other
one, the layer that makes these channels, or reads them, is stored so that the target's own operator is right.
Sources: DepthToSpace and SpaceToDepth of ONNX, ``torch.nn.PixelShuffle``, ``tf.nn.depth_to_space``.
"""

from dataclasses import dataclass
from typing import NamedTuple

import onnx_graphsurgeon as gs

from passes.ir.control_flow import Coupling
from passes.ir.graph import is_standard
from passes.layout import perm
from passes.layout.layout import VECTOR, Layout
from passes.layout.layout import permuted as permuted_by
from passes.layout.vector import reordered
from passes.rules.elementwise import BROADCAST, SAME
from passes.rules.rule import lookup
from rewriter.weights.framework import Framework
from rewriter.weights.layers.integers import is_by_channel
from rewriter.weights.layers.layers import Layer
from rewriter.weights.layers.trace import name_of, permuted
from rewriter.weights.manifest.ends import End, Ends
from rewriter.weights.planned.storage import Storage, with_order
from rewriter.weights.tensors.transform import order_json
from rewriter.weights.windows import Settings

DEPTH_TO_SPACE, SPACE_TO_DEPTH = "depth_to_space", "space_to_depth"


class Form(NamedTuple):
    """Of a Transpose between Reshapes: where its six axes have the channels, and the blocks' rows and columns."""

    kind: str
    mode: str
    channels: int
    blocks: tuple[int, int]


FORMS = {
    (0, 1, 4, 2, 5, 3): Form(DEPTH_TO_SPACE, "CRD", 1, (2, 3)),
    (0, 3, 4, 1, 5, 2): Form(DEPTH_TO_SPACE, "DCR", 3, (1, 2)),
    (0, 1, 3, 5, 2, 4): Form(SPACE_TO_DEPTH, "CRD", 1, (3, 5)),
    (0, 3, 5, 1, 2, 4): Form(SPACE_TO_DEPTH, "DCR", 1, (3, 5)),
}
KERNEL_AXES = {"conv": (0, 1), "conv_transpose": (1, 0)}  # of a kernel: its output's channels, its input's
Places = dict[tuple[int, int], int]  # by node and input: the axis of the constant that has the channels


class Way(NamedTuple):
    """From a shuffle to the layer that makes or reads its channels: constants, and by name values with their axis."""

    places: Places
    values: dict[str, int]


@dataclass(frozen=True)
class Shuffle:
    """``channels``: those of a pixel, of which ``block ** 2`` times as many are shuffled: those of ``tensor``."""

    kind: str
    mode: str
    node: gs.Node
    block: int
    channels: int
    tensor: gs.Tensor

    def order(self, wanted: str) -> Layout:
        """How the shuffled channels are stored for an operator of the mode ``wanted``."""
        sizes = [self.channels, self.block**2]
        return VECTOR if wanted == self.mode else reordered(sizes if self.mode == "CRD" else sizes[::-1], (1, 0))


def find_shuffle(node: "gs.Node | Coupling") -> Shuffle | None:
    """The shuffle that a node is, or is the Transpose of; ``None`` of another, or where its channels are unknown."""
    if isinstance(node, Coupling) or not is_standard(node):
        return None
    if node.op == "Transpose":
        return reshaped(node)
    if node.op not in ("DepthToSpace", "SpaceToDepth"):
        return None
    x, y, block = node.inputs[0], node.outputs[0], node.attrs["blocksize"]
    spread = node.op == "DepthToSpace"
    deep = x if spread else y
    deep_channels = (deep.shape or (0, 0))[1]
    if not isinstance(deep_channels, int) or not deep_channels:
        return None
    kind, mode = (DEPTH_TO_SPACE, node.attrs.get("mode", "DCR")) if spread else (SPACE_TO_DEPTH, "DCR")
    return Shuffle(kind, mode, node, block, deep_channels // block**2, deep)


def reshaped(node: gs.Node) -> Shuffle | None:
    """A Transpose between a Reshape that divides an image into blocks and one that makes an image again."""
    form = FORMS.get(tuple(node.attrs.get("perm", ())))
    makers, readers = node.inputs[0].inputs, node.outputs[0].outputs
    if form is None or [n.op for n in (*makers, *readers)] != ["Reshape"] * 2:
        return None
    x, y, parts = makers[0].inputs[0], readers[0].outputs[0], node.inputs[0].shape
    if not all(is_known(t.shape, rank) for t, rank in ((x, 4), (y, 4), (node.inputs[0], 6))):
        return None
    block, channels = parts[form.blocks[0]], parts[form.channels]
    deep, flat = (x, y) if form.kind == DEPTH_TO_SPACE else (y, x)
    height, width = deep.shape[2:]
    wanted = [channels * block**2, height, width], [channels, height * block, width * block]
    if parts[form.blocks[1]] != block or ([*deep.shape[1:]], [*flat.shape[1:]]) != wanted:
        return None
    return Shuffle(form.kind, form.mode, node, block, channels, deep)


def is_known(shape: "list[int | str] | None", rank: int) -> bool:
    """Whether all sizes but the batch's are known."""
    return shape is not None and len(shape) == rank and all(isinstance(n, int) for n in shape[1:])


def store(storage: Storage, shuffle: Shuffle, framework: Framework) -> tuple[Settings, list[str]]:
    """The record of a shuffle, and notes; layers are stored for an operator that the target has.

    Where none can be, the record has ``reorder_channels``: along the channels of the operator's input, or of its
    result, ``x.reshape(sizes).transpose(perm).ravel()``. What a channels-first model does by Reshapes, a channels-first
    target does by the same.
    """
    as_it_is = shuffle.node.op == "Transpose" and framework.direction == "nchw"
    wanted = shuffle.mode if as_it_is or shuffle.mode in framework.shuffle_modes else framework.shuffle_modes[0]
    order, name = shuffle.order(wanted), name_of(shuffle.node)
    settings: Settings = {"block_size": shuffle.block, "mode": wanted}
    if order == VECTOR:
        return settings, []
    way = around(storage, shuffle)
    if way is not None and storage.orders.keys().isdisjoint(way.places):
        storage.orders.update({place: (axis, order) for place, axis in way.places.items()})
        storage.ordered.update({value: (axis, order) for value, axis in way.values.items()})
        return settings, [f"{name}: weights are stored for {framework.name}'s own {shuffle.kind} ({wanted}): use that"]
    of, told = ("input", order) if shuffle.kind == DEPTH_TO_SPACE else ("result", order.inverse())
    note = (
        f"{name}: {framework.name}'s {shuffle.kind} ({wanted}) has channels in another order, and no weights could be "
        f"stored so: reorder those of its {of} as reorder_channels in its record says"
    )
    return settings | {"reorder_channels": {"of": of, **order_json(told)}}, [note]


def ends_of_shuffle(storage: Storage, shuffle: Shuffle) -> Ends:
    """The images that it reads and gives, channels where the target has them."""
    node = shuffle.node
    reader, maker = (node.inputs[0].inputs[0], node.outputs[0].outputs[0]) if node.op == "Transpose" else (node, node)
    return Ends(image_of(storage, reader.inputs[0]), image_of(storage, maker.outputs[0]))


def image_of(storage: Storage, tensor: gs.Tensor) -> End:
    """An image of four axes as it is in the target."""
    p = perm.channels_last(4) if storage.work.request.to == "nhwc" else perm.identity(4)
    return End(str(tensor.name), with_order(permuted_by(p), storage.ordered.get(str(tensor.name))))


def around(storage: Storage, shuffle: Shuffle) -> Way | None:
    """What has the shuffled channels, from the shuffle to the layer that makes or reads them.

    ``None`` where something on the way mixes them, or they are seen by others.
    """
    layers = {id(layer.node): layer for layer in storage.layers}
    outputs = {t.name for t in storage.work.program.graph.outputs}
    backwards, tensor, axis, way = shuffle.kind == DEPTH_TO_SPACE, shuffle.tensor, 1, Way({}, {})
    while len(tensor.outputs) == 1 and tensor.name not in outputs and (not backwards or len(tensor.inputs) == 1):
        way.values[str(tensor.name)] = axis
        node = (tensor.inputs if backwards else tensor.outputs)[0]
        if isinstance(node, Coupling):
            return None
        layer = layers.get(id(node))
        if layer is not None and layer.kind in KERNEL_AXES:
            found = end(layer, backwards) if axis == 1 else None
            way.places.update(found or {})
            return way if found is not None and only_here(storage, way.places) else None
        data = data_of(storage, node)
        own = None if data is None else operands(storage, node, layer, tensor.shape[axis], axis)
        if data is None or own is None:
            return None
        way.places.update(own)
        if node.op == "Transpose":
            p = permuted(node, len(tensor.shape))
            axis = p[axis] if backwards else p.index(axis)
        tensor = data if backwards else node.outputs[0]
    return None


def end(layer: Layer, backwards: bool) -> Places | None:
    """Of a convolution: its output's channels, or its input's."""
    if layer.node.attrs.get("group", 1) != 1 or 0 not in layer.parameters:
        return None
    kernel, bias = layer.parameters[0], layer.parameters.get(1)
    if backwards and bias is None and 1 in layer.computed:
        return None
    places = {(id(kernel.node), kernel.number): kernel.perm[KERNEL_AXES[layer.kind][0 if backwards else 1]]}
    if backwards and bias is not None:
        places[id(bias.node), bias.number] = max(range(len(bias.constant.shape)), key=lambda a: bias.constant.shape[a])
    return places


def data_of(storage: Storage, node: gs.Node) -> gs.Tensor | None:
    """The image that a node transposes or treats element by element; ``None`` if it does anything else."""
    shapes = [tensor.shape for tensor in (*node.inputs[:1], *node.outputs[:1])]
    if node.op == "Transpose" and shapes[0] is not None:
        return node.inputs[0]
    if node.op == "Reshape" and shapes[0] == shapes[1] and is_known(shapes[0], 4):
        return node.inputs[0]
    rule = lookup("", node.op, storage.work.program.graph.opset) if is_standard(node) else None
    images = [t for i, t in enumerate(node.inputs) if t.name and storage.use(node, i) is None]
    by_element = node.op in ("BatchNormalization", "PRelu") or rule in (SAME, BROADCAST)
    return images[0] if by_element and len(images) == 1 and images[0].shape == node.outputs[0].shape else None


def operands(storage: Storage, node: gs.Node, layer: Layer | None, channels: int, axis: int) -> Places | None:
    """The constants of such a node that have an entry per channel; ``None`` if there are others."""
    places: Places = {}
    rank = len(node.outputs[0].shape)
    vectors = node.op == "BatchNormalization"
    if vectors and (axis != 1 or layer is None or layer.computed):
        return None
    for number, operand in enumerate(node.inputs):
        use = storage.use(node, number) if operand.name and node.op != "Reshape" else None
        if use is None or max(use.shape, default=1) == 1:
            continue
        if not vectors and not is_by_channel(use.shape, channels, axis, rank):
            return None
        places[id(use.node), use.number] = use.perm[0 if vectors else axis - rank + len(use.shape)]
    return places


def only_here(storage: Storage, places: Places) -> bool:
    """Whether each place is of a node whose results have one reader: kernels behind a shared Transpose have not."""
    nodes = {id(node): node for node in storage.nodes}
    return all(len(nodes[key].outputs[0].outputs) < 2 for key, _ in places)
