"""Providers beside the CPU: their choice, what onnxruntime does in silence, tolerances.

OpenVINO's is a real one, where it is installed (`make providers`); a fake shows what a CPU cannot.
"""

import re

import numpy as np
import onnxruntime as ort
import pytest
from onnx import ModelProto

from rewriter import CouldNotValidate, UsageError, rewrite, validate
from rewriter.validation.providers import COARSER, GPU, PROVIDERS, TF32, provider_of
from tests.support.fake_device import FakeDevice, fake_device
from tests.support.graphs import COMMITTED, KINDS
from tests.support.validating import BOTH, conv, conv_nhwc, model, node, unary, weight

openvino = pytest.mark.skipif("OpenVINOExecutionProvider" not in ort.get_available_providers(), reason="make providers")

# Names and options


def test_every_provider_has_a_name_of_onnxruntimes() -> None:
    assert {row.full for row in PROVIDERS.values()} <= {*ort.get_all_providers()}


def test_options_are_onnxruntimes_own() -> None:
    cuda = provider_of("cuda")
    assert cuda.chain == [("CUDAExecutionProvider", {"use_tf32": "0"}), ("CPUExecutionProvider", {})]
    assert cuda.rtol == GPU
    other = provider_of("cuda:use_tf32=1:prefer_nhwc=1")
    assert other.options == {"use_tf32": "1", "prefer_nhwc": "1"}
    assert other.rtol == TF32
    assert provider_of("cpu").chain == [("CPUExecutionProvider", {})]


@pytest.mark.parametrize(
    ("spec", "said"), [("tpu", "'tpu' is not one of cpu"), ("cuda:tf32", "write cuda:OPTION=VALUE")]
)
def test_what_is_no_provider(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        provider_of(spec)
    with pytest.raises(CouldNotValidate, match=said):
        validate(conv(), conv(), providers=[spec])


def test_coarse_options_are_off_unless_they_are_asked_for() -> None:
    assert not any(item in COARSER for row in PROVIDERS.values() for item in row.options.items())


# What onnxruntime does in silence


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    return fake_device(monkeypatch)


def on_cuda(original: ModelProto, rewritten: ModelProto, spec: str = "cuda", **options: object) -> list[str]:
    """The notes of a validation that passes."""
    (result,) = validate(original, rewritten, layouts=BOTH, providers=[spec], **options).providers  # type: ignore[arg-type]
    assert result.status == "passed", result.reason
    return result.notes


def test_original_and_result_run_on_the_device_with_its_options(device: FakeDevice) -> None:
    assert on_cuda(conv(), conv_nhwc(), "cuda:prefer_nhwc=1") == []
    cpu = [("CPUExecutionProvider", dict[str, str]())]
    assert device.asked == [cpu] * 2 + [[("CUDAExecutionProvider", {"use_tf32": "0", "prefer_nhwc": "1"}), *cpu]] * 4


def test_session_that_falls_back_to_the_cpu_is_not_cuda(device: FakeDevice) -> None:
    device.starts = False
    with pytest.raises(CouldNotValidate, match="has CUDA but cannot start it here"):
        validate(conv(), conv(), providers=["cuda"])
    report = validate(conv(), conv_nhwc(), layouts=BOTH)
    assert [result.status for result in report.providers] == ["passed", "unavailable"]


def test_nodes_that_run_elsewhere_are_told(device: FakeDevice) -> None:
    device.has = lambda op: op != "Transpose"
    said = ["Not validated on CUDA, since onnxruntime ran them elsewhere: 2 Transpose."]
    assert on_cuda(conv(), conv_nhwc()) == said


def test_a_result_of_which_nothing_runs_on_the_device_is_not_validated_there(device: FakeDevice) -> None:
    device.has = lambda op: False
    with pytest.raises(CouldNotValidate, match=r"Not validated on CUDA: .* every node .*\(1 Conv, 2 Trans"):
        on_cuda(conv(), conv_nhwc())
    report = validate(conv(), conv_nhwc(), layouts=BOTH)
    assert [result.status for result in report.providers] == ["passed", "unavailable"]
    assert report.skipped[0].startswith("Not validated on CUDA")


def test_an_option_that_is_not_taken_is_told(device: FakeDevice) -> None:
    device.taken = {"use_tf32": "1"}
    with pytest.raises(CouldNotValidate, match="CUDA takes use_tf32=1 for 0"):
        on_cuda(conv(), conv_nhwc())
    assert on_cuda(conv(), conv_nhwc(), "cuda:use_tf32=True") == []


# Tolerances, against the CPU


def changed(by: float) -> np.ndarray:
    return weight() * np.float32(1 + by)


def test_tolerances_are_the_providers() -> None:
    """Between one provider's and the next stricter one's, what passes on the one fails on the other."""
    for spec, by in (("cpu", 0.0), ("cuda", 5e-5), ("cuda:use_tf32=1", 1e-3)):
        allowed = max(1e-5, provider_of(spec).rtol)
        assert by < allowed
        with pytest.MonkeyPatch.context() as patch:
            fake_device(patch)
            assert on_cuda(conv(), conv_nhwc(changed(by)), spec) == []
            report = validate(conv(), conv_nhwc(changed(3 * allowed)), layouts=BOTH, providers=[spec])
            assert report.fault == "differs from the original"


def test_a_wider_type_keeps_its_tolerance(device: FakeDevice) -> None:
    double = model([node("Add", ["x", "c"], ["y"])], [2, 3], {"c": np.array(1.0)}, dtype=11)
    other = model([node("Add", ["x", "c"], ["y"])], [2, 3], {"c": np.array(1.0 + 1e-9)}, dtype=11)
    assert device.starts
    assert validate(double, other, providers=["cuda"]).fault == "differs from the original"


def test_what_the_original_differs_by_on_the_device_is_noise(device: FakeDevice) -> None:
    device.error = 1e-2
    (result,) = validate(conv(), conv_nhwc(), layouts=BOTH, providers=["cuda"]).providers
    assert result.status == "passed"
    assert result.max_rel is not None
    assert 1e-4 < result.noise == pytest.approx(result.max_rel, rel=0.1)


def test_a_device_that_computes_something_else_is_told(device: FakeDevice) -> None:
    """The result is as the original is there, which proves the rewrite, and says little for the device."""
    device.error = 3.0
    (note,) = on_cuda(conv(), conv_nhwc())
    assert re.fullmatch(
        r"Output y differs in 1?\d?\d(\.\d)? % .* the original, too, gives there .* provider change\.", note
    )


def test_an_original_that_only_the_device_has(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    real = device.session

    def without_cpu(model: object, options: object, *, providers: list[tuple[str, object]], **more: object) -> object:
        if providers[0][0] == "CPUExecutionProvider":
            raise RuntimeError("Could not find an implementation for NhwcConv(1)")
        return real(model, options, providers=providers, **more)

    monkeypatch.setattr("onnxruntime.InferenceSession", without_cpu)
    assert on_cuda(conv(), conv_nhwc()) == [
        "The original does not load on the CPU: it was compared as CUDA runs it.",
    ]
    with pytest.raises(CouldNotValidate, match=r"does not run on cpu .*NhwcConv"):
        validate(conv(), conv(), providers=["cpu"])


# A real one


@openvino
@pytest.mark.parametrize("name", ["torch_resnet", "keras_unet", "torch_vocoder"])
@pytest.mark.parametrize("to", ["nhwc", "nchw"])
def test_committed_models_on_openvino(name: str, to: str) -> None:
    result = rewrite(COMMITTED[name], to, dialect="onnx")
    verdicts = validate(COMMITTED[name], result.model, layouts=result.layouts, providers=["cpu", "openvino"]).providers
    assert [(verdict.name, verdict.status) for verdict in verdicts] == [("cpu", "passed"), ("openvino", "passed")]


@openvino
def test_operators_that_openvino_leaves_to_the_cpu_are_told() -> None:
    many = unary("Relu", "Det", x=[3, 3])
    (result,) = validate(many, many, providers=["openvino"]).providers
    assert result.status == "passed"
    assert result.notes == ["Not validated on OPENVINO, since onnxruntime ran them elsewhere: 1 Det."]
    with pytest.raises(CouldNotValidate, match=r"Not validated on OPENVINO: .*\(1 Det\)"):
        validate(unary("Det", x=[3, 3]), unary("Det", x=[3, 3]), providers=["openvino"])


@openvino
def test_mistakes_are_seen_on_openvino() -> None:
    report = validate(conv(), conv_nhwc(changed(1e-3)), layouts=BOTH, providers=["openvino"])
    assert report.fault == "differs from the original"


@openvino
@pytest.mark.parametrize("name", ["torch_resnet", "keras_unet", "torch_vocoder"])
def test_functions_run_in_openvino(name: str) -> None:
    """onnxruntime takes them apart for a provider that does not know their names; OpenVINO by itself refuses them."""
    result = rewrite(COMMITTED[name], "nhwc", dialect="function")
    (found,) = validate(COMMITTED[name], result.model, layouts=result.layouts, providers=["openvino"]).providers
    assert (found.status, found.notes) == ("passed", [])


@openvino
def test_float16_on_openvino() -> None:
    path = KINDS["torch_half"]
    result = rewrite(path, "nhwc", dialect="onnx")
    assert validate(path, result.model, layouts=result.layouts, providers=["openvino"]).ok
