"""Inputs that take camera frames: what kernels take in, what stays in front, and that nothing changes else."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from passes.normalize import frame_kernels, preprocess
from passes.normalize.frame_kernels import ORDER, SHIFT
from passes.normalize.frame_readers import Readers
from rewriter import RewriteResult, UsageError, rewrite, validate
from rewriter.validation.inputs import InputRequest
from rewriter.validation.layouts import of_perms
from rewriter.validation.locate import locate
from rewriter.validation.session import Session
from tests.support.frames import IMAGENET, one_conv
from tests.support.graphs import COMMITTED, DIRECTIONS, KINDS, Array, model, node, random, value

DOUBLE = TensorProto.DOUBLE
CLOSE = 1e-5  # of an output's scale


def two_convs(**attrs: Any) -> ModelProto:
    """Two readers, one without bias, of one kernel."""
    nodes = [
        node("Conv", ["x", "w"], ["c"], "conv1"),
        node("Conv", ["x", "w", "b"], ["y"], "conv2", **{"strides": [2, 2], **attrs}),
        node("Relu", ["c"], ["z"]),
    ]
    constants = {"w": random(5, 3, 3, 2), "b": random(5)}
    return model(nodes, {"x": [1, 3, 11, 13]}, {"y": None, "z": None}, constants)


def channels_last(**attrs: Any) -> ModelProto:
    nodes = [node("Transpose", ["x"], ["t"], "turn", perm=[0, 3, 1, 2]), node("Conv", ["t", "w"], ["y"], "c", **attrs)]
    return model(nodes, {"x": [1, 11, 13, 3]}, {"y": None}, {"w": random(5, 3, 3, 2)})


def expected(original: ModelProto | Path, frame: Array, axis: int, scale: float, mean: Any, std: Any, bgr: bool) -> Any:
    """What the original gives, by nothing of ours."""
    session = Session(
        original.SerializeToString() if isinstance(original, ModelProto) else str(original), "cpu", "disabled"
    )
    shape = [1] * frame.ndim
    shape[axis] = -1
    wide = np.flip(frame, axis) if bgr else frame
    wide = (wide.astype(np.float64) * scale - np.reshape(mean, shape)) / np.reshape(std, shape)
    return session.run({session.inputs[0].name: wide.astype(np.float32)})


def assert_close(wanted: list[Any], got: list[Any]) -> None:
    for one, other in zip(wanted, got, strict=True):
        assert one.dtype == other.dtype
        assert np.abs(one.astype(np.float64) - other).max() <= CLOSE * np.abs(one).max()


def run_kept(result: RewriteResult, frame: Array) -> list[Any]:
    session = Session(result.model.SerializeToString(), "cpu", "default")
    return session.run({session.inputs[0].name: frame})


NETS: dict[str, ModelProto | Path] = {
    "no padding": one_conv(),
    "padding": one_conv(pads=[1, 0, 2, 1]),
    "same": one_conv(auto_pad="SAME_UPPER"),
    "valid": one_conv(auto_pad="VALID"),
    "grouped": one_conv(group=3),
    "two readers": two_convs(),
    "two readers, one pads": two_convs(pads=[1, 1, 1, 1]),
    "channels last": channels_last(),
    "channels last, padding": channels_last(pads=[1, 1, 0, 0]),
    "torch_resnet": COMMITTED["torch_resnet"],
    "torch_efficientnet": COMMITTED["torch_efficientnet"],
    "keras_resnet": COMMITTED["keras_resnet"],
    "keras_mobilenet_v3": COMMITTED["keras_mobilenet_v3"],
    "torch_unet_dynamo": COMMITTED["torch_unet_dynamo"],  # a CastLike reads the input, too
    "keras_unet_dynamic": COMMITTED["keras_unet_dynamic"],
}
FOLDED = {  # how many of order, scale and mean; others are in front
    "no padding": 3, "padding": 2, "same": 2, "valid": 3, "grouped": 0, "two readers": 3, "two readers, one pads": 2,
    "channels last": 3, "channels last, padding": 2, "torch_resnet": 2, "torch_efficientnet": 2, "keras_resnet": 2,
    "keras_mobilenet_v3": 0, "torch_unet_dynamo": 2, "keras_unet_dynamic": 2,
}  # fmt: skip
FRONTS = {0: ["Gather", "Cast", "Sub", "Mul"], 2: ["Cast", "Sub"], 3: ["Cast"]}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
def test_nets_compute_the_same_of_frames(name: str, to: str, dialect: str) -> None:
    net = NETS[name]
    result = rewrite(net, to, dialect=dialect, preprocess={"": IMAGENET})
    assert validate(net, result.model, providers=["cpu"], runs=1).ok
    [one] = result.report.preprocessed
    assert (len(one.folded), list(one.nodes)) == (FOLDED[name], FRONTS[FOLDED[name]])
    assert bool(one.reason) == bool(one.apart) == (FOLDED[name] < 3)
    assert result.report.changed
    kept = rewrite(net, to, dialect=dialect, preprocess={"": IMAGENET}, keep_io=True)
    info = kept.model.graph.input[0]
    assert info.type.tensor_type.elem_type == TensorProto.UINT8
    shape = [dim.dim_value or 32 for dim in info.type.tensor_type.shape.dim]
    shape[0], axis = 1, shape.index(3, 1)
    frame = np.random.default_rng(7).integers(0, 256, shape, np.uint8)
    options = (1 / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    wanted = expected(net, frame, axis, *options, bgr=True)
    assert_close(wanted, run_kept(kept, frame))


@pytest.mark.parametrize("seed", range(40))
def test_any_numbers(seed: int) -> None:
    """Any mean, std and scale, by channel or not, of 3 or 5 channels, padded or not, channels first and last."""
    rng = np.random.default_rng(seed)
    pads = {"pads": [int(one) for one in rng.integers(0, 3, 4)]} if rng.random() < 0.5 else {}
    channels = int(rng.choice([3, 5]))
    last = channels == 3 and rng.random() < 0.5
    net = channels_last(**pads) if last else one_conv(channels, **pads)
    bgr, scale = channels == 3 and rng.random() < 0.7, float(rng.choice([1, 1 / 255, 0.1]))
    counts = [int(rng.choice([1, channels])) for _ in range(2)]
    mean, std = scale * rng.uniform(-50, 200, counts[0]), scale * rng.uniform(20, 90, counts[1])
    dtype = str(rng.choice(["uint8", "float32"]))
    words = [dtype, "bgr" if bgr else "rgb", f"scale={scale!r}"]
    words += [f"{key}={','.join(map(repr, map(float, one)))}" for key, one in (("mean", mean), ("std", std))]
    result = rewrite(net, str(rng.choice(["nhwc", "nchw"])), preprocess={"x": ",".join(words)}, keep_io=True)
    frame = rng.integers(0, 256, [1, 11, 13, 3] if last else [1, channels, 11, 13], np.uint8).astype(dtype)
    wanted = expected(net, frame, 3 if last else 1, scale, mean, std, bgr)
    assert_close(wanted, run_kept(result, frame))
    assert validate(net, result.model, providers=["cpu"], runs=1).ok


def test_floats_whose_all_is_folded_leave_no_node() -> None:
    result = rewrite(one_conv(), "nchw", preprocess={"x": "float32,bgr,mean=127.5,std=58"})
    assert result.report.preprocessed[0].nodes == []
    assert result.report.changed  # though no node does
    assert [node.op_type for node in result.model.graph.node] == ["Conv", "Relu"]
    assert validate(one_conv(), result.model, providers=["cpu"]).ok


def test_one_number_needs_no_channels() -> None:
    """A net of which nothing tells the channels, nor that its input is an image."""
    net = model([node("Sigmoid", ["x"], ["y"])], {"x": [1, 28, 29]}, {"y": None})
    result = rewrite(net, preprocess={"x": "uint8,scale=1/255,mean=0.1307,std=0.3081"})
    assert validate(net, result.model, providers=["cpu"]).ok
    with pytest.raises(UsageError, match="nothing tells which axis"):
        rewrite(net, preprocess={"x": "uint8,bgr"})
    with pytest.raises(UsageError, match="nothing tells which axis"):
        rewrite(net, preprocess={"x": "mean=1,2,3"})


@pytest.mark.parametrize("name", ["keras_mnist_17", "torch_mnist_rank3"])
def test_one_number_passes_reshapes(name: str) -> None:
    result = rewrite(KINDS[name], preprocess={"": "uint8,scale=1/255"})
    [one] = result.report.preprocessed
    assert (len(one.folded), list(one.nodes)) == (1, ["Cast"])
    assert validate(KINDS[name], result.model, providers=["cpu"], runs=1).ok


LEFT = {
    "own_functions": "is in a function of the model's own",
    "torch_if": "ReduceMean",
    "torch_qdq": "QuantizeLinear",
    "torch_video_bcthw": "may move channels",
}


@pytest.mark.parametrize("name", LEFT)
@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
def test_what_is_left_in_front(name: str, to: str, dialect: str) -> None:
    """Functions of the model's own, values that bodies read, integers."""
    channels = [dim.dim_value for dim in onnx.load(KINDS[name]).graph.input[0].type.tensor_type.shape.dim][1]
    mean = ",".join(map(str, range(1, 1 + channels)))
    result = rewrite(KINDS[name], to, dialect=dialect, preprocess={"": f"uint8,mean={mean},std=99"})
    [one] = result.report.preprocessed
    assert LEFT[name] in one.reason
    assert one.folded == []
    assert validate(KINDS[name], result.model, providers=["cpu"], runs=1).ok


def test_float16_stays_apart() -> None:
    result = rewrite(KINDS["torch_half"], preprocess={"": "uint8,mean=127.5,std=58"})
    [one] = result.report.preprocessed
    assert (one.folded, list(one.nodes)) == ([], ["Cast", "Sub", "Mul", "Cast"])
    assert "float16" in one.reason
    assert validate(KINDS["torch_half"], result.model, providers=["cpu"], runs=1).ok


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_float64_is_computed_in_itself(dtype: str) -> None:
    net = model([node("Sigmoid", ["x"], ["y"])], [value("x", [1, 3, 5, 7], DOUBLE)], [value("y", None, DOUBLE)])
    result = rewrite(net, preprocess={"x": f"{dtype},scale=1/255,mean=0.1307,std=0.3081"})
    assert list(result.report.preprocessed[0].nodes) == ["Cast", "Sub", "Mul"]
    assert validate(net, result.model, providers=["cpu"], runs=1).ok


def faulty(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    fold = frame_kernels.with_frames
    if fault == "the flip is forgotten":
        dropped = lambda conv, frames, parts, names: fold(conv, frames, {*parts} - {ORDER}, names)  # noqa: E731
        monkeypatch.setattr(preprocess, "with_frames", dropped)
    elif fault == "the mean is folded despite padding":
        monkeypatch.setattr(Readers, "fixes_zero", "")
    elif fault == "the mean is forgotten":
        dropped = lambda conv, frames, parts, names: fold(conv, frames, {*parts} - {SHIFT}, names)  # noqa: E731
        monkeypatch.setattr(preprocess, "with_frames", dropped)
    else:
        fold_one = lambda conv, frames, parts, names: fold(conv, frames, parts, names) if conv.name == "conv1" else conv  # noqa: E731
        monkeypatch.setattr(preprocess, "with_frames", fold_one)


@pytest.mark.parametrize(
    ("fault", "net"),
    [
        ("the flip is forgotten", one_conv()),
        ("the mean is folded despite padding", one_conv(pads=[0, 0, 0, 1])),
        ("the mean is forgotten", one_conv()),
        ("one of two readers is forgotten", two_convs()),
    ],
)
def test_planted_faults_are_found_where_they_are(monkeypatch: pytest.MonkeyPatch, fault: str, net: ModelProto) -> None:
    faulty(monkeypatch, fault)
    result = rewrite(net, preprocess={"x": IMAGENET})
    assert validate(net, result.model, providers=["cpu"], runs=1).fault == "differs from the original"
    search = locate(
        net, result.model, InputRequest(1, 0, {}, {}), layouts=of_perms(result.layouts), values=result.stored
    )
    assert search.located is not None
    assert search.located.nodes[-1].startswith("Conv 'conv2'" if "two" in fault else "Conv 'conv1'")


@pytest.mark.parametrize("net", [one_conv(), channels_last(), two_convs(), COMMITTED["keras_mobilenet_v2"]])
def test_values_inside_agree(net: ModelProto | Path) -> None:
    """Those that hold frames now have other names."""
    result = rewrite(net, preprocess={"": IMAGENET})
    search = locate(
        net, result.model, InputRequest(1, 0, {}, {}), layouts=of_perms(result.layouts), values=result.stored
    )
    assert search.located is None
    assert search.compared
