"""How weights reach their layers, and what is told instead of guessed."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto

from rewriter import rewrite
from rewriter.weights import TARGETS, export_weights, read_weights, save_weights
from rewriter.weights.tensors.transform import of_json
from tests.support.graphs import COMMITTED, Array, conv, ints, model, node, random
from tests.support.layers import IMAGE

FEW = ("torch_flatten", "torch_vocoder", "torch_conv3d", "torch_mobilenet_v2", "torch_superres", "keras_flatten")

# How weights reach their layers


def through(nodes: list[NodeProto], stored: Array, **attrs: Any) -> ModelProto:
    """A Conv whose kernel comes from ``stored`` by way of ``nodes``."""
    return model([*nodes, conv(w="k", **attrs)], {"x": IMAGE}, {"c": None}, {"w": stored})


def test_a_kernel_behind_a_transpose() -> None:
    w = random(3, 3, 3, 10)  # HWIO, as tf2onnx leaves it where its optimiser fails
    export = export_weights(through([node("Transpose", ["w"], ["k"], perm=[3, 2, 0, 1])], w), "tensorflow")
    np.testing.assert_array_equal(export.tensors["w"], w)
    assert export.manifest.tensors["w"].old == "HWIO"


def test_a_kernel_behind_two_transposes_an_identity_and_a_cast() -> None:
    w = random(10, 3, 3, 2, dtype=np.float16)
    nodes = [
        node("Transpose", ["w"], ["a"], perm=[3, 0, 2, 1]),
        node("Identity", ["a"], ["b"]),
        node("Transpose", ["b"], ["d"], perm=[1, 3, 2, 0]),
        node("Cast", ["d"], ["k"], to=1),
    ]
    export = export_weights(through(nodes, w), "tflite")
    np.testing.assert_array_equal(export.tensors["w"], w.transpose(0, 2, 3, 1))
    assert export.tensors["w"].dtype == np.float16


def test_a_constant_node() -> None:
    constant = node("Constant", [], ["k"], value=onnx.numpy_helper.from_array(random(10, 3, 3, 2)))
    export = export_weights(model([constant, conv(w="k")], {"x": IMAGE}, {"c": None}), "tensorflow")
    assert export.tensors["k"].shape == (3, 2, 3, 10)


def test_a_vector_in_a_constant_node_is_a_weight_and_a_number_is_none() -> None:
    constants = {"vector": random(7), "number": np.asarray(2, np.float32)}
    nodes = [node("Constant", [], [name], value=onnx.numpy_helper.from_array(a)) for name, a in constants.items()]
    nodes += [conv(), node("Mul", ["c", "vector"], ["m"]), node("Mul", ["m", "number"], ["y"])]
    export = export_weights(model(nodes, {"x": IMAGE}, {"y": None}, {"w": random(10, 3, 3, 3)}), "pytorch")
    assert set(export.tensors) == {"w", "vector"}


def test_a_kernel_of_two_layers_is_written_once() -> None:
    proto = model([conv("x", "c"), conv("c", "y")], {"x": IMAGE}, {"y": None}, {"w": random(3, 3, 3, 3)})
    export = export_weights(proto, "tensorflow")
    assert list(export.tensors) == ["w"]
    assert [layer.parameters for layer in export.manifest.layers.values()] == [{"kernel": "w"}] * 2


def test_a_constant_that_two_layers_need_in_two_layouts_is_written_twice() -> None:
    """A table that is an Embedding and, transposed, a Dense."""
    nodes = [
        node("Gather", ["table", "ids"], ["e"], "embedding"),
        node("Transpose", ["table"], ["t"], perm=[1, 0]),
        node("MatMul", ["e", "t"], ["y"], "head"),
    ]
    ids = onnx.helper.make_tensor_value_info("ids", 7, [3])
    out = onnx.helper.make_tensor_value_info("y", 1, [3, 11])
    export = export_weights(model(nodes, [ids], [out], {"table": random(11, 4)}), "tensorflow")
    np.testing.assert_array_equal(export.tensors["table"], random(11, 4))
    np.testing.assert_array_equal(export.tensors["table@head"], random(11, 4).T)
    assert any("more than one layout" in note for note in export.manifest.notes)


def test_a_kernel_made_of_constants_is_computed_and_told_and_these_are_not_there() -> None:
    nodes = [node("Mul", ["w", "g"], ["k"]), conv(w="k")]
    constants = {"w": random(10, 3, 3, 2), "g": random(10, 1, 1, 1)}
    export = export_weights(model(nodes, {"x": IMAGE}, {"c": None}, constants), "tensorflow")
    np.testing.assert_array_equal(export.tensors["k"], (constants["w"] * constants["g"]).transpose(2, 3, 1, 0))
    assert any("its kernel 'k' is computed in the graph: its value is in" in note for note in export.manifest.notes)
    assert set(export.tensors) == {"k"}


def test_a_kernel_standardised_by_a_normalisation_in_training_is_computed() -> None:
    """As BiT has them; the normalisation gives means and variances besides."""
    ones, zeros = np.ones(10, np.float32), np.zeros(10, np.float32)
    nodes = [
        node("BatchNormalization", ["w", "one", "zero", "zero", "one"], ["s", "m", "v"], training_mode=1),
        node("Reshape", ["s", "shape"], ["k"]),
        conv(w="k"),
    ]
    constants = {"w": random(1, 10, 18), "one": ones, "zero": zeros, "shape": np.array([10, 2, 3, 3])}
    export = export_weights(model(nodes, {"x": [1, 2, 9, 9]}, {"c": None}, constants), "tensorflow")
    w = random(1, 10, 18)
    standard = (w - w.mean(2, keepdims=True)) / np.sqrt(w.var(2, keepdims=True) + 1e-5)
    expected = standard.reshape(10, 2, 3, 3).transpose(2, 3, 1, 0)
    np.testing.assert_allclose(export.tensors["k"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("names", [("weight_v", "weight_g"), ("p", "q")])
def test_for_its_own_framework_the_constants_stay_and_what_they_make_does_not(names: tuple[str, str]) -> None:
    """As ``load_state_dict`` of the module wants them."""
    v, g = names
    nodes = [node("Mul", [v, g], ["k"]), conv(w="k")]
    proto = model(nodes, {"x": IMAGE}, {"c": None}, {v: random(10, 3, 3, 2), g: random(10, 1, 1, 1)})
    proto.producer_name = "pytorch"
    export = export_weights(proto, "pytorch")
    assert set(export.tensors) == set(names)
    assert export.manifest.notes == []
    assert export.manifest.layers["c"].settings["computed_from"] == {"weight": [v, g]}
    assert set(export_weights(proto, "flax").tensors) == {"weight" if v == "weight_v" else "k"}


def test_a_kernel_that_an_input_takes_part_in_is_told() -> None:
    nodes = [node("Mul", ["w", "g"], ["k"]), conv(w="k")]
    proto = model(nodes, {"x": IMAGE, "g": [10, 1, 1, 1]}, {"c": None}, {"w": random(10, 3, 3, 2)})
    export = export_weights(proto, "tensorflow")
    assert any("is computed in the graph, so it is not in the file" in note for note in export.manifest.notes)
    np.testing.assert_array_equal(export.tensors["w"], random(10, 3, 3, 2))


@pytest.mark.parametrize("target", TARGETS)
def test_space_that_the_model_swaps_is_told_and_swapped_by_the_target(target: str) -> None:
    """Kernels, and the rows behind a Flatten, are for the axes as the model has them."""
    nodes = [
        conv("x", "a", "w1", pads=[1, 0, 0, 0]),
        node("Transpose", ["a"], ["b"], perm=[0, 1, 3, 2]),
        conv("b", "c", "w2", pads=[0, 0, 0, 0]),
        node("Flatten", ["c"], ["f"]),
        node("MatMul", ["f", "fc"], ["y"]),
    ]
    shape = np.asarray([4, 6, 2])  # channels, what was W, what was H
    constants = {"w1": random(5, 3, 2, 2), "w2": random(4, 5, 1, 3), "fc": random(4 * 6 * 2, 7)}
    proto = model(nodes, {"x": [2, 3, 4, 7]}, {"y": None}, constants)
    export = export_weights(proto, target)
    for name in ("w1", "w2"):
        np.testing.assert_array_equal(export.manifest.tensors[name].change.undo(export.tensors[name]), constants[name])
        assert not export.manifest.tensors[name].change.layout.is_divided
    rows = constants["fc"].reshape(*shape, 7)
    rows = (rows if target == "pytorch" else rows.transpose(1, 2, 0, 3)).reshape(-1, 7)
    np.testing.assert_array_equal(export.tensors["fc"], rows.T if target in ("pytorch", "tflite") else rows)
    assert sum("the model swaps spatial axes around it" in note for note in export.manifest.notes) > 0


def test_external_data(tmp_path: Path) -> None:
    proto = model([conv("x", "y")], {"x": IMAGE}, {"y": None}, {"w": random(10, 3, 3, 2)})
    onnx.save_model(proto, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    assert export_weights(tmp_path / "m.onnx", "tensorflow").tensors["w"].shape == (3, 2, 3, 10)


# Orders


def flattened(between: list[str]) -> ModelProto:
    """Conv, Flatten, Gemm, and ``between`` before and behind the Flatten."""
    nodes, last = [conv("x", "c")], "c"
    for i, op in enumerate([*between, "Flatten", *between]):
        nodes.append(node(op, [last], [f"v{i}"]))
        last = f"v{i}"
    return model([*nodes, node("Gemm", [last, "fc"], ["y"], transB=1)], {"x": IMAGE}, {"y": None},
                 {"w": random(3, 3, 3, 3), "fc": random(4, 3 * 5 * 7)})  # fmt: skip


@pytest.mark.parametrize("between", [[], ["Relu"], ["Identity", "Dropout", "Sigmoid"]])
def test_a_dense_behind_a_flatten(between: list[str]) -> None:
    fc = random(4, 3 * 5 * 7)
    export = export_weights(flattened(between), "tensorflow")
    expected = fc.reshape(4, 3, 5, 7).transpose(2, 3, 1, 0).reshape(-1, 4)
    np.testing.assert_array_equal(export.tensors["fc"], expected)
    np.testing.assert_array_equal(export_weights(flattened(between), "pytorch").tensors["fc"], fc)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("turned", ["input", "result", "both"])
def test_a_dense_between_transposes(turned: str, target: str) -> None:
    """A plan may make a Gemm of its MatMul, which reads or writes them transposed: its kernel is what it was."""
    swap = {"perm": [1, 0]}
    before = [node("Transpose", ["x"], ["a"], **swap)] if turned != "result" else [node("Neg", ["x"], ["a"])]
    behind = [node("Transpose", ["p"], ["y"], **swap)] if turned != "input" else [node("Neg", ["p"], ["y"])]
    shapes = ([7, 3] if turned == "result" else [3, 7], [7, 4] if turned == "input" else [4, 7])
    fc = random(3, 4)
    nodes = [*before, node("MatMul", ["a", "fc"], ["p"]), *behind]
    export = export_weights(model(nodes, {"x": shapes[0]}, {"y": shapes[1]}, {"fc": fc}), target)
    np.testing.assert_array_equal(export.tensors["fc"], fc.T if target in ("pytorch", "tflite") else fc)


@pytest.mark.parametrize("target", TARGETS)
def test_a_channel_shuffle_stays_the_targets(target: str) -> None:
    """ShuffleNet: a plan may fold the shuffle into the kernels around; the weights of a target that shuffles do not."""
    nodes = [
        conv("x", "a", "w1"),
        node("Reshape", ["a", "parts"], ["b"]),
        node("Transpose", ["b"], ["c"], perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["c", "whole"], ["d"]),
        conv("d", "e", "w2"),
        node("GlobalAveragePool", ["e"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "fc"], ["y"], transB=1),
    ]
    constants = {"w1": random(6, 3, 3, 3), "w2": random(6, 6, 3, 3), "fc": random(4, 6)}
    shapes = {"parts": ints(2, 2, 3, 5, 7), "whole": ints(2, 6, 5, 7)}
    export = export_weights(model(nodes, {"x": IMAGE}, {"y": [2, 4]}, {**constants, **shapes}), target)
    for name, array in constants.items():
        assert export.manifest.tensors[name].change.layout.lengths() == {}
        np.testing.assert_array_equal(export.manifest.tensors[name].change.undo(export.tensors[name]), array)


def test_a_plan_that_transposes_is_told() -> None:
    """Reading channels as positions: no weight can hide that."""
    nodes = [
        conv("x", "c"),
        node("Reshape", ["c", "shape"], ["r"]),
        node("MatMul", ["r", "m"], ["y"], "mix"),
    ]
    constants = {"w": random(3, 3, 3, 3), "shape": ints(2, 15, 7), "m": random(7, 4)}
    export = export_weights(model(nodes, {"x": IMAGE}, {"y": None}, constants), "tensorflow")
    assert any("is transposed" in note for note in export.manifest.notes)
    np.testing.assert_array_equal(export.tensors["m"], constants["m"])


def test_an_input_of_unknown_rank_is_told() -> None:
    """Neither by its own shape nor by a kernel is the rank of what the Conv reads known."""
    nodes = [node("Reshape", ["x", "shape"], ["r"]), node("Reshape", ["w", "shape"], ["k"]), conv("r", "y", "k")]
    inputs = [onnx.helper.make_tensor_value_info(n, t, s) for n, t, s in (("x", 1, [None]), ("shape", 7, [None]))]
    proto = model(nodes, inputs, {"y": None}, {"w": random(3, 3, 3, 3)})
    notes = export_weights(proto, "tensorflow").manifest.notes
    assert any("stays channels first" in note for note in notes)


# Files converted by this tool, and all that are committed


@pytest.mark.parametrize("weight_layout", ["ohwi", "hwio"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", FEW)
def test_a_channels_last_file_gives_the_same(name: str, target: str, weight_layout: str) -> None:
    last = rewrite(COMMITTED[name], "nhwc", weight_layout=weight_layout).model
    ours, theirs = export_weights(last, target), export_weights(COMMITTED[name], target)
    assert ours.tensors.keys() == theirs.tensors.keys()
    for key, array in theirs.tensors.items():
        np.testing.assert_array_equal(ours.tensors[key], array)
    assert {k: v.settings for k, v in ours.manifest.layers.items()} == {
        k: v.settings for k, v in theirs.manifest.layers.items()
    }


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", COMMITTED)
def test_committed_models_come_back_bit_for_bit(name: str, target: str, tmp_path: Path) -> None:
    """By the manifest in the file, for every tensor that is an initializer."""
    save_weights(export_weights(COMMITTED[name], target), tmp_path / "w.safetensors")
    tensors, manifest = read_weights(tmp_path / "w.safetensors")
    held = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(COMMITTED[name]).graph.initializer}
    floats = {n for n, array in held.items() if array.dtype == np.float32 and array.ndim > 1}
    assert floats <= {entry["source"] for entry in manifest["tensors"].values()}
    for key, entry in manifest["tensors"].items():
        if entry["source"] in held:
            source = of_json(entry).undo(tensors[key])
            assert source.tobytes() == held[entry["source"]].tobytes()
            assert source.shape == held[entry["source"]].shape


@pytest.mark.parametrize("name", [name for name in COMMITTED if name.startswith("torch")])
def test_a_pytorch_model_for_pytorch_is_as_it_was(name: str) -> None:
    """But for slopes, which ONNX stores with axes of size one."""
    manifest = export_weights(COMMITTED[name], "pytorch").manifest
    changed = {t.operator for t in manifest.tensors.values() if not t.change.is_identity}
    assert changed <= {"PRelu"}
