"""Layouts from the metadata, providers, and models that do not run."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from onnx import helper

from rewriter import CouldNotValidate, validate
from tests.support.validating import (
    BOTH,
    NHWC,
    SWAPPED,
    conv,
    conv_nhwc,
    model,
    node,
    on_cpu,
    weight,
    with_layouts,
)

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
    for rewritten, fault, text in [
        (tmp_path / "garbage.onnx", "does not load", "parsing failed"),
        (no_op, "does not load", "NoSuchOp"),
        (fails_to_run, "does not run", "Reshape"),
    ]:
        report = on_cpu(conv(), rewritten)
        assert not report.ok
        (result,) = report.providers
        assert result.status == "failed"
        assert result.reason.startswith(f"The rewritten model {fault} in onnxruntime on cpu")
        assert result.fault == f"{fault} in onnxruntime"
        assert text in result.reason


def test_nothing_to_run_is_no_pass() -> None:
    with pytest.raises(CouldNotValidate, match="runs is 0; give a number from 1"):
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
    with pytest.raises(CouldNotValidate, match="no such provider: 'tpu' is not one of cpu, cuda"):
        validate(conv(), conv(), providers=["tpu"])


@pytest.mark.usefixtures("cpu_build")
def test_two_builds_that_hide_each_other_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [SimpleNamespace(name="onnxruntime"), SimpleNamespace(name="onnxruntime-gpu")]
    monkeypatch.setattr("importlib.metadata.distributions", lambda: both)
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
    assert report.skipped == ["CUDA is not in this onnxruntime build."]  # and no cure, which nobody asked for
    with pytest.raises(CouldNotValidate, match="input_shapes names"):
        validate(conv(), conv(), input_shapes={"image": [1]})


# Large models


def test_model_over_the_limit_of_protobuf_goes_through_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewriter.files.writer.TWO_GIB", 0)
    original, rewritten = conv(), conv_nhwc()
    before = original.SerializeToString()
    assert on_cpu(original, rewritten, layouts=BOTH).ok
    assert original.SerializeToString() == before  # the weights are still in it
    assert not on_cpu(original, conv_nhwc(weight() * 2), layouts=BOTH).ok
