"""What is a difference and what is noise."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from rewriter import CouldNotValidate
from rewriter.validation import session as runtime
from rewriter.validation.compare import Difference, difference
from rewriter.validation.noise import NOISE_FACTOR
from rewriter.validation.nudge import nudged
from rewriter.validation.verdict import Finding, verdict
from tests.support.validating import (
    BOTH,
    NHWC,
    SWAPPED,
    conv,
    conv_nhwc,
    model,
    node,
    on_cpu,
    unary,
    weight,
)

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


@pytest.mark.parametrize(("absolute", "status"), [(0.5, "passed"), (0.5625, "failed")])
def test_an_error_of_just_what_is_allowed_passes(absolute: float, status: str) -> None:
    found = Finding(Difference(absolute, scale=2.0, rtol=0.125, share=1.0), rtol=0.125, atol=0.25)
    result = verdict("cpu", [found], [])
    assert (result.status, result.fault is None) == (status, status == "passed")


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
    report = on_cpu(plus(large), plus(large + 1), rtol=0.5, atol=10.0)
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
