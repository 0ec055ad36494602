"""What is told of recurrent layers; what they compute is run in tests/interop/test_recurrent.py."""

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

from rewriter.weights import Export, export_weights
from rewriter.weights.layers.loops import with_grus
from tests.support.engines import default
from tests.support.graphs import BOOL, INT64, model, node, random, value

GATES = {"LSTM": 4, "GRU": 3}


def export(op: str, target: str, **attrs: Any) -> Export:
    """A layer of 5 units and 6 features."""
    weights = {"w": random(1, GATES[op] * 5, 6), "r": random(1, GATES[op] * 5, 5), "b": random(1, GATES[op] * 10)}
    nodes = [node(op, ["x", "w", "r", "b"], ["y"], "layer", hidden_size=5, **attrs)]
    return export_weights(model(nodes, {"x": [7, 2, 6]}, {"y": None}, weights), target)


@pytest.mark.parametrize("op", GATES)
def test_gates_of_keras(op: str) -> None:
    found = export(op, "tensorflow").tensors["layer.kernel"]
    gates = np.split(random(1, GATES[op] * 5, 6)[0], GATES[op])
    ordered = [gates[i] for i in ((0, 2, 3, 1) if op == "LSTM" else (0, 1, 2))]
    np.testing.assert_array_equal(found, np.concatenate(ordered).T)


@pytest.mark.parametrize(("after", "shape"), [(0, (15,)), (1, (2, 15))])
def test_two_biases_only_where_the_reset_is_behind(after: int, shape: tuple[int, ...]) -> None:
    made = export("GRU", "tensorflow", linear_before_reset=after)
    assert made.tensors["layer.bias"].shape == shape
    assert made.manifest.layers["layer"].settings["reset_after"] is bool(after)


def test_tflite_keeps_the_operators_own() -> None:
    made = export("LSTM", "tflite")
    assert set(made.tensors) == {"w", "r", "b"}
    assert made.manifest.notes == ["layer: its gates stay in the order of ONNX's operator LSTM"]


@pytest.mark.parametrize(
    ("op", "target", "attrs", "told"),
    [
        ("GRU", "pytorch", {}, "linear_before_reset = 0: no layer of pytorch"),
        ("GRU", "flax", {}, "linear_before_reset = 0: no layer of flax"),
        ("LSTM", "flax", {"clip": 3.0}, "clip: no layer of flax"),
        ("LSTM", "tensorflow", {"activations": ["Sigmoid", "Relu", "Tanh"]}, "activations: no layer"),
        ("LSTM", "pytorch", {"direction": "reverse"}, "runs backwards only"),
        ("LSTM", "pytorch", {"input_forget": 1}, "input_forget: no layer"),
    ],
)
def test_what_layers_do_otherwise_is_told(op: str, target: str, attrs: dict[str, Any], told: str) -> None:
    assert [told in note for note in export(op, target, **attrs).manifest.notes] == [True]


def loop(after: bool, bias: bool, last: str = "Tanh", output: int = 1) -> ModelProto:
    """A GRU of 5 units, written as tf2onnx writes it, over 7 steps of 6 features."""
    split = [node("Split", ["xw"], ["xz", "xr", "xh"], axis=1)]
    if after:
        product = [node("Gemm", ["h", "r", *(["rb"] if bias else [])], ["hr"])]
        product += [node("Split", ["hr"], ["hz", "hrr", "hh"], axis=1), node("Mul", ["reset", "hh"], ["m"])]
    else:
        product = [node("Split", ["r"], ["rz", "rr", "rh"], axis=1), node("MatMul", ["h", "rz"], ["hz"])]
        product += [node("MatMul", ["h", "rr"], ["hrr"]), node("Mul", ["reset", "h"], ["rst"])]
        product += [node("MatMul", ["rst", "rh"], ["m"])]
    gates = [
        node("Add", ["xz", "hz"], ["z0"]),
        node("Sigmoid", ["z0"], ["z"]),
        node("Add", ["xr", "hrr"], ["r0"]),
        node("Sigmoid", ["r0"], ["reset"]),
        node("Add", ["xh", "m"], ["n0"]),
        node(last, ["n0"], ["n"]),
        node("Sub", ["one", "z"], ["rest"]),
        node("Mul", ["z", "h"], ["kept"]),
        node("Mul", ["rest", "n"], ["new"]),
        node("Add", ["kept", "new"], ["next"]),
        node("Identity", ["next"], ["step"]),
        node("Identity", ["go"], ["on"]),
    ]
    head = [node("Gather", ["x", "i"], ["xt"], axis=0)]
    if bias and after:
        head += [node("Split", ["b"], ["b0", "b1"], axis=0), node("Squeeze", ["b0", "zero"], ["xb"])]
        head += [node("Squeeze", ["b1", "zero"], ["rb"])]
    given = ["xb" if after else "b"] if bias else []
    order = [*head, node("Gemm", ["xt", "w", *given], ["xw"]), *split]
    first = 2 if after else 3  # what the reset is made of
    order += [*product[:first], *gates[2:4], *product[first:], *gates[:2], *gates[4:]]
    held = {"w": [6, 15], "r": [5, 15]} | ({"b": [2, 15] if after else [15]} if bias else {})
    state = value("h", [2, 5])
    inputs = [value("i", [], INT64), value("go", [], BOOL), state, *(value(name, dims) for name, dims in held.items())]
    ends = [value("on", [], BOOL), value("next", None), *inputs[3:], value("step", None)]
    numbers = [
        numpy_helper.from_array(np.asarray(1, np.float32), "one"),
        numpy_helper.from_array(np.asarray([0]), "zero"),
    ]
    body = helper.make_graph(order, "body", inputs, ends, numbers)
    results = ["h_last", *(f"{name}_out" for name in held), "sequence"]
    outer = ["steps", "true", "start", *(f"net/gru/{name}" for name in held)]
    loops = [node("Loop", outer, results, "net_1/gru_1/loop", body=body)]
    constants: dict[str, Any] = {
        "steps": np.asarray(7),
        "true": np.asarray(True),
        "start": np.zeros((2, 5), np.float32),
    }
    constants |= {f"net/gru/{name}": random(*dims) for name, dims in held.items()}
    return model(loops, {"x": [7, 2, 6]}, {["h_last", "sequence"][output]: None}, constants)


@pytest.mark.parametrize("output", [0, 1])
@pytest.mark.parametrize(("after", "bias"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_loop_that_is_a_gru(after: bool, bias: bool, output: int) -> None:
    proto = loop(after, bias, output=output)
    made, notes = with_grus(proto)
    assert notes == []
    assert "GRU" in {n.op_type for n in made.graph.node}
    x = {"x": random(7, 2, 6)}
    np.testing.assert_allclose(default(made, x)[0], default(proto, x)[0], atol=1e-5)
    export = export_weights(proto, "tensorflow")
    assert export.manifest.layers["net_1/gru_1/loop"].kind == "gru"
    np.testing.assert_array_equal(export.tensors["gru.kernel"], random(6, 15))
    np.testing.assert_array_equal(export.tensors["gru.recurrent_kernel"], random(5, 15))
    if bias:
        np.testing.assert_array_equal(export.tensors["gru.bias"], random(2, 15) if after else random(15))
    assert set(export.tensors) == {f"gru.{name}" for name in ("kernel", "recurrent_kernel", "bias")[: 2 + bias]}


def test_another_loop_is_told() -> None:
    """The same shapes, but another activation."""
    proto = loop(True, True, last="Sigmoid")
    made, notes = with_grus(proto)
    assert [n.op_type for n in made.graph.node] == ["Loop"]
    assert len(notes) == 1
    assert "no layer is known for this Loop; it computes with 'start', 'net/gru/w'" in notes[0]
    assert notes[0] in export_weights(proto, "flax").manifest.notes
