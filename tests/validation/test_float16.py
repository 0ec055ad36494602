"""Models that compute in float16: right rewrites pass, wrong ones do not."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto

from rewriter import rewrite, validate
from tests.support.float16 import in_float16
from tests.support.graphs import COMMITTED, DIRECTIONS, FLOAT, FLOAT16, conv, model, node, random
from tests.support.validating import BOTH, NCHW, NHWC, on_cpu

INTERFACES = pytest.mark.parametrize("keep_io", [True, False], ids=["float32 interface", "float16 throughout"])
IMAGE = [2, 6, 10, 14]
HALF_AGAIN = np.array([1, 1, 1.5, 1.5], np.float32)

SMALL: dict[str, list[NodeProto]] = {
    "Conv": [conv("x", "y")],
    "ConvTranspose": [node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])],
    "AveragePool": [node("AveragePool", ["x"], ["y"], kernel_shape=[3, 2])],
    "GlobalAveragePool": [node("GlobalAveragePool", ["x"], ["y"])],
    "MaxPool": [node("MaxPool", ["x"], ["y"], kernel_shape=[3, 2])],
    "InstanceNormalization": [node("InstanceNormalization", ["x", "scale", "bias"], ["y"])],
    "BatchNormalization": [node("BatchNormalization", ["x", "scale", "bias", "bias", "var"], ["y"])],
    "LRN": [node("LRN", ["x"], ["y"], size=3)],
    "Resize": [node("Resize", ["x", "", "half_again"], ["y"], mode="linear")],
    "Softmax": [node("Softmax", ["x"], ["y"], axis=1)],
    "ReduceMean": [node("ReduceMean", ["x"], ["y"], axes=[2, 3])],
    "MatMul": [node("MatMul", ["x", "matrix"], ["y"])],
    "Add": [node("Add", ["x", "per_channel"], ["y"])],
    "HardSwish": [node("HardSwish", ["x"], ["y"])],
}
CONSTANTS = {
    "w": random(6, 6, 3, 3), "scale": random(6), "bias": random(6) + 1, "var": np.abs(random(6)) + 1,
    "half_again": HALF_AGAIN, "matrix": random(14, 10), "per_channel": random(6, 1, 1),
}  # fmt: skip


def small(op: str) -> ModelProto:
    read = {name for each in SMALL[op] for name in each.input}
    return model(SMALL[op], {"x": IMAGE}, {"y": None}, {k: v for k, v in CONSTANTS.items() if k in read})


@INTERFACES
@pytest.mark.parametrize("op", SMALL)
def test_small_nets_pass(op: str, keep_io: bool) -> None:
    original = in_float16(small(op), keep_io=keep_io)
    for dialect in ("function", "onnx"):
        check(original, "nhwc", dialect, layouts={"x": "nhwc", "y": "nhwc"})


@INTERFACES
@pytest.mark.parametrize("path", [pytest.param(path, id=name) for name, path in COMMITTED.items()])
def test_committed_models_pass(path: Path, keep_io: bool) -> None:
    original = in_float16(onnx.load(path), keep_io=keep_io)
    for to, dialect in DIRECTIONS:
        check(original, to, dialect)


def check(original: ModelProto, to: str, dialect: str, **options: Any) -> None:
    result = rewrite(original, to, dialect=dialect, **options)
    report = validate(original, result.model, layouts=result.layouts, runs=1, providers=["cpu"])
    assert report.ok, report.providers[0].reason
    assert any("float32" in note for note in report.providers[0].notes)


def preprocessed(*, transposed: bool) -> ModelProto:
    """A Conv in float16 behind an operator in float32; ``transposed``: channels last, which rounds on the way."""
    w = random(11, 3, 3, 3).astype(np.float16)
    nodes = [node("Mul", ["x", "k"], ["s"]), node("Cast", ["s"], ["h"], to=FLOAT16)]
    if transposed:
        nodes += [
            node("Transpose", ["h"], ["first"], perm=NCHW),
            conv("first", "c"),
            node("Transpose", ["c"], ["last"], perm=NHWC),
        ]
    else:
        nodes += [conv("h", "last")]
    nodes += [node("Cast", ["last"], ["y"], to=FLOAT)]
    shape = [1, 5, 7, 3] if transposed else [1, 3, 5, 7]
    return model(nodes, {"x": shape}, {"y": None}, {"w": w, "k": np.array(0.3, np.float32)})


def test_roundings_that_come_and_go_are_no_difference() -> None:
    plain, transposed = preprocessed(transposed=False), preprocessed(transposed=True)
    for report in (on_cpu(plain, transposed, layouts=BOTH), on_cpu(transposed, plain, layouts={"x": NCHW, "y": NCHW})):
        (result,) = report.providers
        assert result.status == "passed"
        assert result.max_rel is not None
        assert 1e-4 < result.max_rel < result.rtol < 3e-3  # no last bit of the input, which is float32, is worth that
