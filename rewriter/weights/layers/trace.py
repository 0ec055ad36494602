"""The constant behind an input, through operators that leave its elements in place or permute its axes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import permutations

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir.constants import array_of
from passes.ir.control_flow import Coupling
from passes.ir.graph import is_standard
from passes.layout import perm
from passes.layout.perm import Perm
from rewriter.weights.manifest.manifest import Tensor
from rewriter.weights.tensors.letters import Array
from rewriter.weights.tensors.quantised import Scaling, scaling
from rewriter.weights.tensors.transform import TensorTransform

TRANSPARENT = ("Identity", "Cast", "CastLike", "Transpose")
FILLS = ("Expand", "Cast", "CastLike", "Identity", "Reshape")  # zeros stay zeros


@dataclass(frozen=True)
class Use:
    """A constant that a node reads as its input ``number``, and how a layer does: ``np.transpose(constant, perm)``.

    ``scaling``: of integers, what makes them real numbers; ``kept``: of those that stay integers. ``negated``: a layer
    has them with the other sign.
    """

    constant: gs.Constant
    node: "gs.Node | Coupling"
    number: int
    perm: Perm = ()
    scaling: Scaling | None = None
    kept: Scaling | None = None
    negated: bool = False

    @property
    def values(self) -> Array:
        """As real numbers."""
        held = array_of(self.constant)
        return held if self.scaling is None else self.scaling.apply(held)

    @property
    def shape(self) -> tuple[int, ...]:
        """As it is read."""
        return tuple(perm.reorder(self.perm, self.constant.shape))

    def tensor(self, change: TensorTransform, old: str | None = None, new: str | None = None) -> Tensor:
        """The constant, changed, with its letters before and after."""
        name, dtype = self.constant.name, str(self.constant.dtype if self.scaling is None else self.scaling.scale.dtype)
        change = replace(change, negate=self.negated)
        return Tensor(name, name_of(self.node), self.node.op, dtype, change, old=old, new=new)


def trace(node: gs.Node, number: int) -> Use | None:
    """The constant behind an input of a node; ``None`` where it is computed otherwise."""
    chain: list[gs.Node] = []
    while not isinstance(node.inputs[number], gs.Constant):
        producers = node.inputs[number].inputs
        if not producers or not is_transparent(producers[0]):
            return None
        node, number = producers[0], 0
        chain.insert(0, node)
    constant = node.inputs[number]
    p = effect(chain, tuple(constant.shape))
    scales = [node for node in chain if node.op == "DequantizeLinear" and not dynamic(node)]
    if p is None or len(scales) > 1:
        return None
    if not scales:
        return Use(constant, node, number, p)
    before = effect(chain[: chain.index(scales[0])], tuple(constant.shape))
    scaling = None if before is None else dequantised(scales[0], constant, before)
    return None if scaling is None else Use(constant, node, number, p, scaling)


def dynamic(node: gs.Node) -> bool:
    """Whether a node undoes a DynamicQuantizeLinear, which tf2onnx puts behind what TFLite quantises while it runs."""
    makers = node.inputs[0].inputs
    return bool(makers) and makers[0].op == "DynamicQuantizeLinear" and is_standard(makers[0])


def dequantised(node: gs.Node, constant: gs.Constant, p: Perm) -> Scaling | None:
    """What a DequantizeLinear does to a constant that it reads permuted; ``None`` if it is in blocks, or computed."""
    axis = node.attrs.get("axis", 1)
    place = p[axis] if -len(p) <= axis < len(p) else 0
    return scaling(node.inputs[1:2], node.inputs[2] if len(node.inputs) > 2 else None, constant.shape, place)


def is_zero(tensor: gs.Tensor) -> bool:
    """Whether a value is zeros of any type and shape: the bias that PyTorch's exporter gives a layer without one."""
    while not isinstance(tensor, gs.Constant):
        if not tensor.inputs or not is_standard(tensor.inputs[0]) or tensor.inputs[0].op not in FILLS:
            return False
        tensor = tensor.inputs[0].inputs[0]
    return not np.any(tensor.values)


def is_transparent(node: gs.Node) -> bool:
    """Whether a node leaves its first input's elements in place, or permutes axes, or scales along one axis at most."""
    if not is_standard(node):
        return False
    if node.op == "DequantizeLinear":
        return len(node.inputs[1].shape or ()) < 2 or dynamic(node)
    if node.op == "DynamicQuantizeLinear":
        return all(reader.op == "DequantizeLinear" for reader in node.outputs[0].outputs)
    if node.op == "Reshape":
        return isinstance(node.inputs[1], gs.Constant) and not node.attrs.get("allowzero")
    return node.op in TRANSPARENT


def effect(chain: Sequence[gs.Node], shape: tuple[int, ...]) -> Perm | None:
    """The perm that a chain of operators amounts to; ``None`` if it is more than one.

    A Reshape between Transposes may only move axes of size one (tf2onnx has one before a depthwise kernel): the
    positions of all elements show whether it does.
    """
    if not any(node.op == "Reshape" for node in chain):
        transposes = [permuted(node, len(shape)) for node in chain if node.op == "Transpose"]
        return reduce(perm.then, transposes, perm.identity(len(shape)))
    start = result = np.arange(int(np.prod(shape))).reshape(shape)
    for node in chain:
        if node.op == "Transpose":
            result = result.transpose(permuted(node, result.ndim))
        elif node.op == "Reshape":
            sizes = np.asarray(node.inputs[1].values).tolist()
            result = result.reshape([result.shape[i] if n == 0 else n for i, n in enumerate(sizes)])
    moved = (p for p in permutations(range(len(shape))) if perm.reorder(p, shape) == list(result.shape))
    return next((p for p in moved if np.array_equal(start.transpose(p), result)), None)


def permuted(node: gs.Node, rank: int) -> Perm:
    """The perm of a Transpose, which reverses the axes where it names none."""
    return tuple(node.attrs.get("perm") or reversed(range(rank)))


def makers(tensor: gs.Tensor) -> Iterator[gs.Node]:
    """The nodes that compute a value, from the graph's inputs and constants."""
    pending, seen = [tensor], {id(tensor)}
    while pending:
        for node in pending.pop().inputs:
            yield node
            pending += [t for t in node.inputs if id(t) not in seen and not isinstance(t, gs.Constant)]
            seen.update(map(id, node.inputs))


def name_of(node: "gs.Node | Coupling") -> str:
    """The node's name, or where it has none that of its result."""
    return str(node.name or node.outputs[0].name)
