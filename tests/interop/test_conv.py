"""Convolutions: PyTorch (or onnxruntime, for pads that PyTorch has not) against TensorFlow, LiteRT and Flax."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rewriter.weights.check import flax, tensorflow, tflite
from tests.interop import in_torch
from tests.interop.common import agree, first, last, onnx_of, ort_run, random, spread, torch_run, written

CONVS = {1: torch.nn.Conv1d, 2: torch.nn.Conv2d, 3: torch.nn.Conv3d}
SIZES = (13, 11, 9)
RUNS = {
    "tensorflow": tensorflow.layer,
    "tflite": tflite.layer,
    "flax": flax.layer,
    "pytorch": in_torch.layer,
}
DEPTHWISE_TWICE = {"groups": 6, "out": 12}
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "pointwise": {"kernel": 1, "stride": 2},
    "same": {"padding": 1},
    "stride": {"kernel": 5, "stride": 2, "padding": 2},
    "even": {"kernel": 4, "stride": 3, "padding": 1},
    "dilation": {"dilation": 2, "padding": 2},
    "stride and dilation": {"stride": 2, "dilation": 3, "padding": 3},
    "groups": {"groups": 3, "padding": 1},
    "groups and stride": {"groups": 2, "stride": 2, "padding": 1},
    "depthwise": {"groups": 6, "out": 6, "padding": 1},
    "depthwise twice": {**DEPTHWISE_TWICE, "padding": 1},
    "depthwise stride": {**DEPTHWISE_TWICE, "stride": 2, "padding": 1},
    "depthwise dilation": {**DEPTHWISE_TWICE, "dilation": 2, "padding": 2},
}
ASYMMETRIC = {
    "behind": (0, 1, 1, 2),
    "before": (2, 1, 0, 0),
    "even same": (0, 1, 1, 2),
}


def conv_net(
    dims: int, kernel: int = 3, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1, out: int = 12
) -> torch.nn.Module:
    torch.manual_seed(dims)
    kernels = [kernel + (i if kernel in (3, 4) and dilation == 1 else 0) for i in range(dims)]
    return CONVS[dims](6, out, kernels, stride, padding, dilation, groups)


def impossible(target: str, dims: int, case: str) -> bool:
    """What the manifest's notes say that TFLite has not: groups in 3-D."""
    return target == "tflite" and dims == 3 and ("groups" in case or "depthwise" in case)


@pytest.mark.parametrize("target", RUNS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dims", CONVS)
def test_conv(dims: int, case: str, target: str, tmp_path: Path) -> None:
    net = conv_net(dims, **CASES[case])
    x = random(2, 6, *SIZES[:dims])
    weights = written(onnx_of(net, torch.from_numpy(x)), target, tmp_path)
    (entry,) = weights.layers()
    if impossible(target, dims, case):
        assert any("no groups" in note for note in weights.manifest["notes"])
        return
    agree(first(np.asarray(RUNS[target](last(x), entry, weights))), torch_run(net, x))


@pytest.mark.parametrize("target", RUNS)
@pytest.mark.parametrize("pads", ASYMMETRIC)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dims", CONVS)
def test_asymmetric_pads(dims: int, stride: int, pads: str, target: str, tmp_path: Path) -> None:
    kernel = 4 if pads == "even same" else 3
    net = CONVS[dims](6, 5, kernel, stride)
    x = random(2, 6, *SIZES[:dims])
    model = onnx_of(net, torch.from_numpy(x))
    begins, ends = spread(ASYMMETRIC[pads][0], dims), spread(ASYMMETRIC[pads][1], dims)
    begins[-1], ends[-1] = ASYMMETRIC[pads][2:]
    set_pads(model, [*begins, *ends])
    weights = written(model, target, tmp_path)
    (entry,) = weights.layers()
    agree(first(np.asarray(RUNS[target](last(x), entry, weights))), ort_run(model, x))


@pytest.mark.parametrize("target", RUNS)
@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("kernel", [3, 4])
def test_auto_pad(kernel: int, auto_pad: str, target: str, tmp_path: Path) -> None:
    net = CONVS[2](6, 5, kernel, 2)
    x = random(2, 6, 12, 11)
    model = onnx_of(net, torch.from_numpy(x))
    set_pads(model, None, auto_pad)
    weights = written(model, target, tmp_path)
    (entry,) = weights.layers()
    agree(first(np.asarray(RUNS[target](last(x), entry, weights))), ort_run(model, x))


def set_pads(model: Any, pads: list[int] | None, auto_pad: str = "NOTSET") -> None:
    """Give the model's one Conv other pads; its output has then another shape."""
    import onnx

    (node,) = (n for n in model.graph.node if n.op_type == "Conv")
    kept = [attr for attr in node.attribute if attr.name != "pads"]
    del node.attribute[:]
    node.attribute.extend(kept)
    node.attribute.append(onnx.helper.make_attribute("auto_pad", auto_pad))
    if pads is not None:
        node.attribute.append(onnx.helper.make_attribute("pads", pads))
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
