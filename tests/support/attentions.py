"""Attention of three heads as exporters write it: nodes from ``x`` to ``y``, both [2, 5, 12]."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from tests.support.graphs import Dims, ints, model, node, random

Array = NDArray[Any]
N, T, HEADS, D = 2, 5, 3, 4
Nodes = Sequence[NodeProto]
Core = tuple[Nodes, Mapping[str, Array]]  # from q [N, h, T, d], t [N, h, d, T] and v to o; what it reads besides

CONSTANTS = {
    **{f"w{name}": random(12, 12) * 0.5 for name in ("q", "k", "v", "o")},
    "heads": ints(0, 0, HEADS, D),
    "flat": ints(0, 0, HEADS * D),
    "half": np.asarray(0.5, np.float32),
    "two": np.asarray(2, np.float32),
    "root": np.asarray(0.5**0.5, np.float32),
}


def linears(key_perm: Sequence[int] = (0, 2, 3, 1), key: str = "t") -> list[NodeProto]:
    """Queries, keys and values by a Linear each."""
    nodes = []
    for name, source in (("q", "x"), ("k", "x"), ("v", "x")):
        nodes += [
            node("MatMul", [source, f"w{name}"], [f"{name}0"]),
            node("Reshape", [f"{name}0", "heads"], [f"{name}1"]),
        ]
    perms = (("q", "q", (0, 2, 1, 3)), ("k", key, key_perm), ("v", "v", (0, 2, 1, 3)))
    return nodes + [node("Transpose", [f"{name}1"], [made], perm=list(p)) for name, made, p in perms]


def ending(perm: Sequence[int] = (0, 2, 1, 3)) -> list[NodeProto]:
    """The heads next to each other again, and a Linear."""
    return [
        node("Transpose", ["o"], ["o1"], perm=list(perm)),
        node("Reshape", ["o1", "flat"], ["o2"]),
        node("MatMul", ["o2", "wo"], ["y"]),
    ]


def core(scores: Nodes = (), then: Nodes = (), axis: int = -1, **more: Array) -> Core:
    """``scores`` make ``s`` of the product ``m``, ``then`` make ``w`` of the probabilities ``p``."""
    scores = scores or [node("Mul", ["m", "half"], ["s"])]
    then = then or [node("Identity", ["p"], ["w"])]
    return [
        node("MatMul", ["q", "t"], ["m"]),
        *scores,
        node("Softmax", ["s"], ["p"], axis=axis),
        *then,
        node("MatMul", ["w", "v"], ["o"]),
    ], more


def net(
    of: Core,
    start: Nodes | None = None,
    end: Nodes | None = None,
    inputs: Mapping[str, Dims] | None = None,
    opset: int = 17,
    **options: Any,
) -> ModelProto:
    """A model with this attention."""
    nodes = [*(linears() if start is None else start), *of[0], *(ending() if end is None else end)]
    read = {name for each in nodes for name in each.input}
    held = {name: array for name, array in {**CONSTANTS, **of[1]}.items() if name in read}
    given = {"x": [N, T, HEADS * D], **(inputs or {})}
    return model(nodes, given, {"y": [N, T, HEADS * D]}, held, opset=opset, **options)
