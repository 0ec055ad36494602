"""What a layer reads and gives in the model: images as the target has them, orders of flattened maps as planned."""

import onnx_graphsurgeon as gs

from passes.layout import perm
from passes.layout.layout import Layout, arranged, natural, permuted
from rewriter.weights.framework import CONV_KINDS, POOL_KINDS
from rewriter.weights.layers import recurrent
from rewriter.weights.layers.integers import OPERATORS, result_of
from rewriter.weights.layers.layers import BIAS_ADDED, Layer
from rewriter.weights.manifest.ends import End, Ends
from rewriter.weights.planned.storage import Storage

IMAGES = (*CONV_KINDS, *POOL_KINDS, "batch_norm", "group_norm", "instance_norm")
INDICES = 1  # the input of Gather that an embedding reads
BIAS = 2  # the input of ConvTranspose that is one
LENGTHS, STATES = 4, (5, 6)  # inputs of LSTM and GRU: of each sequence; what they start from


def ends_of(layer: Layer, storage: Storage, lost: str | None) -> Ends | str:
    """The values around a layer, or why no layer of the target alone makes the one of the other.

    ``lost``: a parameter that is not in the file.
    """
    if lost:
        return f"its {lost} is computed in the graph"
    maker = layer.gives or adder(layer) or layer.node
    if layer.node.op in OPERATORS or is_rounded(layer, maker):
        return "the model computes it with integers"
    if layer.node.attrs.get("training_mode"):
        return "it is in training mode in the model"
    reader, number = layer.reads or (layer.node, INDICES if layer.kind == "embedding" else 0)
    read, made = storage.around(reader, number), storage.around(maker, None)
    if layer.kind in IMAGES and not read.stored and not layer.spatial:
        return "the number of its axes is not known"
    reads, gives = (in_target(layer, layout, storage.work.request.to) for layout in (read, made))
    return Ends(End(str(reader.inputs[number].name), reads), End(str(maker.outputs[0].name), gives))


def adder(layer: Layer) -> gs.Node | None:
    """The node that adds the bias, where that is another than the layer's own."""
    node = layer.node
    if node.op not in BIAS_ADDED or 1 not in layer.parameters or (len(node.inputs) > BIAS and node.inputs[BIAS].name):
        return None
    found: gs.Node = result_of(node).outputs[0]
    return found


def is_rounded(layer: Layer, maker: gs.Node) -> bool:
    """Whether the model makes integers of a parameter while it runs, or of the result before it adds the bias."""
    made = maker is layer.node or layer.gives is not None or layer.node.outputs[0] in maker.inputs
    return not made or any(use.node.op == "DynamicQuantizeLinear" for use in layer.parameters.values())


def in_target(layer: Layer, layout: Layout, to: str) -> Layout:
    """Images with their channels where the target's layers have them, which read the last axis of all else."""
    rank = len(layout.stored)
    orders = {axis: layout.along(axis) for axis in layout.lengths()}
    if layer.kind in IMAGES:
        rank = rank or layer.spatial + 2
        channels = layer.channels % rank
        batch, *space = (axis for axis in range(rank) if axis != channels)
        return arranged((batch, *space, channels) if to == "nhwc" else (batch, channels, *space), orders)
    return arranged(perm.identity(rank), orders) if layer.kind == "dense" else layout


def ends_of_recurrent(node: gs.Node, target: str) -> Ends | str:
    """Of an LSTM or GRU: [batch, steps, features], and for each step [directions, hidden]."""
    if unusual := recurrent.unusual(node, target):
        return f"it has {', '.join(unusual)}"
    given = {number: str(t.name) for number, t in enumerate(node.inputs) if t.name}
    if LENGTHS in given:
        return "its sequences have lengths of their own"
    if not node.outputs[0].name:
        return "the model has its last state only, not its result for each step"
    batch_first = bool(node.attrs.get("layout"))
    read, made = (natural(3), natural(4)) if batch_first else (permuted((1, 0, 2)), permuted((2, 0, 1, 3)))
    zeros = tuple(given[number] for number in STATES if number in given)
    return Ends(End(given[0], read), End(str(node.outputs[0].name), made), zeros)
