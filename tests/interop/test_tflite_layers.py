"""Quantised TFLite files, layer by layer: Keras's layer with the exported real numbers, on LiteRT's own values.

Over a whole net a value that one layer rounds the other way moves those behind it, so that a step is no bound there.
What is exact is each layer: what it reads is what LiteRT's integers stand for, and its result is rounded to the file's
integers, which also ends it where a fused activation does. LiteRT's dynamic range layers round what they read to 8
bits, by row.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from rewriter.weights.check import tensorflow
from rewriter.weights.check.record import Weights
from tests.interop.common import Array, agree, random
from tests.interop.test_tflite import converted, keras_net, quantised

LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
KERNELS = {"XNNPACK": OpResolverType.AUTO, "built in": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}


class File:
    """A file that LiteRT has run, all its values kept."""

    def __init__(self, path: Path, kernels: str) -> None:
        self.run = Interpreter(
            str(path), experimental_preserve_all_tensors=True, experimental_op_resolver_type=KERNELS[kernels]
        )
        self.run.allocate_tensors()
        self.run.set_tensor(self.run.get_input_details()[0]["index"], random(1, 20, 24, 3))
        self.run.invoke()
        self.steps = {tensor["index"]: tensor["quantization"] for tensor in self.run.get_tensor_details()}

    def layers(self) -> Iterator[tuple[str, int, int]]:
        """Operator, what it reads, what it gives."""
        for op in self.run._get_ops_details():
            if op["op_name"] in LAYERS:
                yield op["op_name"], op["inputs"][0], op["outputs"][0]

    def real(self, index: int) -> Array:
        scale, zero = self.steps[index]
        held = self.run.get_tensor(index).astype(np.float64)
        return (held - zero) * scale if scale else held

    def in_steps(self, index: int, x: Array) -> Array:
        """Real numbers by the file's step, ended where its integers end."""
        scale, zero = self.steps[index]
        return np.clip(x / scale + zero, -128, 127)


@pytest.fixture(params=["int8", "dynamic range"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, Weights]:
    (tmp_path / "net.tflite").write_bytes(quantised(keras_net(), request.param))
    held = converted(tmp_path, "tensorflow")
    wide = {name: array.astype(np.float64) for name, array in held.tensors.items()}
    return request.param, tmp_path / "net.tflite", Weights(wide, held.manifest)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.filterwarnings("ignore:Warning. Enabling:UserWarning")  # to keep all values takes memory
def test_each_layer(case: tuple[str, Path, Weights], kernels: str) -> None:
    kind, path, weights = case
    file = File(path, kernels)
    for (op, read, made), entry in zip(file.layers(), weights.layers(), strict=True):
        if kind == "int8":
            y = file.in_steps(made, tensorflow.layer(file.real(read), entry, weights))
            within_a_step(y, file.run.get_tensor(made), exact=kernels == "XNNPACK")
        else:
            x = file.real(read)
            y = tensorflow.layer(rounded_by_row(x) if op == "FULLY_CONNECTED" else x, entry, weights)
            agree(np.maximum(y, 0) if op == "CONV_2D" else y, file.real(made), 1e-6)


def within_a_step(y: Array, found: Array, *, exact: bool) -> None:
    """The same integers; LiteRT's built-in kernels round what is nearly half a step either way."""
    assert np.abs(y - found).max() <= (0.5 if exact else 0.51)
    differing = np.round(y) != found
    assert np.abs(np.round(y) - found).max() <= (0 if exact else 1)
    assert differing.mean() <= (0 if exact else 0.005)


def rounded_by_row(x: Array) -> Array:
    """As LiteRT's dynamic range kernels do: from the least to the most of a row, and zero, in 255 steps."""
    least, most = np.minimum(x.min(-1, keepdims=True), 0), np.maximum(x.max(-1, keepdims=True), 0)
    scale = (most - least) / 255
    zero: Any = np.round(-128 - least / scale)
    return scale * (np.clip(np.round(x / scale) + zero, -128, 127) - zero)
