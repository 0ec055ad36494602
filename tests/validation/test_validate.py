import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from rewriter import CouldNotValidate, ValidationReport, validate
from rewriter.validation import providers
from rewriter.validation import session as runtime
from rewriter.validation.compare import difference
from rewriter.validation.reference import nudged
from rewriter.validation.verdict import NOISE_FACTOR

NHWC = (0, 2, 3, 1)
NCHW = (0, 3, 1, 2)
SWAPPED = (0, 3, 2, 1)  # NHWC with H and W swapped
BOTH = {"x": NHWC, "y": NHWC}
FLOAT = TensorProto.FLOAT

node = helper.make_node


def model(
    nodes: list[NodeProto],
    x: list[Any],
    constants: dict[str, np.ndarray] | None = None,
    *,
    dtype: int = FLOAT,
    out: int | None = None,
    more: dict[str, list[Any]] | None = None,
) -> ModelProto:
    """A model from the inputs x and ``more`` to y, of which the shape is left to inference."""
    shapes = {"x": x, **(more or {})}
    inputs = [helper.make_tensor_value_info(name, dtype, dims) for name, dims in shapes.items()]
    outputs = [helper.make_tensor_value_info("y", out or dtype, None)]
    initializers = [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def weight() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((11, 3, 3, 3)).astype(np.float32)


def conv(w: np.ndarray | None = None, *, n: Any = 1, h: Any = 5, width: Any = 7) -> ModelProto:
    w = weight() if w is None else w
    return model([node("Conv", ["x", "w"], ["y"], pads=[1] * 4)], [n, w.shape[1], h, width], {"w": w})


def conv_nhwc(
    w: np.ndarray | None = None, *, n: Any = 1, h: Any = 5, width: Any = 7, after: tuple[int, ...] = NHWC
) -> ModelProto:
    """The rewrite of `conv`, with ``after`` as the perm of its output."""
    w = weight() if w is None else w
    nodes = [
        node("Transpose", ["x"], ["nchw"], perm=NCHW),
        node("Conv", ["nchw", "w"], ["conv"], pads=[1] * 4),
        node("Transpose", ["conv"], ["y"], perm=after),
    ]
    return model(nodes, [n, h, width, w.shape[1]], {"w": w})


def unary(*ops: str, x: list[Any] | None = None, dtype: int = FLOAT) -> ModelProto:
    """A chain of ops of one input."""
    names = ["x", *(f"t{i}" for i in range(len(ops) - 1)), "y"]
    nodes = [node(op, [a], [b]) for op, a, b in zip(ops, names[:-1], names[1:], strict=True)]
    return model(nodes, x or [2, 3], dtype=dtype)


def on_cpu(*args: Any, **kwargs: Any) -> ValidationReport:
    return validate(*args, providers=["cpu"], **kwargs)


def with_layouts(a_model: ModelProto, **perms: tuple[int, ...]) -> ModelProto:
    entries = {name: {"from": "?", "to": "?", "perm": list(p)} for name, p in perms.items()}
    helper.set_model_props(a_model, {"rewriter.layouts": json.dumps(entries)})
    return a_model


# The verdict


def test_right_rewrite_passes() -> None:
    report = on_cpu(conv(), conv_nhwc(), layouts=BOTH)
    assert report.ok
    (result,) = report.providers
    assert (result.name, result.status) == ("cpu", "passed")
    assert result.shapes == [{"x": (1, 3, 5, 7)}] * 3
    assert result.max_rel is not None
    assert result.max_rel <= result.rtol
    assert 0 < result.noise < 1e-5  # conv layers round: noise that was listened for is not 0
    assert report.skipped == []


def test_paths_are_loaded_as_models_are(tmp_path: Path) -> None:
    onnx.save(conv(), tmp_path / "a.onnx")
    onnx.save(conv_nhwc(), tmp_path / "b.onnx")
    assert on_cpu(tmp_path / "a.onnx", str(tmp_path / "b.onnx"), layouts=BOTH).ok
    with pytest.raises(CouldNotValidate, match=r"no model file .*c\.onnx"):
        on_cpu(tmp_path / "c.onnx", tmp_path / "b.onnx")


@pytest.mark.parametrize(("h", "width"), [(5, 7), (5, 5)])
def test_wrong_perm_is_caught(h: int, width: int) -> None:
    report = on_cpu(conv(h=h, width=width), conv_nhwc(h=h, width=width, after=SWAPPED), layouts=BOTH)
    assert not report.ok
    reason = report.providers[0].reason
    assert ("is" if h == width else "has shape [1, 7, 5, 11] instead of [1, 5, 7, 11]") in reason


def test_wrong_layout_of_an_input_is_a_failure_to_run() -> None:
    report = on_cpu(conv(), conv_nhwc(), layouts={"y": NHWC})
    assert not report.ok
    assert "does not run" in report.providers[0].reason


def test_changed_weight_is_caught_and_located_in_the_original_layout() -> None:
    changed = weight()
    changed[4, 1, 0, 2] *= 1.001
    report = on_cpu(conv(), conv_nhwc(changed), layouts=BOTH)
    (result,) = report.providers
    assert not report.ok
    assert result.where is not None
    assert result.where.output == "y"
    assert result.where.index is not None
    assert result.where.index[1] == 4
    assert result.max_abs is not None
    assert result.max_rel is not None
    assert result.max_rel > result.rtol > NOISE_FACTOR * result.noise


def test_default_optimisation_level_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[runtime.Level] = []
    init = runtime.Session.__init__

    def spy(self: Any, source: Any, provider: str, level: runtime.Level) -> None:
        opened.append(level)
        init(self, source, provider, level)

    monkeypatch.setattr(runtime.Session, "__init__", spy)
    on_cpu(conv(), conv_nhwc(), layouts=BOTH)
    assert opened == ["disabled", "default"] * 2


def test_tolerances_override_the_default() -> None:
    changed = weight() * np.float32(1.001)
    assert not on_cpu(conv(), conv(changed)).ok
    assert on_cpu(conv(), conv(changed), rtol=2e-3).ok
    assert on_cpu(conv(), conv(changed), atol=0.1).ok
    assert not on_cpu(conv(), conv(changed), atol=1e-4).ok


def test_report_is_plain_json() -> None:
    report = on_cpu(unary("Abs"), unary("Sqrt"))
    plain = report.to_json()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["ok"] is False
    assert plain["providers"][0]["max_abs"] is None
    assert plain["providers"][0]["where"]["level"] == "disabled"


# What must be exact


def test_nan_must_be_at_the_same_places() -> None:
    assert on_cpu(unary("Sqrt"), unary("Sqrt")).ok
    report = on_cpu(unary("Sqrt"), unary("Neg", "Sqrt"))
    assert not report.ok
    assert "nan" in report.providers[0].reason
    assert report.providers[0].max_abs is None
    assert not on_cpu(unary("Sqrt"), unary("Abs", "Sqrt")).ok


def test_inf_must_have_the_same_sign() -> None:
    x = {"x": np.array([[0, 1, 2], [3, 4, 5]], np.float32)}
    assert on_cpu(unary("Reciprocal"), unary("Neg", "Reciprocal", "Neg"), inputs=x).ok
    report = on_cpu(unary("Reciprocal"), unary("Reciprocal", "Neg", "Abs", "Neg"), inputs=x)
    assert not report.ok
    assert "-inf instead of inf" in report.providers[0].reason


@pytest.mark.parametrize("large", [100, 2**60])
def test_integers_are_exact(large: int) -> None:
    def plus(n: int) -> ModelProto:
        return model(
            [node("Add", ["x", "c"], ["y"])],
            [2, 3],
            {"c": np.array([1, n, 1], np.int64)},
            dtype=TensorProto.INT64,
        )

    assert on_cpu(plus(large), plus(large)).ok
    report = on_cpu(plus(large), plus(large + 1), rtol=1.0, atol=10.0)
    assert not report.ok
    assert report.providers[0].max_abs == 1
    assert report.providers[0].where is not None
    assert report.providers[0].where.index == (0, 1)


def test_booleans_are_exact() -> None:
    same = unary("Identity", dtype=TensorProto.BOOL)
    assert on_cpu(unary("Not", "Not", dtype=TensorProto.BOOL), same).ok
    assert not on_cpu(unary("Not", dtype=TensorProto.BOOL), same).ok


def test_types_and_names_are_part_of_the_result() -> None:
    double = model([node("Cast", ["x"], ["y"], to=TensorProto.DOUBLE)], [2, 3], out=TensorProto.DOUBLE)
    report = on_cpu(unary("Identity"), double)
    assert not report.ok
    assert "has type float64 instead of float32" in report.providers[0].reason
    renamed = unary("Identity")
    renamed.graph.node[0].output[0] = renamed.graph.output[0].name = "z"
    report = on_cpu(unary("Identity"), renamed)
    assert not report.ok
    assert "outputs ['z']" in report.providers[0].reason


def test_difference_counts_in_the_scale_of_the_expected() -> None:
    found = difference(np.array([[1.0, -200.0], [np.nan, 3.0]]), np.array([[1.5, -200.0], [np.nan, 1.0]]))
    assert (found.absolute, found.scale, found.relative, found.index) == (2.0, 200.0, 0.01, (1, 1))
    assert difference(np.float32(0) * np.ones(3), np.array([0.0, 0.0, 0.25])).relative == 0.25
    assert difference(np.array(1.0), np.array(1.5)).index == ()
    assert difference(np.ones((0, 2)), np.ones((0, 2))).absolute == 0
    assert difference(None, None).absolute == 0
    assert difference(None, np.ones(1)).absolute == np.inf
    assert difference(np.array(["a", "b"], object), np.array(["a", "c"], object)).index == (1,)


# Noise


def wave(*factors: float, shift: float = 0.0) -> ModelProto:
    """sin(x * factors + shift), which makes much of the last bit of x."""
    constants = {f"c{i}": np.array(factor, np.float32) for i, factor in enumerate(factors)}
    names = ["x", *(f"t{i}" for i in range(len(factors)))]
    nodes = [node("Mul", [names[i], f"c{i}"], [names[i + 1]]) for i in range(len(factors))]
    nodes += [node("Add", [names[-1], "shift"], ["sum"]), node("Sin", ["sum"], ["y"])]
    return model(nodes, [20, 30], {**constants, "shift": np.array(shift, np.float32)})


def test_noise_raises_the_tolerance_but_hides_no_mistake() -> None:
    (result,) = on_cpu(wave(10001), wave(123, 10001 / 123)).providers
    assert result.status == "passed"
    assert result.max_rel is not None
    assert 1e-5 < result.max_rel < result.rtol == pytest.approx(NOISE_FACTOR * result.noise)
    assert not on_cpu(wave(10001), wave(10001, shift=0.05)).ok


def test_no_verdict_where_the_original_is_all_noise() -> None:
    with pytest.raises(CouldNotValidate, match="differs from itself"):
        on_cpu(wave(1e7), wave(1e3, 1e4))


def test_nudge_moves_the_last_bit_of_all_but_zeros() -> None:
    rng = np.random.default_rng(0)
    dtypes = [
        np.float64,
        np.float32,
        np.float16,
        ml_dtypes.bfloat16,
        ml_dtypes.float8_e4m3fn,
        ml_dtypes.float8_e5m2,
    ]
    for dtype in dtypes:
        x = np.array([0, 1, -1.5, 2, 1, -1.5, 2] * 9).astype(dtype)
        got = nudged({"x": x}, rng)["x"]
        assert got.dtype == x.dtype
        moved = got[x != 0].astype(np.float64) / x[x != 0].astype(np.float64)
        assert (got[x == 0] == 0).all()
        assert {*np.sign(moved - 1)} == {-1.0, 1.0}
        assert np.abs(moved - 1).max() <= float(ml_dtypes.finfo(dtype).eps)  # type: ignore[no-untyped-call]
    special = np.array([np.inf, -np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(nudged({"x": special}, rng)["x"], special)


# Inputs


def test_dynamic_batch_takes_two_sizes() -> None:
    report = on_cpu(conv(n="N"), conv_nhwc(n="N"), layouts=BOTH)
    assert report.ok
    assert [shapes["x"][0] for shapes in report.providers[0].shapes] == [1, 2, 1]


def test_rewrite_that_is_right_for_batch_1_alone_is_caught() -> None:
    def flatten(n: Any, axis: int) -> ModelProto:
        return model([node("Flatten", ["x"], ["y"], axis=axis)], [n, 3, 4])

    assert on_cpu(flatten(1, 1), flatten(1, 0)).ok
    (result,) = on_cpu(flatten("N", 1), flatten("N", 0)).providers
    assert result.status == "failed"
    assert result.where is not None
    assert result.where.run == 1


def test_a_name_has_one_size_in_all_inputs() -> None:
    add = model([node("Add", ["x", "x2"], ["y"])], ["N", 3, "H"], more={"x2": ["N", 3, "H"]})
    (result,) = on_cpu(add, add, input_shapes={"x": [2, 3, 5]}).providers
    assert result.shapes == [{"x": (2, 3, 5), "x2": (2, 3, 5)}] * 3
    (result,) = on_cpu(add, add, inputs={"x2": np.ones((4, 3, 7), np.float32)}).providers
    assert result.shapes == [{"x": (4, 3, 7), "x2": (4, 3, 7)}] * 3


def image(pixels: int) -> ModelProto:
    """A net for images of this many pixels, which its input does not tell."""
    return model([node("Reshape", ["x", "to"], ["y"])], ["N", 3, "H", "W"], {"to": np.array([0, 3, pixels])})


def test_sizes_are_found_by_trying() -> None:
    (result,) = on_cpu(image(32 * 32), image(32 * 32), runs=2).providers
    assert [shapes["x"] for shapes in result.shapes] == [(1, 3, 32, 32), (2, 3, 32, 32)]


def test_sizes_that_are_not_found_must_be_given() -> None:
    with pytest.raises(CouldNotValidate, match=r"--input-shape"):
        on_cpu(image(35), image(35))
    (result,) = on_cpu(image(35), image(35), input_shapes={"x": [1, 3, 5, 7]}).providers
    assert result.status == "passed"
    assert result.shapes == [{"x": (1, 3, 5, 7)}] * 3


@pytest.mark.parametrize("argument", ["input_shapes", "inputs", "layouts"])
def test_unknown_names_are_refused(argument: str) -> None:
    value: Any = np.ones((1, 2), np.float32) if argument == "inputs" else (0, 1)
    with pytest.raises(CouldNotValidate, match=rf"{argument} names image, but the original's inputs .*x"):
        on_cpu(conv(), conv(), **{argument: {"image": value}})


def test_layout_of_another_rank_is_refused() -> None:
    with pytest.raises(CouldNotValidate, match=r"\[0, 2, 1\] of x does not fit its 4 axes"):
        on_cpu(conv(), conv_nhwc(), layouts={"x": (0, 2, 1)})


def test_given_inputs_are_used_in_the_original_layout() -> None:
    x = np.zeros((1, 3, 5, 7), np.float32)
    x[0, 1] = 3
    (result,) = on_cpu(conv(), conv_nhwc(), layouts=BOTH, inputs={"x": x}).providers
    assert result.status == "passed"
    assert len(result.shapes) == 1  # nothing random: the other runs would be the same
    changed = weight()
    changed[:, 0] += 1  # meets zeros only
    assert on_cpu(conv(), conv_nhwc(changed), layouts=BOTH, inputs={"x": x}).ok
    assert not on_cpu(conv(), conv_nhwc(changed), layouts=BOTH).ok
    with pytest.raises(CouldNotValidate, match="is float64: convert it to float32"):
        on_cpu(conv(), conv(), inputs={"x": x.astype(np.float64)})


def test_same_seed_same_inputs() -> None:
    def error(seed: int) -> float | None:
        return on_cpu(conv(), conv(weight() * np.float32(1.01)), seed=seed).providers[0].max_abs

    assert error(3) == error(3) != error(4)


def test_random_integers_are_safe_indices() -> None:
    gather = model(
        [node("Gather", ["table", "x"], ["y"])],
        [4, 5],
        {"table": np.array([1.0, 2.0], np.float32)},
        dtype=TensorProto.INT64,
        out=FLOAT,
    )
    swapped = onnx.ModelProto.FromString(gather.SerializeToString())
    swapped.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([2.0, 1.0], np.float32), "table"))
    assert on_cpu(gather, gather).ok
    assert not on_cpu(gather, swapped).ok


def test_strings_must_be_given() -> None:
    strings = unary("Identity", dtype=TensorProto.STRING)
    with pytest.raises(CouldNotValidate, match="cannot be made up"):
        on_cpu(strings, strings)
    words = {"x": np.array([["a", "b", "c"], ["d", "e", "f"]], object)}
    assert on_cpu(strings, unary("Identity", "Identity", dtype=TensorProto.STRING), inputs=words).ok


FOREIGN = [TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2]


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT8, *FOREIGN])
def test_other_types_go_in_and_out(kind: int) -> None:
    original = unary("Identity", x=[1, 3, 5, 5], dtype=kind)
    rewritten = unary("Identity", "Identity", x=[1, 5, 5, 3], dtype=kind)
    assert on_cpu(original, rewritten, layouts=BOTH).ok
    report = on_cpu(original, rewritten, layouts={"x": NHWC, "y": SWAPPED})
    assert report.providers[0].max_abs is not None
    assert not report.ok


# Other outputs


def test_sequences_are_compared_item_by_item() -> None:
    def sequence(*items: str) -> ModelProto:
        nodes = [node("Neg", ["x"], ["minus"]), node("SequenceConstruct", list(items), ["y"])]
        made = model(nodes, [2, 3])
        made.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("y", FLOAT, None))
        return made

    assert on_cpu(sequence("x", "minus"), sequence("x", "minus")).ok
    report = on_cpu(sequence("x", "minus"), sequence("x", "x"))
    assert report.providers[0].where is not None
    assert report.providers[0].where.output == "y[1]"
    assert (
        "a sequence of 1 instead of a sequence of 2"
        in on_cpu(sequence("x", "minus"), sequence("x")).providers[0].reason
    )


def test_empty_optional_outputs_are_equal() -> None:
    kind = helper.make_tensor_type_proto(FLOAT, [2, 3])
    empty = model([node("Optional", [], ["y"], type=kind)], [2, 3])
    empty.graph.output[0].CopyFrom(helper.make_value_info("y", helper.make_optional_type_proto(kind)))
    assert on_cpu(empty, empty).ok


# Layouts from the metadata


def test_layouts_are_read_from_the_metadata() -> None:
    assert not on_cpu(conv(), conv_nhwc()).ok
    assert on_cpu(conv(), with_layouts(conv_nhwc(), x=NHWC, y=NHWC)).ok


def test_metadata_of_both_models_count_from_a_third() -> None:
    nhwc = with_layouts(conv_nhwc(), x=NHWC, y=NHWC)
    assert on_cpu(nhwc, nhwc).ok
    assert on_cpu(nhwc, conv()).ok
    nodes = [
        node("Transpose", ["x"], ["nchw"], perm=np.argsort(SWAPPED).tolist()),
        node("Conv", ["nchw", "w"], ["conv"], pads=[1] * 4),
        node("Transpose", ["conv"], ["y"], perm=NHWC),
    ]
    nwhc = with_layouts(model(nodes, [1, 7, 5, 3], {"w": weight()}), x=SWAPPED, y=NHWC)
    assert on_cpu(nhwc, nwhc).ok


def test_broken_metadata_is_refused() -> None:
    broken = conv()
    helper.set_model_props(broken, {"rewriter.layouts": '{"x": [0, 1]}'})
    with pytest.raises(CouldNotValidate, match=r"metadata rewriter\.layouts is broken"):
        on_cpu(conv(), broken)


# What cannot run


def test_original_that_does_not_run() -> None:
    unknown = model([node("NoSuchOp", ["x"], ["y"])], [2, 3])
    with pytest.raises(CouldNotValidate, match=r"original does not run on cpu .*NoSuchOp"):
        on_cpu(unknown, conv())
    with pytest.raises(CouldNotValidate, match=r"original does not run on cpu .*invalid dimensions"):
        on_cpu(conv(), conv(), input_shapes={"x": [1, 4, 5, 7]})


def test_rewritten_that_does_not_load_or_run(tmp_path: Path) -> None:
    (tmp_path / "garbage.onnx").write_bytes(b"garbage")
    no_op = model([node("NoSuchOp", ["x"], ["y"])], [1, 3, 5, 7])
    fails_to_run = model([node("Reshape", ["x", "to"], ["y"])], [1, 3, 5, 7], {"to": np.array([4, 4])})
    for rewritten, text in [
        (tmp_path / "garbage.onnx", "parsing failed"),
        (no_op, "NoSuchOp"),
        (fails_to_run, "Reshape"),
    ]:
        report = on_cpu(conv(), rewritten)
        assert not report.ok
        (result,) = report.providers
        assert result.status == "failed"
        assert result.reason.startswith("The rewritten model does not run on cpu")
        assert text in result.reason


def test_nothing_to_run_is_no_pass() -> None:
    with pytest.raises(CouldNotValidate, match="nothing to run"):
        on_cpu(conv(), conv(), runs=0)
    with pytest.raises(CouldNotValidate, match="nothing to run"):
        validate(conv(), conv(), providers=[])


# Providers


@pytest.fixture
def cpu_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])


@pytest.mark.usefixtures("cpu_build")
def test_provider_that_is_asked_for_must_be_there() -> None:
    with pytest.raises(CouldNotValidate, match="CUDA is not in this onnxruntime build"):
        validate(conv(), conv(), providers=["cpu", "cuda"])
    with pytest.raises(CouldNotValidate, match="no provider 'tpu': choose among cpu, cuda"):
        validate(conv(), conv(), providers=["tpu"])


@pytest.mark.usefixtures("cpu_build")
def test_two_builds_that_hide_each_other_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [SimpleNamespace(name="onnxruntime"), SimpleNamespace(name="onnxruntime-gpu")]
    monkeypatch.setattr(providers, "distributions", lambda: both)
    with pytest.raises(CouldNotValidate, match=r"installed over each other: run `pip uninstall"):
        validate(conv(), conv(), providers=["cuda"])


def test_a_build_that_another_took_with_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays of onnxruntime-gpu when onnxruntime is uninstalled: a folder without the package's names."""
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    with pytest.raises(CouldNotValidate, match=r"not complete: run `pip uninstall .* install onnxruntime-gpu`"):
        validate(conv(), conv())


@pytest.mark.usefixtures("cpu_build")
def test_provider_that_is_not_asked_for_is_skipped_with_a_note() -> None:
    report = validate(conv(), conv_nhwc(), layouts=BOTH)
    assert report.ok
    assert [result.status for result in report.providers] == ["passed", "unavailable"]
    assert "CUDA is not in this onnxruntime build" in report.skipped[0]
    with pytest.raises(CouldNotValidate, match="input_shapes names"):
        validate(conv(), conv(), input_shapes={"image": [1]})


def test_session_that_fell_back_to_the_cpu_is_not_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "require", lambda provider: None)
    monkeypatch.setitem(providers.PROVIDERS, "cuda", ["CPUExecutionProvider"])
    monkeypatch.setattr(runtime, "full_name", lambda provider: "CUDAExecutionProvider")
    with pytest.raises(CouldNotValidate, match="has CUDA but cannot start it here"):
        validate(conv(), conv(), providers=["cuda"])


# Large models


def test_model_over_the_limit_of_protobuf_goes_through_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_serialized", lambda model: None)
    original, rewritten = conv(), conv_nhwc()
    before = original.SerializeToString()
    assert on_cpu(original, rewritten, layouts=BOTH).ok
    assert original.SerializeToString() == before  # the weights are still in it
    assert not on_cpu(original, conv_nhwc(weight() * 2), layouts=BOTH).ok
