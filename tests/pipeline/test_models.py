"""The main job on real architectures: every committed model, and onnx's model zoo, in every direction."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import ModelProto

from passes.dialects.base import form_named, kernel_perm
from passes.layout import perm
from rewriter import rewrite
from tests.support.graphs import COMMITTED, DIRECTIONS, LIGHT, converted, count, dims, weights

# Transposes of the result's main graph: to nhwc with functions, to nhwc and to nchw in standard operators
TRANSPOSES = {
    "keras_conv1d": (0, 1, 0),
    "keras_conv3d": (0, 1, 0),
    "keras_flatten": (0, 1, 0),
    "keras_mobilenet_v2": (0, 1, 0),
    "keras_mobilenet_v3": (0, 1, 0),
    "keras_mobilenet_v3_transposes": (0, 1, 0),
    "keras_resnet": (0, 1, 0),
    "keras_superres": (0, 2, 0),  # an image at either end
    "keras_unet": (0, 2, 0),
    "keras_unet_dynamic": (0, 2, 0),
    "torch_conv3d": (0, 0, 0),  # one input channel: a Reshape does
    "torch_densenet": (0, 1, 0),
    "torch_efficientnet": (0, 1, 0),
    "torch_flatten": (0, 1, 0),
    "torch_flatten_legacy": (0, 1, 0),
    "torch_mobilenet_v2": (0, 1, 0),
    "torch_mobilenet_v3": (0, 1, 0),
    "torch_resnet": (0, 1, 0),
    "torch_resnet_bottleneck": (0, 1, 0),
    "torch_superres": (0, 2, 0),
    "torch_superres_legacy": (0, 2, 0),
    "torch_unet": (0, 2, 0),
    "torch_unet_dynamo": (0, 2, 0),
    "torch_vocoder": (0, 1, 0),  # one output channel
    "torch_vocoder_legacy": (0, 1, 0),
    "light_bvlc_alexnet": (0, 1, 0),
    "light_densenet121": (0, 1, 0),
    "light_inception_v1": (0, 1, 0),
    "light_inception_v2": (0, 1, 0),
    "light_resnet50": (0, 1, 0),
    "light_shufflenet": (16, 17, 16),  # its own, between the two halves of each channel shuffle
    "light_squeezenet": (0, 1, 0),
    "light_vgg19": (0, 1, 0),
    "light_zfnet512": (0, 1, 0),
}
SLOW = ("light_bvlc_alexnet", "light_vgg19")  # seconds per run: only one direction each

PATHS = {**COMMITTED, **LIGHT}
RUNS = [
    pytest.param(PATHS[name], to, dialect, expected, id=f"{name}-{to}-{dialect}")
    for name, counts in TRANSPOSES.items()
    for (to, dialect), expected in zip(DIRECTIONS, counts, strict=True)
    if name not in SLOW or dialect == "function"
]


def test_the_table_has_every_model() -> None:
    assert set(TRANSPOSES) == set(PATHS)
    assert len(LIGHT) == 9


@pytest.mark.parametrize(("path", "to", "dialect", "expected"), RUNS)
def test_conversion(path: Path, to: str, dialect: str, expected: int) -> None:
    result = converted(path, to, dialect)
    assert result.report.transposes[1] == count(result.model) == expected
    assert result.report.barriers == {}
    assert result.report.optimal
    check_interface(path, to, interface(onnx.load(path)), interface(result.model))


def interface(model: ModelProto) -> dict[str, Any]:
    """Declared shapes of inputs and outputs."""
    shapes = dims([*model.graph.input, *model.graph.output])
    return {name: shape for name, shape in shapes.items() if name not in weights(model)}


def check_interface(path: Path, to: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Images flip if the model's origin stores them the other way; names and all else stay."""
    stored = "nhwc" if path.stem.startswith("keras") else "nchw"
    flip = perm.channels_last if to == "nhwc" else perm.channels_first
    kept = {name for name, shape in before.items() if len(shape) < 3}
    flipped = {name: perm.reorder(flip(len(shape)), shape) for name, shape in before.items() if name not in kept}
    assert after == (before if to == stored else before | flipped)


@pytest.mark.parametrize("weight_layout", ["ohwi", "hwio"])
@pytest.mark.parametrize("path", COMMITTED.values(), ids=COMMITTED)
def test_kernels_are_stored_as_asked(path: Path, weight_layout: str) -> None:
    original, result = onnx.load(path), rewrite(path, "nhwc", weight_layout=weight_layout)
    before, after = kernel_shapes(original), kernel_shapes(result.model)
    assert len(before) == len(after) > 0
    for (op, shape), (name, stored) in zip(before, after, strict=True):
        assert stored == perm.reorder(kernel_perm(op, len(shape), weight_layout), shape), name


def kernel_shapes(model: ModelProto) -> list[tuple[str, list[int]]]:
    """Operator and shape of the kernel of each convolution, in order; channels-last functions where there are any."""
    held, kernels = weights(model), []
    for node in model.graph.node:
        spec = form_named(node.op_type.partition("_")[0], 18)
        if spec is not None and "w" in spec.inputs:
            kernels.append((spec.op, list(held[node.input[1]].shape)))
    return kernels


@pytest.mark.no_cover  # what test_conversion covers
@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
@pytest.mark.parametrize("path", COMMITTED.values(), ids=COMMITTED)
def test_two_rewrites_are_the_same_bytes(path: Path, to: str, dialect: str) -> None:
    once, again = (rewrite(path, to, dialect=dialect).model.SerializeToString() for _ in range(2))
    assert once == again
