"""Attention as the one operator that ONNX has for it from opset 23 on, with Transposes that plans then undo.

Measured in onnxruntime 1.31 (CPU, one thread) it reads heads where they lie and takes 0.59 to 0.98 of the time of the
nodes with their Transposes (22 sizes of DeiT, Swin, DETR, MobileViT, SegFormer, CvT and Hiera).
"""

from collections import Counter
from collections.abc import Sequence
from math import prod

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir import constants
from passes.ir.graph import all_names, assemble, every_node, is_standard, reads, unused
from passes.layout import perm
from passes.layout.perm import Perm
from passes.normalize.attention_pattern import Attention, attention_of
from passes.normalize.computed import computed
from passes.normalize.dead_code import dead_code
from passes.normalize.infer_shapes import Engines
from passes.rules.attention import OP, SINCE

RANK = 4  # of its operands, [N, heads, T, d]

Shape = list[int | str]


def fuse_attention(graph: gs.Graph, engines: Engines) -> gs.Graph:
    """The graph with one node for each attention of its main graph; itself if there are none, or its opset has none."""
    if graph.opset < SINCE or not any(node.op == "Softmax" for node in graph.nodes):
        return graph
    own = assemble(graph, graph.nodes, graph.inputs, graph.outputs)  # new nodes read its tensors
    readers = Counter(name for node in own.nodes for name in reads(node))
    readers.update(t.name for t in own.outputs)
    around = (attention_of(node, readers) for node in own.nodes if node.op == "Softmax" and is_standard(node))
    found = [one for one in around if one is not None and is_known(one)]
    masks = [masks_of(one, own, engines) for one in found]
    names = all_names(own), {node.name for node in every_node(own)}
    fused = {
        id(one.last): _Written(one, *names).nodes(kept)
        for one, kept in zip(found, masks, strict=True) if kept is not None
    }  # fmt: skip
    if not fused:
        return graph
    nodes = [new for node in own.nodes for new in fused.get(id(node), [node])]
    return dead_code(assemble(own, nodes, own.inputs, own.outputs))


def masks_of(one: Attention, graph: gs.Graph, engines: Engines) -> list[gs.Tensor] | None:
    """The masks that are not 0 everywhere; ``None`` if the operator cannot take one, or a row might be masked out.

    What is NaN then in the nodes, or 0 if they guard against it, need not be so in the operator.
    """
    kept = []
    for mask, shape in one.scores.masks:
        array = computed(mask, graph, engines)
        fits = has_batches(one.scores.shape, shape, list(mask.shape))
        if not fits or (array is None and one.is_guarded) or (array is not None and (array == -np.inf).all(-1).any()):
            return None
        if array is None or array.any():
            kept.append(mask)
    return kept


def is_known(one: Attention) -> bool:
    """Whether more than two axes of batches can be made two."""
    operands = (one.scores.q, one.scores.k, one.v)
    sizes = [size for operand in operands for size in (operand.shape or ())[1:]]
    return len(one.scores.shape) <= RANK or all(isinstance(size, int) for size in sizes)


def has_batches(scores: Shape, shape: Shape, own: Shape) -> bool:
    """Whether a mask that is added to scores of ``shape`` can be added to those, after axes of size 1 in front."""
    more = len(shape) - len(scores)
    if more < 0 or shape != [1] * more + scores:
        return False
    batches = own[max(len(own) - len(scores), 0) : -2]
    pairs = zip(batches[::-1], scores[-3::-1], strict=False)
    return all(size == 1 or (size == whole and len(scores) <= RANK) for size, whole in pairs)


class _Written:
    """The nodes that write one attention."""

    def __init__(self, attention: Attention, names: set[str], node_names: set[str]) -> None:
        self._attention, self._names, self._node_names = attention, names, node_names
        self._made: list[gs.Node] = []

    def nodes(self, masks: Sequence[gs.Tensor]) -> list[gs.Node]:
        """Transposes to [*batch, sequence, features], Reshapes to four axes, the operator, and back."""
        scores, last = self._attention.scores, self._attention.last
        q, k, v = (self._transposed(each.tensor, each.perm) for each in (scores.q, scores.k, self._attention.v))
        for factor in scores.factors:
            q = self._add("Mul", [q, factor], q.shape)
        batch, (rows, features) = scores.shape[:-2], (q.shape[-2], v.shape[-1])
        four = [self._reshaped(each, [*in_two(batch), *each.shape[-2:]]) for each in (q, k, v)]
        operands = [*four, *self._mask(masks)]
        result = self._add(OP, operands, [*in_two(batch), rows, features], scale=scores.scale)
        self._transposed(self._reshaped(result, [*batch, rows, features]), self._attention.perm)
        self._made[-1].outputs = [last.outputs[0]]
        self._made[-1].name = last.name
        return self._made

    def _mask(self, masks: Sequence[gs.Tensor]) -> list[gs.Tensor]:
        """The sum of masks."""
        rank = len(self._attention.scores.shape)
        total: list[gs.Tensor] = []
        for mask in masks:
            own = list(mask.shape)
            most = 2 if rank > RANK else rank  # the axes that may differ from 1
            part = self._reshaped(mask, own[max(len(own) - most, 0) :])
            total = [self._add("Add", [*total, part], None)] if total else [part]
        return total

    def _transposed(self, tensor: gs.Tensor, p: Perm) -> gs.Tensor:
        if p == perm.identity(len(p)):
            return tensor
        return self._add("Transpose", [tensor], perm.reorder(p, list(tensor.shape)), perm=list(p))

    def _reshaped(self, tensor: gs.Tensor, shape: Shape) -> gs.Tensor:
        """The tensor with another shape: more or fewer axes of size 1 in front, or axes of known sizes behind one."""
        more = len(shape) - len(tensor.shape)
        if not more:
            return tensor
        name = unused(f"{tensor.name}_shape", self._names)
        if abs(more) < 3 and [*[1] * more, *tensor.shape] == [*[1] * -more, *shape]:
            axes = constants.of_array(name, np.arange(abs(more)))
            return self._add("Unsqueeze" if more > 0 else "Squeeze", [tensor, axes], shape)
        target = [0, *shape[1:]] if isinstance(shape[0], str) else shape
        return self._add("Reshape", [tensor, constants.of_array(name, np.asarray(target, np.int64))], shape)

    def _add(self, op: str, inputs: list[gs.Tensor], shape: Shape | None, **attrs: object) -> gs.Tensor:
        name = self._attention.last.name
        result = gs.Variable(unused(f"{name}_{op}", self._names), inputs[0].dtype, shape)
        self._made.append(gs.Node(op, unused(f"{name}_{op}", self._node_names), attrs, inputs, [result]))
        return result


def in_two(batch: Shape) -> Shape:
    """Batches as two axes."""
    if len(batch) < 2:
        return [1, *batch]
    return [batch[0], batch[1] if len(batch) == 2 else prod(size for size in batch[1:] if isinstance(size, int))]
