"""Normalisations that exporters write as several operators, as one layer each.

PyTorch's exporters write GroupNorm as InstanceNormalization of groups, a Mul and an Add; tf2onnx writes what Keras
does, ``x * m + (beta - mean * m)`` with ``m = gamma / sqrt(variance + epsilon)``, for LayerNormalization and, of an
input in groups, for GroupNormalization.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir.constants import array_of, of_array
from passes.ir.control_flow import Coupling
from passes.ir.graph import is_standard
from passes.normalize.fuse_group_norm import group_norm_of
from passes.rules.norm import GROUP_NORM
from rewriter.weights.layers.integers import is_by_channel, only
from rewriter.weights.layers.layers import Layer
from rewriter.weights.layers.trace import Use
from rewriter.weights.tensors.quantised import numbers
from rewriter.weights.windows import Settings

Find = Callable[[gs.Node, int], Use | None]


def find_norm(node: "gs.Node | Coupling", readers: "Counter[str]", find: Find) -> Layer | None:
    """The normalisation that a node is the first or decisive one of; ``None`` if it is none of several operators."""
    if isinstance(node, Coupling):
        return None
    if node.op in (GROUP_NORM, "InstanceNormalization"):
        return of_groups(node, readers, find)
    if not is_standard(node):
        return None
    if node.op == "GroupNormalization":
        return by_group(node, find)
    return of_moments(node, find) if node.op == "Reciprocal" else None


def of_groups(node: gs.Node, readers: "Counter[str]", find: Find) -> Layer | None:
    """InstanceNormalization between Reshapes to groups and back, fused or not, that scales by 1 and adds 0."""
    parts = None if node.op == GROUP_NORM else group_norm_of(node, readers)
    if node.op != GROUP_NORM and parts is None:
        return None
    groups = node.attrs["group_shape"][1] if parts is None else node.inputs[0].shape[1]
    result = node.outputs[0] if parts is None else parts[2].outputs[0]
    own = [find(node, i) for i in (1, 2)]
    if any(use is None or (use.values != 1 - i).any() for i, use in enumerate(own)):
        return None
    parameters: dict[int, Use] = {}
    gives = result.inputs[0]
    for place, op in enumerate(("Mul", "Add")):
        use, reader = by_channel(result, op, find)
        if use is None or reader is None:
            break
        parameters[place], result, gives = use, reader.outputs[0], reader
    reads = None if parts is None else (parts[0], 0)
    return Layer("group_norm", node, parameters, {}, {"groups": groups}, reads=reads, gives=gives)


def by_channel(tensor: gs.Tensor, op: str, find: Find) -> tuple[Use | None, gs.Node | None]:
    """The constant by which the one reader of an image scales, or shifts, each channel, and that reader."""
    for reader in only(tensor, op):
        use = find(reader, 1 if reader.inputs[0] is tensor else 0)
        channels = (tensor.shape or (None, None))[1]
        if use is not None and isinstance(channels, int) and is_by_channel(use.shape, channels, 1, len(tensor.shape)):
            return use, reader
    return None, None


def by_group(node: gs.Node, find: Find) -> Layer | None:
    """GroupNormalization, which until opset 21 has a scale and a bias for each group: here for each channel."""
    groups, shape = node.attrs["num_groups"], node.inputs[0].shape
    uses = {place: find(node, place + 1) for place in (0, 1)}
    known = {place: use for place, use in uses.items() if use is not None}
    channels = shape[1] if shape and isinstance(shape[1], int) else groups
    for place, use in known.items():
        if use.shape == (groups,) and channels > groups:
            wide = of_array(use.constant.name, np.repeat(array_of(use.constant), channels // groups))
            known[place] = Use(wide, use.node, use.number, use.perm)
    computed = {place: node.inputs[place + 1] for place in uses.keys() - known.keys()}
    return Layer("group_norm", node, known, computed, {"groups": groups})


def of_moments(root: gs.Node, find: Find) -> Layer | None:
    """``m = gamma / sqrt(variance + epsilon)``, and what tf2onnx makes of it; gamma or beta may be left out."""
    square = maker(root.inputs[0], "Sqrt")
    plus = None if square is None else maker(square.inputs[0], "Add")
    epsilon = [] if plus is None else [(plus, i) for i, t in enumerate(plus.inputs) if is_number(t)]
    scaled = only(root.outputs[0], "Mul")
    gammas = [
        use for node in scaled for i, t in enumerate(node.inputs) if t is not root.outputs[0] and (use := find(node, i))
    ]
    factor = scaled[0].outputs[0] if gammas else root.outputs[0]
    products = [node for node in factor.outputs if node.op == "Mul"]
    means = [n for n in products if any(maker(t, "Neg") for t in n.inputs)]
    values = [n for n in products if n not in means]
    if len(epsilon) != 1 or len(means) != 1 or len(values) != 1 or len(factor.outputs) > len(products):
        return None
    adds = only(means[0].outputs[0], "Add")
    betas = [use for add in adds for i in (0, 1) if (use := find(add, i)) is not None]
    mean = next(t for t in means[0].inputs if maker(t, "Neg"))
    (place,) = (i for i, t in enumerate(values[0].inputs) if t is not factor)
    x = values[0].inputs[place]
    parameters = {place: uses[0] for place, uses in enumerate((gammas, betas)) if uses}
    kinds = [kind_of(x.shape, mean.shape, use.shape) for use in parameters.values()]
    if not kinds or kinds[0] is None or any(kind != kinds[0] for kind in kinds):
        return None
    kind, settings = kinds[0]
    ((add, number),) = epsilon
    told = {"epsilon": numbers(array_of(add.inputs[number]))[0], **settings}
    ends = only(adds[0].outputs[0], "Add") if betas else adds
    reads, gives = around_groups(kind, (values[0], place), ends)
    return Layer(kind, scaled[0] if gammas else root, parameters, {}, told, tuple(epsilon), reads, gives, -1)


def around_groups(
    kind: str, reads: tuple[gs.Node, int], adds: Sequence[gs.Node]
) -> tuple[tuple[gs.Node, int], gs.Node | None]:
    """What such a normalisation reads and gives: of groups, what is before and behind their Reshapes."""
    if kind != "group_norm" or not adds:
        return reads, next(iter(adds), None)
    before, behind = maker(reads[0].inputs[reads[1]], "Reshape"), only(adds[0].outputs[0], "Reshape")
    return (reads if before is None else (before, 0)), next(iter(behind), None)


def is_number(tensor: gs.Tensor) -> bool:
    """Whether a value is a constant of one element."""
    return isinstance(tensor, gs.Constant) and int(np.prod(tensor.shape)) == 1


def kind_of(
    x: Sequence[int | str] | None, mean: Sequence[int | str] | None, gamma: Sequence[int]
) -> tuple[str, Settings] | None:
    """Which normalisation it is that takes the mean of ``x`` along some axes and has parameters along some."""
    if x is None or mean is None or len(x) != len(mean) or len(gamma) > len(x):
        return None
    rank = len(x)
    along = [rank - len(gamma) + axis for axis, n in enumerate(gamma) if n > 1]
    reduced = [axis for axis in range(rank) if mean[axis] == 1 and x[axis] != 1]
    if along and along == reduced and (len(along) == 1 or along[-1] == rank - 1):
        return "layer_norm", {"axis": along[0] - rank}
    groups = along[0] if len(along) == 2 and along[1] == along[0] + 1 else 0
    if groups and reduced == [axis for axis in range(1, rank) if axis != groups]:
        return "group_norm", {"groups": x[groups]}
    return None


def maker(tensor: gs.Tensor, op: str) -> gs.Node | None:
    """The node that makes a value, if it is this operator."""
    made = tensor.inputs[0] if tensor.inputs else None
    return made if made is not None and made.op == op and is_standard(made) else None
