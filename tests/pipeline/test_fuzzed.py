"""What ``make fuzz-files`` has found: broken models and command lines, each refused in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, SparseTensorProto, TensorProto, helper, numpy_helper

from passes.layout.edit import Lookup
from rewriter import rewrite
from rewriter.cli import main
from rewriter.faults.declared import declared_fault
from rewriter.faults.find import refuse_broken
from rewriter.files.light import LightModel
from rewriter.interface import LAYOUTS_KEY
from rewriter.shapes.check import masked_fault, onnx_fault
from rewriter.validation.inputs import InputRequest
from tests.support.broken_nodes import net
from tests.support.command import USAGE, convert, error, folder
from tests.support.graphs import INT64, conv, ints, model, node, proven, random, value

BOOL = TensorProto.BOOL
Spoil = Callable[[ModelProto], None]


def segment(m: ModelProto) -> None:
    m.graph.initializer[0].segment.begin = 1


def sparse_without_axes(m: ModelProto) -> None:
    values, indices = numpy_helper.from_array(random(1), "sp"), numpy_helper.from_array(ints(0), "i")
    m.graph.sparse_initializer.append(SparseTensorProto(values=values, indices=indices))
    m.graph.node.append(node("Neg", ["sp"], ["n"]))
    m.graph.output.append(value("n", None))


def function_of_ours(op: str, name: str) -> Spoil:
    """A function in the domain of the function dialect that is another operator."""

    def spoil(m: ModelProto) -> None:
        body = [node(op, ["X"], ["Y"])]
        m.functions.append(helper.make_function("rewriter.nhwc", name, ["X"], ["Y"], body, m.opset_import))
        m.opset_import.append(helper.make_opsetid("rewriter.nhwc", 1))

    return spoil


def output_of_another_shape(m: ModelProto) -> None:
    m.graph.output.append(value("x", [1, 16, 8, 9]))


def weight_of_another_rank(m: ModelProto) -> None:
    m.graph.input.append(value("w", [64, 16, 9]))


def function_without_a_name(m: ModelProto) -> None:
    m.functions.append(helper.make_function("acme", "", ["X"], ["Y"], [node("Relu", ["X"], ["Y"])], m.opset_import))
    m.opset_import.append(helper.make_opsetid("acme", 1))


def imports(*versions: int) -> Spoil:
    """Of the standard operators."""

    def spoil(m: ModelProto) -> None:
        del m.opset_import[:]
        m.opset_import.extend(
            helper.make_opsetid(domain, n) for domain, n in zip(("", "ai.onnx"), versions, strict=False)
        )

    return spoil


FAULTS = [
    (imports(-1, 17), "the model imports version -1 of the operators of ai.onnx"),
    (imports(17, 16), "the model imports two versions of the operators of ai.onnx: 17 and 16"),
    (function_without_a_name, "a function has no name"),
    (segment, "tensor 'w' is a segment of a tensor"),
    (sparse_without_axes, "sparse tensor 'sp' has no axes"),
    (function_of_ours("Relu", "GlobalAveragePool"), "function 'GlobalAveragePool' of the domain rewriter.nhwc is not"),
    (function_of_ours("Relu", "Nonsense"), "function 'Nonsense' of the domain rewriter.nhwc is not"),
    (output_of_another_shape, "value 'x' is declared with two shapes: [1, 16, 8, 8] and [1, 16, 8, 9]"),
    (weight_of_another_rank, "value 'w' is declared with two shapes: [64, 16, 3, 3] and [64, 16, 9]"),
]


@pytest.mark.parametrize(("spoil", "message"), FAULTS)
def test_broken(tmp_path: Path, spoil: Spoil, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    made, path = net(), tmp_path / "net.onnx"
    spoil(made)
    onnx.save(made, path)
    assert convert(path) == USAGE
    assert message in error(capsys)
    assert folder(path) == {"net.onnx"}


def test_our_own_functions_are_known() -> None:
    """Of every opset that a model may have, in a file that this tool wrote."""
    for opset in (9, 13, 18, 22):
        made = model([node("GlobalAveragePool", ["x"], ["y"])], {"x": [1, 3, 5, 7]}, {"y": None}, opset=opset)
        result = rewrite(made, "nhwc").model
        assert result.functions
        refuse_broken(result)


def test_open_sizes_are_no_other_shapes() -> None:
    made = net()
    made.graph.output.append(value("x", ["N", 16, -1, 8]))
    made.graph.output.append(value("y", None))
    refuse_broken(made)


def test_what_is_said_again_of_an_input_does_not_count() -> None:
    """A shape of another rank, in ``value_info``."""
    made = net()
    made.graph.value_info.append(value("x", [1, 16, 8, 8, 8]))
    result = rewrite(made, "nhwc")
    assert result.inputs[0].new_shape == [1, 8, 8, 16]


def test_an_output_declared_with_another_rank_than_its_operator_gives(tmp_path: Path) -> None:
    """The axes are an input, so that onnx infers no rank; the file says that there is none."""
    ins = [value("x", [2, 3, 5, 7]), value("axes", [1], INT64)]
    made = model(
        [node("Mul", ["x", "x"], ["m"]), node("ReduceSum", ["m", "axes"], ["y"])], ins, [value("y", [])], opset=18
    )
    onnx.save(made, tmp_path / "net.onnx")
    for to in ("nhwc", "nchw"):
        assert convert(tmp_path / "net.onnx", to=to) in (0, USAGE)


@pytest.mark.parametrize("op", ["ScatterND", "GatherND"])
def test_indices_of_more_axes_than_there_are(op: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As many as a billion, which would take all memory to count."""
    more = [value("u", [1])] if op == "ScatterND" else []
    ins = [value("x", [1, 3, 5, 7]), value("i", [0, 2**40], INT64), *more]
    made = model([node(op, [one.name for one in ins], ["y"])], ins, [value("y", None)])
    onnx.save(made, tmp_path / "net.onnx")
    assert convert(tmp_path / "net.onnx", "--no-validate", "--memory", "2") in (0, USAGE)


def test_a_perm_of_no_axes(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(path, "--layout", "x=->") == USAGE
    assert "both sides must name the same axes" in error(capsys)


@pytest.mark.parametrize("name", [".", "", "..", "/"])
def test_a_folder_as_the_model(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It stands for the models in it, of which there are none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert main([name, "--to", "nhwc"]) == USAGE
    assert "is a folder without models" in error(capsys)
    assert not [*tmp_path.iterdir()]


def test_what_is_not_known_of_external_data_is_not_told(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(net(), path, save_as_external_data=True, location="net.data", size_threshold=0)
    made = onnx.load(path, load_external_data=False)
    made.graph.initializer[0].external_data.add(key="colour", value="red")
    path.write_bytes(made.SerializeToString())
    assert rewrite(path).report.changed
    assert not recwarn.list


FOUR = [1, 3, 4, 5]


def reshaped(declared: list[int], *after: NodeProto, result: str) -> ModelProto:
    """A Reshape to FOUR, which nobody can infer, and nodes behind it; ``r`` is declared with another shape."""
    nodes = [node("Where", ["flag", "sizes", "sizes"], ["to"]), node("Reshape", ["x", "to"], ["r"]), *after]
    ends = [value("x", FOUR), value("flag", [1], BOOL)], [value(result, None)]
    made = model(nodes, *ends, {"sizes": ints(*FOUR)})
    made.graph.value_info.append(value("r", declared))
    return made


def false_static_size() -> ModelProto:
    """By its declared sizes the Transpose moves nothing, and could be a Reshape."""
    return reshaped([1, 3, 1, 20], node("Transpose", ["r"], ["y"], perm=[0, 2, 1, 3]), result="y")


def false_rank() -> ModelProto:
    """Of what is flattened as exporters write it, which onnx does not follow."""
    nodes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"]),
             node("Concat", ["n", "rest"], ["to"], axis=0), node("Reshape", ["x", "to"], ["r"]),
             node("Gemm", ["r", "m"], ["y"])]  # fmt: skip
    constants = {"zero": ints(0), "rest": ints(-1), "m": random(6, 5)}
    return model(nodes, {"x": ["N", 2, 3]}, {"y": ["N", 5, 7]}, constants, opset=11)


def false_symbol() -> ModelProto:
    """One name for the sizes of two axes, of which one is twice the other."""
    nodes, scales = [node("Resize", ["x", "", "k"], ["r"]), node("Relu", ["r"], ["y"])], np.asarray([1, 1, 2, 2], "f")
    made = model(nodes, {"x": [1, 3, "H", 4]}, {"y": None}, {"k": scales})
    made.graph.value_info.append(value("r", [1, 3, "H", 8]))
    return made


FALSE = [
    (false_static_size, "value 'r' is declared with shape [1, 3, 1, 20], and has shape [1, 3, 4, 5] when it runs"),
    (false_rank, "value 'y' is declared with shape ['N', 5, 7], and has shape [1, 5] when it runs"),
]


@pytest.mark.parametrize(("make", "message"), FALSE)
def test_declared_shapes_that_a_run_refutes(
    make: Callable[[], ModelProto], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(make(), path)
    assert convert(path, "--dialect", "onnx", "--json", str(tmp_path / "r.json")) == USAGE
    assert f"the model is not valid: {message}" in error(capsys)
    assert folder(path) == {"net.onnx"}


def test_a_symbol_of_two_sizes() -> None:
    fault = declared_fault(LightModel(false_symbol()), InputRequest(1, 0, {"x": [1, 3, 6, 4]}, {}))
    assert (
        fault
        == "value 'r' is declared with shape [1, 3, 'H', 8] where H is 6, and has shape [1, 3, 12, 8] when it runs"
    )


def test_a_node_that_becomes_a_function_has_no_overload() -> None:
    """Of an operator that has none."""
    made = net()
    made.graph.node[0].overload = "a"
    proven(made, "nhwc", "function")


def test_onnx_finds_a_fault_among_readers_without_types() -> None:
    """It says of those that read a value which is at fault that they have no types, which is no fault of theirs."""
    made = model([node("Relu", ["x"], ["r"]), node("Add", ["r", "x"], ["a"]), node("Neg", ["a"], ["y"])], {"x": FOUR},
                 {"y": None})  # fmt: skip
    made.graph.value_info.append(value("r", [1, 3, 4, 7]))
    assert onnx_fault(made) is None
    fault = masked_fault(made)
    assert fault is not None
    assert fault.startswith("(op_type:Relu)")
    assert "(op_type:Add)" not in fault


def test_negative_sizes_are_open(tmp_path: Path) -> None:
    """Where inference finds the size only behind what is rewritten."""
    made = model([node("Where", ["flag", "sizes", "sizes"], ["to"]), node("Reshape", ["x", "to"], ["r"]),
                  node("Transpose", ["r"], ["y"], perm=[0, 2, 3, 1])],
                 [value("x", FOUR), value("flag", [1], BOOL)], [value("y", [1, 4, -(2**31), -1])],
                 {"sizes": ints(*FOUR)})  # fmt: skip
    onnx.save(made, tmp_path / "net.onnx")
    assert convert(tmp_path / "net.onnx", to="nchw") == 0
    assert rewrite(made, "nchw").outputs[0].old_shape == [1, 4, None, None]


@pytest.mark.parametrize("entry", [{"from": 7}, {"from": "NCHW", "to": 7}, {"from": ["N", "C", "H", "W"]}])
def test_a_record_of_no_letters(entry: dict[str, Any], path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = onnx.load(path)
    helper.set_model_props(made, {LAYOUTS_KEY: json.dumps({"x": {**entry, "perm": [0, 1, 2, 3]}})})
    onnx.save(made, path)
    assert convert(path) == USAGE
    assert "does not fit its inputs and outputs: remove it" in error(capsys)


@pytest.mark.parametrize(
    ("spoilt", "by"), [("mean", np.complex64(1)), ("s", np.float32(1e38)), ("mean", np.float32(3e38))]
)
def test_vectors_of_a_normalisation_that_are_no_factors(spoilt: str, by: Any, recwarn: pytest.WarningsRecorder) -> None:
    """Complex numbers, which no runtime takes, and such as overflow."""
    vectors = {name: np.ones(3, np.float32) for name in ("s", "b", "mean")}
    vectors[spoilt] = vectors[spoilt] * by
    nodes = [node("BatchNormalization", ["x", "s", "b", "mean", "var"], ["y"])]
    made = model(nodes, {"x": FOUR}, {"y": FOUR}, {**vectors, "var": np.full(3, 1e-4, np.float32)})
    assert rewrite(made, "nhwc", dialect="onnx").report.ops["BatchNormalization"] == (1, 1)
    assert not recwarn.list


def test_a_value_of_no_elements_has_a_price() -> None:
    ends = {"x": [1, 3, 0, 5], "z": [1, 3, 1, 1]}, {"y": None}
    made = model([node("Mul", ["x", "z"], ["m"]), node("Softmax", ["m"], ["y"], axis=1)], *ends)
    assert rewrite(made, "nhwc", runtime="onnxruntime").report.cost == 0


@pytest.mark.parametrize(("to", "dialect"), [("nhwc", "function"), ("nchw", "onnx")])
def test_an_axis_alone_is_as_good_as_a_vector_of_one(to: str, dialect: str) -> None:
    """To onnxruntime, of Unsqueeze; a rule may look it up."""
    ends = [node("Unsqueeze", ["x", "axis"], ["u"]), conv("u", "c"), node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1])]
    net = model(ends, {"x": [2, 5, 7]}, {"y": None}, {"axis": np.asarray(1), "w": random(3, 1, 3, 3)})
    proven(net, to, dialect)
    assert isinstance(Lookup((0, 2, 1)).apply(np.asarray(1)), np.ndarray)
