"""Labels, orders and boxes of nets that break ties by rounding: what is noise there, and what a mistake."""

import re
from dataclasses import replace

import numpy as np
import pytest
from onnx import ModelProto

from rewriter import CouldNotValidate, rewrite, validate
from rewriter.validation.noise import Noise
from rewriter.validation.verdict import ProviderResult, Where, judge, verdict
from tests.support.float16 import in_float16
from tests.support.graphs import DIRECTIONS, INT64, model, node, random, value
from tests.support.heads import KERNEL, detector, ranker, segmenter
from tests.support.planting import changed, exchanged, scaled
from tests.support.validating import on_cpu

SATURATED, SLIGHTLY = 5.0, 1.0  # of many scores that are 1 but for rounding, or of few


def test_ties_of_labels_are_accepted_where_the_original_breaks_them_otherwise() -> None:
    (result,) = on_cpu(segmenter(), segmenter(reordered=True)).providers
    assert result.status == "passed"
    assert len(result.notes) == 1
    assert re.match(r"Output labels differs in 0\.\d+ % of its elements, each time to what", result.notes[0])


def test_ties_of_an_image_in_bytes_are_broken_by_the_last_bits_of_kernels() -> None:
    (result,) = on_cpu(segmenter(of_bytes=True), segmenter(reordered=True, of_bytes=True)).providers
    assert result.status == "passed"
    assert len(result.notes) == 1
    wrong = segmenter(exchanged(0)(KERNEL.copy()), of_bytes=True)
    assert on_cpu(segmenter(of_bytes=True), wrong).providers[0].fault == "differs from the original"


def test_labels_that_are_certain_are_exact() -> None:
    assert on_cpu(segmenter(stable=True), segmenter(reordered=True, stable=True)).providers[0].notes == []
    report = on_cpu(segmenter(stable=True), segmenter(scaled(0, 0, 0)(KERNEL.copy()), stable=True))
    assert report.providers[0].fault == "differs from the original"
    assert "the original from itself in 0 %" in report.providers[0].reason


def test_more_labels_than_the_noise_changes_are_a_mistake() -> None:
    report = on_cpu(segmenter(), segmenter(exchanged(0)(KERNEL.copy())))
    assert report.providers[0].fault == "differs from the original"
    assert re.search(
        r"in \d\d+.* % of its elements, the original from itself in [01]\.\d+ %", report.providers[0].reason
    )


def judged(wrong: int, *others: int) -> ProviderResult:
    """The verdict on 100 labels of which the first few are wrong, where noise changes 2, to what is in ``others``."""
    labels = np.zeros(100, np.int64)
    got = np.where(np.arange(100) < wrong, 7, labels)
    seen = [np.where(np.arange(100) < other, 7, labels) for other in others]
    finding = judge(labels, got, seen, Noise(share=0.02), None, 0.0)
    return verdict("cpu", [replace(finding, where=Where("labels", None, 0, "default"))], [])


def test_as_few_labels_as_the_noise_changes_prove_nothing() -> None:
    for wrong in (1, 2):
        with pytest.raises(CouldNotValidate, match=f"labels differs from itself in 2 % .* differs in {wrong} %"):
            judged(wrong)
    assert judged(3).fault == "differs from the original"
    assert judged(2, 2).notes[0].startswith("Output labels differs in 2 % of its elements")
    with pytest.raises(CouldNotValidate, match="differs in 2 %"):
        judged(4, 1, 2)
    assert judged(5, 1, 2).fault == "differs from the original"


def test_another_shape_that_the_original_has_at_other_times_is_told() -> None:
    image, cropped = np.ones((2, 6, 7), np.float32), np.ones((2, 6, 6), np.float32)
    finding = judge(image, cropped, [cropped], Noise(share=1.0), None, 0.0)
    (note,) = verdict("cpu", [replace(finding, where=Where("y", None, 0, "default"))], []).notes
    assert note.startswith("Output y has shape [2, 6, 6] instead of [2, 6, 7], and so has the original's when")


@pytest.mark.parametrize("sharpness", [SATURATED, SLIGHTLY])
def test_boxes_may_change_places_as_the_originals_do(sharpness: float) -> None:
    (result,) = on_cpu(detector(sharpness=sharpness), detector(reordered=True, sharpness=sharpness)).providers
    assert result.status == "passed"
    assert any("what the original, too, gives there" in note for note in result.notes)


@pytest.mark.parametrize("sharpness", [SATURATED, SLIGHTLY])
@pytest.mark.parametrize("parts", [(0, 1), (3, 4)], ids=["two sides of a box", "a side for a score"])
def test_boxes_of_a_wrong_kernel_are_a_mistake(sharpness: float, parts: tuple[int, int]) -> None:
    kernel = random(5, 3, 3, 3)
    kernel[[*parts]] = kernel[[*parts[::-1]]]
    report = on_cpu(detector(sharpness=sharpness), detector(kernel, sharpness=sharpness))
    assert report.providers[0].fault == "differs from the original"


@pytest.mark.parametrize("keep_io", [True, False], ids=["float32 interface", "float16 throughout"])
@pytest.mark.parametrize("net", [segmenter, detector])
def test_heads_behind_float16(net: type, keep_io: bool) -> None:
    original: ModelProto = in_float16(net(), keep_io=keep_io)
    for to, dialect in DIRECTIONS:
        result = rewrite(original, to, dialect=dialect)
        assert validate(original, result.model, layouts=result.layouts, providers=["cpu"]).ok


def over(op: str, limit: float = 1.0) -> ModelProto:
    """The places where x is over a limit."""
    nodes = [
        node(op, ["x", "limit"], ["over"]),
        node("NonZero", ["over"], ["y"]),
    ]
    return model(nodes, {"x": [2, 3]}, [value("y", [2, "n"], INT64)], {"limit": np.array(limit, np.float32)})


def test_another_number_of_places_is_noise_where_the_original_finds_it_too() -> None:
    x = {"x": np.array([[0, 2, 3], [-3, 4, 1]], np.float32)}  # 1 is not over the limit, but its next bit is
    (result,) = on_cpu(over("Greater"), over("GreaterOrEqual"), inputs=x).providers
    assert result.status == "passed"
    assert result.notes[0].startswith("Output y has shape [2, 4] instead of [2, 3], and so has the original's")
    with pytest.raises(CouldNotValidate, match="y differs from itself in 100 %"):
        on_cpu(over("Greater"), over("Greater", 0.5), inputs={"x": np.array([[0, 2, 3], [0.6, 0.7, 1]], np.float32)})
    report = on_cpu(
        over("Greater", 1.5), over("Greater"), inputs={"x": np.array([[0, 2, 3], [1.2, -3, 4]], np.float32)}
    )
    assert "has shape [2, 4] instead of [2, 3]" in report.providers[0].reason


@pytest.mark.parametrize("dialect", ["function", "onnx"])
def test_ranks_within_the_noise_of_a_deep_net(dialect: str) -> None:
    original = ranker()
    result = rewrite(original, "nhwc", dialect=dialect)
    (right,) = validate(original, result.model, layouts=result.layouts, providers=["cpu"]).providers
    assert right.status == "passed"
    changed("Conv" if dialect == "onnx" else "ConvNoBias", -2, 1, exchanged(0))(result.model)
    (wrong,) = validate(original, result.model, layouts=result.layouts, providers=["cpu"]).providers
    assert wrong.fault == "differs from the original"
