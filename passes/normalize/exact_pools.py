"""Pools with ``ceil_mode``, as pools without it that are the same.

A window that would start in the padding at the end is left out (the operators' specification, and what onnxruntime
computes). Before opset 22 the shape inference of onnx and of onnxruntime counts it, and onnxruntime plans its memory by
that: such a pool is written in the form that nobody gets wrong.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

import onnx_graphsurgeon as gs

from passes.ir.declared import is_static, shape_of
from passes.ir.exporter import export_skeleton
from passes.ir.graph import every_graph, every_node, is_standard, new_node
from passes.normalize.infer_shapes import Engines

POOLS = {"AveragePool", "LpPool", "MaxPool"}


def exact_pools(graph: gs.Graph, engines: Engines) -> gs.Graph:
    """The graph with a floor pool for each pool of which a window too many is inferred."""
    while any(node.attrs.get("ceil_mode") for node in every_node(graph)):
        values, corrected = engines.infer(export_skeleton(graph)), False
        for each in every_graph(graph):
            for i, node in enumerate(each.nodes):
                exact = _exact(node, (shape_of(values.get(node.inputs[0].name)) or [None] * 3)[2:])
                if exact is not None:
                    each.nodes[i], corrected = exact, True
        if not corrected:
            break  # else once more: a pool behind another sees its right size only now
    return graph


def _exact(node: gs.Node, sizes: Sequence[Any]) -> gs.Node | None:
    """A floor pool that is the same, ``None`` if its windows are counted right, or none is the same."""
    if node.op not in POOLS or not is_standard(node) or not node.attrs.get("ceil_mode"):
        return None
    if node.attrs.get("auto_pad", "NOTSET") != "NOTSET" or not is_static(sizes):
        return None
    rank, attrs = len(sizes), node.attrs
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
    changes = {"ceil_mode": 0, "pads": [*pads[:rank], *ends]}
    return new_node(node, node.inputs, node.outputs, attrs={**attrs, **changes}, changed=frozenset(changes))
