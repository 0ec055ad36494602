"""Pools with ``ceil_mode``, as pools without it that are the same.

A window that would start in the padding at the end is left out (the operators' specification, and what onnxruntime
computes). Before opset 22 the shape inference of onnx and of onnxruntime counts it, and onnxruntime plans its memory by
that: such a pool is written in the form that nobody gets wrong.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from onnx import GraphProto, ModelProto, NodeProto, helper

from passes.ir.graph import is_standard
from rewriter.names import bodies
from rewriter.skeleton import Shape, infer, is_static, shape_of, values_of
from rewriter.stand_ins import with_stand_ins

POOLS = {"AveragePool", "LpPool", "MaxPool"}


def with_exact_pools(bare: ModelProto) -> ModelProto:
    """A skeleton with a floor pool for each pool of which a window too many is inferred; itself, if there is none."""
    while has_ceil_mode(bare.graph):
        exact = ModelProto()
        exact.CopyFrom(bare)
        if not _correct(exact.graph, infer(with_stand_ins(bare)).graph, {}):
            break
        bare = exact  # a pool behind another sees its right size only now
    return bare


def has_ceil_mode(graph: GraphProto) -> bool:
    return any(
        any(attr.name == "ceil_mode" and attr.i for attr in node.attribute) or any(map(has_ceil_mode, bodies(node)))
        for node in graph.node
    )


def _correct(graph: GraphProto, inferred: GraphProto, around: Mapping[str, Shape | None]) -> bool:
    """Put floor pools into a graph and its bodies; whether there were any. ``around``: shapes of values it captures."""
    shapes, found = {**around, **{name: shape_of(value) for name, value in values_of(inferred).items()}}, False
    for node, same in zip(graph.node, inferred.node, strict=True):
        for body, same_body in zip(bodies(node), bodies(same), strict=True):
            found |= _correct(body, same_body, shapes)
        exact = _exact(node, shapes)
        if exact is not None:
            node.CopyFrom(exact)
            found = True
    return found


def _exact(node: NodeProto, shapes: Mapping[str, Shape | None]) -> NodeProto | None:
    if node.op_type not in POOLS or not is_standard(node):
        return None
    attrs = {attr.name: helper.get_attribute_value(attr) for attr in node.attribute}
    if not attrs.get("ceil_mode") or attrs.get("auto_pad", b"NOTSET") != b"NOTSET":
        return None
    sizes = (shapes.get(node.input[0]) or [None] * 3)[2:]
    return _floor_pool(node, attrs, sizes) if is_static(sizes) else None


def _floor_pool(node: NodeProto, attrs: Mapping[str, Any], sizes: Sequence[int]) -> NodeProto | None:
    """A pool that is the same, ``None`` if its windows are counted right, or none is the same."""
    rank = len(sizes)
    pads = attrs.get("pads", [0] * 2 * rank)
    kernel, ones = attrs["kernel_shape"], [1] * rank
    axes = zip(sizes, kernel, attrs.get("strides", ones), attrs.get("dilations", ones), pads, pads[rank:], strict=False)
    ends, wrong = [], False
    for size, kernel_size, stride, dilation, begin, end in axes:
        span = dilation * (kernel_size - 1) + 1
        count = ceil((size + begin + end - span) / stride) + 1
        too_many = (count - 1) * stride >= size + begin
        ends.append(max((count - 1 - too_many) * stride + span - size - begin, 0))
        wrong |= too_many
    more_padding = any(now > before for now, before in zip(ends, pads[rank:], strict=True))
    if not wrong or (more_padding and attrs.get("count_include_pad")):
        return None
    proto = NodeProto()
    proto.CopyFrom(node)
    del proto.attribute[:]
    changed = {**attrs, "ceil_mode": 0, "pads": [*pads[:rank], *ends]}
    proto.attribute.extend(helper.make_attribute(name, value) for name, value in changed.items())
    return proto
