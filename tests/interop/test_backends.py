"""TFLite files and SavedModels: each row of the table of forms, and whole nets, run by LiteRT against onnxruntime."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import ModelProto, TensorProto, helper

from passes.normalize.frames import Frames
from rewriter.backends import tflite
from rewriter.backends.base import Job
from rewriter.backends.converter import converted
from rewriter.backends.forms import TABLE
from rewriter.backends.forms.node import Node
from rewriter.backends.graph import traced
from rewriter.backends.tflite import BACKEND
from rewriter.backends.validate import LOSS
from rewriter.cli import main
from rewriter.errors import CouldNotValidate, UsageError
from tests.interop.in_backend import verdict
from tests.rules.cases import CASES, Case, case
from tests.rules.cases.case import ABOUT, Fed
from tests.rules.test_matrices import PRODUCTS, SIZES
from tests.support.engines import default
from tests.support.frames import IMAGENET, one_conv
from tests.tools.tflite_zoo import operators

MODELS = Path("models")
RESNET = MODELS / "torch_resnet.onnx"
OWN = [
    case("Mod", 13, (2, 6, 5), (2, 6, 5), dtype=np.int32, fmod=1, data="positive"),
    case("Range", 11, *(Fed(np.asarray(n, np.float32)) for n in (1, 7, 2))),
    case("GroupNormalization", 21, (2, 6, 5, 7), np.arange(6.0).astype("f"), np.ones(6, "f"), num_groups=3),
    case("Col2Im", 18, (2, 18, 20), [8, 15], [2, 3], strides=[2, 3]),
    case("Dropout", 13, (2, 3, 5)),
    case("BatchNormalization", 15, (2, 3, 5), *(np.arange(1.0, 4, dtype=np.float32),) * 4, **ABOUT),
]  # fmt: skip
WITHOUT = {
    "Constant",
    "FakeQuantize",
    "If",
    "Loop",
    "Saturate",
}  # in bodies, in int8 (test_own_ranges.py), in these nets only
CONTROL = ("torch_if", "torch_loop", "keras_loop", "keras_lstm", "keras_bilstm")
ROWS = sorted({op for _, op in TABLE} - WITHOUT)


@pytest.mark.parametrize("op", ROWS)
def test_every_row_is_right(op: str) -> None:
    """Each way to write the operator is right, or refused; one at least is right."""
    cases = [row for row in (*CASES, *OWN) if row.op == op]
    assert "passed" in {outcome(row) for row in cases}


def outcome(row: Case) -> str:
    """``passed``, or ``refused``, before or after the original was run."""
    try:
        found = verdict(row.model(), row.feeds())
    except (UsageError, CouldNotValidate):
        return "refused"
    assert found.status == "passed", f"{row.label}: {found.reason}"
    return found.status


@pytest.mark.parametrize("net", sorted(path.stem for path in MODELS.glob("*.onnx")))
def test_committed_nets(net: str, tmp_path: Path) -> None:
    """Right at float32, and no Transpose in any of them, as in their plans."""
    file = tmp_path / f"{net}.tflite"
    assert main([str(MODELS / f"{net}.onnx"), "-o", str(file), "--runs", "2", "-q"]) == 0
    assert operators(file.read_bytes())["TRANSPOSE"] == 0


@pytest.mark.parametrize("net", CONTROL)
def test_control_flow(net: str, tmp_path: Path) -> None:
    assert main([str(MODELS / "kinds" / f"{net}.onnx"), "-o", str(tmp_path / "net.tflite"), "-q"]) == 0


def conv_net(name: str = "images:0/in", op: str = "Relu") -> ModelProto:
    """Conv and another operator, with names that TensorFlow does not take."""
    kernel = np.random.default_rng(0).standard_normal((5, 3, 3, 2)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", [name, "w"], ["c"], "first", pads=[1, 0, 2, 1]),
            helper.make_node(op, ["c"], ["scores:0"], "the last"),
        ],
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, 11, 13])],
        [helper.make_tensor_value_info("scores:0", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(kernel, "w")],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])


def test_saved_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(conv_net(), tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "-o", f"{tmp_path}/saved/"]) == 0
    assert "'images:0/in' is 'images_0_in'" in " ".join(capsys.readouterr().out.split())
    signature = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    assert signature(images_0_in=tf.ones((2, 11, 13, 3)))["scores_0"].shape == (2, 12, 13, 5)
    assert main([str(tmp_path / "net.onnx"), "-o", f"{tmp_path}/saved/"]) == 2, "a folder that is there"


def framed(folder: Path, *more: str) -> Any:
    """Frames into a file of a net whose first Conv pads, or does not; what they must give, and what they do."""
    onnx.save(one_conv(pads=[1, 1, 1, 1]), folder / "net.onnx")
    frames = np.random.default_rng(0).integers(0, 256, (1, 3, 11, 13), np.uint8)
    np.savez(folder / "frames.npz", x=frames)
    common = ["--preprocess", f"x:{IMAGENET}", "--inputs", str(folder / "frames.npz"), "-q", *more]
    assert main([str(folder / "net.onnx"), *common]) == 0
    mean, std = (np.array(v).reshape(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    image = ((frames[:, ::-1] / 255 - mean) / std).astype(np.float32)
    return np.moveaxis(frames, 1, -1), np.moveaxis(default(onnx.load(folder / "net.onnx"), {"x": image})[0], 1, -1)


@pytest.mark.parametrize("mode", [None, "float16", "int8"])
def test_files_that_take_frames(mode: str | None, tmp_path: Path) -> None:
    """In one run, and compared with the original on what numpy makes of the same frames."""
    frames, right = framed(tmp_path, "-o", f"{tmp_path}/net.tflite", *(["--quantize", mode] if mode else []))
    found = BACKEND.load(tmp_path / "net.tflite", "default")({"x": frames})["y"]
    assert np.abs(found - right).max() < (0.05 if mode else 1e-5) * np.abs(right).max()


def test_a_saved_model_that_takes_frames(tmp_path: Path) -> None:
    frames, right = framed(tmp_path, "-o", f"{tmp_path}/saved/")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    assert np.allclose(loaded.signatures["serving_default"](x=frames)["y"], right, atol=1e-4)


def test_frames_that_are_folded_wrong_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Frames, "gain", property(lambda frames: (1.01 * frames.scale,)))
    onnx.save(one_conv(), tmp_path / "net.onnx")
    options = ["--preprocess", "uint8,scale=1/255", "-o", str(tmp_path / "net.tflite"), "-q"]
    assert main([str(tmp_path / "net.onnx"), *options]) == 1
    assert "differs from the original; nothing was written" in capsys.readouterr().err


@pytest.mark.parametrize("mode", BACKEND.quantizes)
def test_quantized(mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is smaller, what it costs is told, and whether ranges were measured on random numbers."""
    plain, small = tmp_path / "plain.tflite", tmp_path / "small.tflite"
    assert main([str(RESNET), "-o", str(plain), "-q"]) == 0
    assert main([str(RESNET), "-o", str(small), "--quantize", mode, "-v"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"As {mode}, output output is off by" in told
    assert "the largest element is the same in" in told
    assert ("random inputs" in told) == (mode == "int8")
    assert small.stat().st_size < 0.7 * plain.stat().st_size


def test_int8_on_real_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = np.random.default_rng(1).standard_normal((8, 3, 48, 56)).astype(np.float32)
    np.savez(tmp_path / "data.npz", input=data)
    arguments = [str(RESNET), "-o", str(tmp_path / "net.tflite"), "--quantize", "int8"]
    assert main([*arguments, "--inputs", str(tmp_path / "data.npz"), "-v"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "random inputs" not in told
    assert "of 8 rows" in told


def test_int8_on_more_rows_than_a_batch(tmp_path: Path) -> None:
    """Of a model of batch 1 every row is a sample; ``--runs`` says how many of them are compared."""
    model, file, report = conv_net("x"), tmp_path / "net.tflite", tmp_path / "report.json"
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, tmp_path / "net.onnx")
    data = np.random.default_rng(1).standard_normal((40, 3, 11, 13)).astype(np.float32)
    data[39] *= 20  # only who measures on the last row leaves room for it
    np.savez(tmp_path / "data.npz", x=data)
    arguments = [str(tmp_path / "net.onnx"), "-o", str(file), "--quantize", "int8", "--rtol", "0.9", "--runs", "5"]
    assert main([*arguments, "--inputs", str(tmp_path / "data.npz"), "--json", str(report), "-q"]) == 0
    assert len(json.loads(report.read_text())["validation"]["providers"][0]["shapes"]) == 5
    run = BACKEND.load(file, "default")
    small, large = (np.abs(run({"x": np.moveaxis(data[row:][:1], 1, -1)})["scores:0"]).max() for row in (0, 39))
    assert large > 10 * small


def test_a_batch_normalisation_is_one_operator(tmp_path: Path) -> None:
    """Of a densenet, where none is behind a convolution that it could be folded into."""
    file = tmp_path / "net.tflite"
    assert main([str(MODELS / "torch_densenet.onnx"), "-o", str(file), "-q"]) == 0
    assert not {"MUL", "ADD"} & set(operators(file.read_bytes()))


@pytest.mark.parametrize("equation", [*PRODUCTS, "ij,jk->k"])
@pytest.mark.parametrize("constant", [None, 0, 1])
def test_an_einsum_is_a_product_that_transposes_inside(equation: str, constant: int | None) -> None:
    """Handed over with its operands in any order; the plan would have put Transposes before it."""
    terms = equation.replace("->", ",").split(",")
    proto = helper.make_node("Einsum", ["a", "b"], ["y"], equation=equation)
    operands = [np.random.default_rng(i).standard_normal([SIZES.get(letter, 4) for letter in term])
                for i, term in enumerate(terms[:2])]  # fmt: skip

    @tf.function
    def made(*given: Any) -> Any:
        inputs = [operands[i] if i == constant else x for i, x in enumerate(given)]
        return TABLE["", "Einsum"](Node(proto, 17, inputs, [None]), *inputs)

    open_sizes = [tf.TensorSpec([None] * operand.ndim, tf.float64) for operand in operands]
    for specs in ([tf.TensorSpec(operand.shape, tf.float64) for operand in operands], open_sizes):
        result = made.get_concrete_function(*specs)(*map(tf.constant, operands))
        np.testing.assert_allclose(result, np.einsum(equation, *operands), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("net", "operator", "number"),
    [("torch_superres", "GATHER", 0), ("kinds/torch_vsr", "GATHER", 0), ("kinds/torch_maskformer", "TRANSPOSE", 3)],
)
def test_the_plan_counts_what_the_file_moves(net: str, operator: str, number: int, tmp_path: Path) -> None:
    file, report = tmp_path / "net.tflite", tmp_path / "report.json"
    assert main([str(MODELS / f"{net}.onnx"), "-o", str(file), "--runs", "2", "-q", "--json", str(report)]) == 0
    written = operators(file.read_bytes())
    assert written[operator] == number
    assert json.loads(report.read_text())["rewrite"]["transposes"][1] == written["TRANSPOSE"]


def test_what_has_no_form_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(conv_net(op="Asin"), tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "-o", str(tmp_path / "net.tflite"), "-q"]) == 2
    assert capsys.readouterr().err.endswith("no form in TensorFlow of Asin (the last)\n")
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("quantize", [None, "float16"])
def test_a_wrong_form_is_caught(
    quantize: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written, quantised or not; off by a thousandth is wrong, whatever quantising is allowed."""
    monkeypatch.setitem(TABLE, ("", "Relu"), lambda _, x: tf.nn.relu(x) * 1.001)
    onnx.save(conv_net(), tmp_path / "net.onnx")
    options = ["--quantize", quantize] if quantize else []
    assert main([str(tmp_path / "net.onnx"), "-o", str(tmp_path / "net.tflite"), "-q", *options]) == 1
    assert "the result differs from the original; nothing was written" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


def test_verdicts_say_which_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLE, ("", "Relu"), lambda _, x: tf.nn.relu(x) * 1.001)
    reason = verdict(conv_net(), {}).reason
    assert ", with XNNPACK, off by" in reason or ", without XNNPACK, off by" in reason


def of_type(model: ModelProto, kind: int) -> ModelProto:
    """The float32 model in another type, weights too."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = kind
    for tensor in model.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(dtype), tensor.name))
    return model


@pytest.mark.parametrize("kind", [TensorProto.DOUBLE, TensorProto.FLOAT16])
def test_types_without_kernels_are_listed(kind: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All nodes at once, before the converter runs; a SavedModel takes them."""
    onnx.save(of_type(conv_net(), kind), tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "-o", str(tmp_path / "net.tflite"), "-q"]) == 2
    told, name = capsys.readouterr().err, helper.tensor_dtype_to_np_dtype(kind).name
    assert f"(first: TFLite has no {name} of it: make the model float32); Relu (the last: " in told
    assert main([str(tmp_path / "net.onnx"), "-o", f"{tmp_path}/saved/", "--no-validate", "-q"]) == 0


def test_what_the_converter_refuses_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tflite, "NO_KERNELS", set())
    onnx.save(of_type(conv_net(), TensorProto.DOUBLE), tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "-o", str(tmp_path / "net.tflite"), "-q"]) == 2
    assert "TFLite has no kernel for tf.Conv2D" in capsys.readouterr().err


def test_a_constant_matrix_on_the_left_turns_nothing() -> None:
    """As it is where tokens are mixed."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 7])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [6, 7])
    constant = onnx.numpy_helper.from_array(np.ones((6, 5), np.float32), "c")
    graph = helper.make_graph([helper.make_node("MatMul", ["c", "x"], ["y"])], "net", [x], [y], [constant])
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])
    module, concrete, _ = traced(model, "net")
    assert operators(converted(module, concrete, "net"))["TRANSPOSE"] == 0
    assert verdict(model, {}).status == "passed"


def test_equal_parts_are_of_the_split_that_xnnpack_has() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 6])
    parts = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "ab"]
    graph = helper.make_graph([helper.make_node("Split", ["x", "sizes"], ["a", "b"], axis=1)], "net", [x], parts)
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([3, 3], np.int64), "sizes"))
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])
    module, concrete, _ = traced(model, "net")
    assert operators(converted(module, concrete, "net"))["SPLIT"] == 1
    assert verdict(model, {}).status == "passed"


def test_gelu_is_one_operator() -> None:
    """In whatever order it is multiplied; without it Erf is a series."""
    for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0)):
        found = verdict(gelu_net(order), {})
        assert found.status == "passed", found.reason


def gelu_net(order: tuple[int, ...]) -> ModelProto:
    """``x``, 0.5 and ``1 + erf(x / sqrt(2))``, multiplied in this order."""
    factors = [["x", "half", "plus"][place] for place in order]
    nodes = [
        helper.make_node("Div", ["x", "root"], ["d"]),
        helper.make_node("Erf", ["d"], ["e"]),
        helper.make_node("Add", ["one", "e"], ["plus"]),
        helper.make_node("Mul", factors[:2], ["m"]),
        helper.make_node("Mul", ["m", factors[2]], ["y"]),
    ]
    numbers = {"root": 2**0.5, "one": 1.0, "half": 0.5}
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3, 5]) for name in "xy")
    constants = [onnx.numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in numbers.items()]
    graph = helper.make_graph(nodes, "gelu", [x], [y], constants)
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.parametrize(("axis", "replaced", "asked"), [(-1, "y", 5 * 4), (1, "y", 5 * 4 * 3), (-1, "x", 5 * 4 * 3)])
def test_rows_that_are_not_a_number_are_asked_once(axis: int, replaced: str, asked: int) -> None:
    """As PyTorch's exporter guards attention: a masked row, and one with a NaN. Only rows of a Softmax are whole."""
    model = guarded(axis, replaced)
    x = np.random.default_rng(0).standard_normal((5, 4, 3)).astype(np.float32)
    if asked == 5 * 4:
        x[1, 2], x[4, 0, 0] = -np.inf, np.nan
    assert verdict(model, {"x": x}).status == "passed"
    module, concrete, _ = traced(model, "net")
    assert compared(converted(module, concrete, "net")) == [asked]


@pytest.mark.parametrize(("replaced", "asked"), [("y", []), ("x", [5 * 4 * 3])])
def test_integers_need_no_guard(replaced: str, asked: list[int], tmp_path: Path) -> None:
    """Int8 has no NaN, and would round the result of the guard once more; the float32 file keeps it."""
    samples = [{"x": np.random.default_rng(0).standard_normal((5, 4, 3)).astype(np.float32)}]
    written = BACKEND.write(Job(guarded(-1, replaced), "net", lambda: samples), tmp_path, "int8")
    assert compared(written.exact.read_bytes())
    assert compared(written.file.read_bytes()) == asked


def guarded(axis: int, replaced: str) -> ModelProto:
    """A Softmax of ``x``, called ``y``; 0.5 where it is NaN, of it or of ``x``."""
    nodes = [
        helper.make_node("Softmax", ["x"], ["y"], axis=axis),
        helper.make_node("IsNaN", ["y"], ["nan"]),
        helper.make_node("Where", ["nan", "half", replaced], ["z"]),
    ]
    x, z = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [5, 4, 3]) for name in "xz")
    half = onnx.numpy_helper.from_array(np.asarray(0.5, np.float32), "half")
    graph = helper.make_graph(nodes, "guarded", [x], [z], [half])
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])


def compared(file: bytes) -> list[int]:
    """How many elements each NOT_EQUAL of a file compares."""
    interpreter = tflite.interpreters().Interpreter(model_content=file)
    shapes = {tensor["index"]: tensor["shape"] for tensor in interpreter.get_tensor_details()}
    nodes = [node for node in interpreter._get_ops_details() if node["op_name"] == "NOT_EQUAL"]
    return [int(np.prod(shapes[node["outputs"][0]])) for node in nodes]


def test_a_file_that_quantising_spoils_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LOSS, "int8", 1e-4)
    assert main([str(RESNET), "-o", str(tmp_path / "net.tflite"), "--quantize", "int8", "-q"]) == 1
    assert "differs from the original; nothing was written" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_the_report_shows_how_the_file_is_run(tmp_path: Path) -> None:
    file, report = tmp_path / "net.tflite", tmp_path / "report.json"
    assert main([str(RESNET), "-o", str(file), "--json", str(report), "-q"]) == 0
    data = json.loads(report.read_text())
    space: dict[str, Any] = {"arrays": {"input": np.ones((1, 3, 48, 56), np.float32)}}
    exec(data["snippet"].replace("'net.tflite'", repr(str(file))), space)
    assert space["results"]["output"].shape == (1, 13)
    (result,) = data["validation"]["providers"]
    assert result["name"] == "litert"
    assert not [note for note in data["rewrite"]["notes"] if "OpenVINO" in note]


def test_the_report_shows_how_a_saved_model_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names that TensorFlow takes, to those of the model."""
    monkeypatch.chdir(tmp_path)
    onnx.save(conv_net(), tmp_path / "net.onnx")
    assert main([*["net.onnx", "-o", "saved/", "--json", "report.json", "--keep-io", "-q"]]) == 0
    x = np.random.default_rng(0).standard_normal((1, 3, 11, 13)).astype(np.float32)
    space: dict[str, Any] = {"arrays": {"images:0/in": x}}
    exec(json.loads(Path("report.json").read_text())["snippet"], space)
    (right,) = default(onnx.load("net.onnx"), space["arrays"])
    assert np.allclose(space["results"]["scores:0"], right, atol=1e-5)
