"""Attention over a flattened map: orders in which a plan has heads are in no framework's weights."""

import numpy as np
import pytest
from onnx import ModelProto

from rewriter.errors import UsageError
from rewriter.weights import export_weights
from rewriter.weights.planned.storage import Storage, orders_in
from tests.support.graphs import conv, ints, model, node, random

HEADS, D, CHANNELS = 3, 8, 24
MATRICES = ("Wq", "Wk", "Wv")


def attention(flattened: int = 0) -> ModelProto:
    """As CvT has it: queries, keys and values by a depthwise convolution and a Linear with a bias each.

    ``flattened``: the channels of a map with as many places as a head has features, which a Dense reads besides.
    """
    nodes = [conv("x", "c", "w")]
    for name, stride in (("q", 1), ("k", 2), ("v", 2)):
        nodes += [
            node("Conv", ["c", f"d{name}"], [f"{name}0"], group=CHANNELS, pads=[1, 1, 1, 1], strides=[stride, stride]),
            node("Reshape", [f"{name}0", "rows"], [f"{name}1"]),
            node("Transpose", [f"{name}1"], [f"{name}2"], perm=[0, 2, 1]),
            node("MatMul", [f"{name}2", f"W{name}"], [f"{name}3"], name),
            node("Add", [f"B{name}", f"{name}3"], [f"{name}4"]),
            node("Reshape", [f"{name}4", "heads"], [f"{name}5"]),
            node("Transpose", [f"{name}5"], [f"{name}6"], perm=[0, 2, 1, 3]),
        ]
    nodes += [
        node("Einsum", ["q6", "k6"], ["s"], equation="bhlk,bhtk->bhlt"),
        node("Softmax", ["s"], ["p"], axis=-1),
        node("Einsum", ["p", "v6"], ["o"], equation="bhlt,bhtv->bhlv"),
        node("Transpose", ["o"], ["o1"], perm=[0, 2, 1, 3]),
        node("Reshape", ["o1", "flat"], ["y"]),
    ]
    shapes = {"d": (CHANNELS, 1, 3, 3), "W": (CHANNELS, CHANNELS), "B": (CHANNELS,)}
    constants = {f"{kind}{name}": random(*shape) for name in "qkv" for kind, shape in shapes.items()}
    constants |= {"w": random(CHANNELS, 3, 3, 3), "rows": ints(1, CHANNELS, -1), "heads": ints(1, -1, HEADS, D)}
    constants |= {"flat": ints(1, -1, CHANNELS)}
    outputs = {"y": None}
    if flattened:
        nodes += [conv("z", "e", "u"), node("Flatten", ["e"], ["f"]), node("Gemm", ["f", "m"], ["y2"], "fc")]
        constants |= {"u": random(flattened, 3, 3, 3), "m": random(flattened * D, 5)}
        outputs |= {"y2": None}
    inputs = {"x": [1, 3, 16, 16], **({"z": [1, 3, 2, 4]} if flattened else {})}
    return model(nodes, inputs, outputs, constants)


@pytest.mark.parametrize("target", ["pytorch", "tensorflow"])
def test_heads_stay_where_they_are(target: str) -> None:
    proto = attention()
    export = export_weights(proto, target)
    held = {t.name: t for t in proto.graph.initializer}
    for name in MATRICES:
        given = np.frombuffer(held[name].raw_data, np.float32).reshape(CHANNELS, CHANNELS)
        np.testing.assert_array_equal(export.tensors[name], given.T if target == "pytorch" else given)


def test_a_flattened_map_is_told_from_heads_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert export_weights(attention(flattened=5), "tensorflow").manifest.tensors["m"].change.layout.is_divided
    order = next(orders_in(export_weights(attention(flattened=5), "tensorflow").manifest.tensors["m"].change.layout))
    monkeypatch.setattr(Storage, "_head_orders", lambda *_: iter([order]))  # as a plan may have them
    with pytest.raises(UsageError, match="--keep-flatten-order"):
        export_weights(attention(flattened=5), "tensorflow")
    kept = export_weights(attention(flattened=5), "tensorflow", keep_flatten_order=True)
    assert not kept.manifest.tensors["m"].change.layout.is_divided
