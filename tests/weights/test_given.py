"""What users hand to the functions: integers of any type, words, letters; and one sentence for what cannot be."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import ModelProto

from rewriter import UsageError, conv_padding, conv_transpose_padding, convert_layout, flatten_order, pool_padding
from rewriter.weights import export_weights, fill_keras, read_weights, save_weights
from tests.support.graphs import COMMITTED, conv, model, node, random

KERNEL, DENSE = random(4, 3, 2, 2), random(7, 30)
NET = COMMITTED["torch_flatten"]

# by what is given: the call, and the same as it was always written
ALIKE: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "small letters": (lambda: convert_layout(KERNEL, "oihw", "hwio"), lambda: convert_layout(KERNEL, "OIHW", "HWIO")),
    "lists": (lambda: convert_layout(KERNEL.tolist(), "OIHW", "HWIO"), lambda: convert_layout(KERNEL, "OIHW", "HWIO")),
    "groups": (
        lambda: convert_layout(KERNEL[:, :1], "OIHW", "HWCM", groups=np.int64(2)),
        lambda: convert_layout(KERNEL[:, :1], "OIHW", "HWCM", groups=2),
    ),
    "chw and axis": (
        lambda: flatten_order(DENSE, np.int64(1), np.array([2, 3, 5]), "hwc", "chw"),
        lambda: flatten_order(DENSE, 1, (2, 3, 5)),
    ),
    "numbers of NumPy": (
        lambda: conv_padding(np.array([3, 3]), np.int64(2), np.array([[1, 1], [0, 1]]), np.int8(1), size=np.int64(7)),
        lambda: conv_padding((3, 3), 2, [(1, 1), (0, 1)], size=(7, 7)),
    ),
    "a kernel of one axis": (lambda: conv_padding(np.int64(3), 2), lambda: conv_padding([3], [2])),
    "one size": (lambda: conv_padding((3, 3), 2, 1, size=7), lambda: conv_padding((3, 3), 2, 1, size=(7, 7))),
    "an unknown size": (lambda: conv_padding((3, 3), 2, 1, size="N"), lambda: conv_padding((3, 3), 2, 1)),
    "valid": (lambda: conv_padding((3, 3), 2, "valid"), lambda: conv_padding((3, 3), 2)),
    "valid, transposed": (lambda: conv_transpose_padding(3, 2, "VALID"), lambda: conv_transpose_padding(3, 2)),
    "same for Flax": (lambda: conv_padding((3, 2), 1, "same", to="flax"), lambda: {"padding": [(1, 1), (0, 1)]}),
    "same with a stride": (
        lambda: conv_padding((3, 3), 2, "SAME", size=8, to="flax"),
        lambda: {"padding": [(0, 1), (0, 1)]},
    ),
    "same of any size": (lambda: conv_padding((3, 3), 2, "same"), lambda: {"padding": "SAME"}),
    "same of a pool": (lambda: pool_padding(3, 2, "same", average=True), lambda: {"padding": "SAME"}),
    "same that is counted": (
        lambda: pool_padding(3, 1, "same", average=True, count_include_pad=True),
        lambda: pool_padding(3, 1, 1, average=True, count_include_pad=True),
    ),
    "a framework's name": (lambda: conv_padding(3, to="Keras"), lambda: conv_padding(3, to="tensorflow")),
}


@pytest.mark.parametrize("what", ALIKE)
def test_it_is_the_same(what: str) -> None:
    given, usual = (call() for call in ALIKE[what])
    assert isinstance(given, dict) == isinstance(usual, dict)
    np.testing.assert_equal(given, usual)
    if isinstance(given, dict):
        numbers = [n for value in given.values() if isinstance(value, list) for n in np.ravel(value).tolist()]
        assert all(type(n) is int for n in numbers)
        assert "np." not in str(given)


def test_same_is_what_tensorflow_says() -> None:
    """At any stride, for inputs of any size."""
    for size in range(5, 12):
        for stride in (1, 2, 3):
            (pads,) = conv_padding(4, stride, "same", to="flax", size=size)["padding"]
            assert (size + sum(pads) - 4) // stride + 1 == -(-size // stride)
            assert pads[1] - pads[0] in (0, 1)


def test_a_type_that_numpy_has_not() -> None:
    kernel = KERNEL.astype(ml_dtypes.bfloat16)
    assert convert_layout(kernel, "OIHW", "HWIO").dtype == ml_dtypes.bfloat16


ERRORS: list[tuple[Callable[[], Any], str]] = [
    (lambda: convert_layout(None, "OI", "IO"), "array is None: give an array or a tensor of numbers"),
    (lambda: convert_layout([[1, 2], [3]], "OI", "IO"), r"array is \[\[1, 2\], \[3\]\], which is no array of numbers"),
    (lambda: convert_layout("text", "OI", "IO"), "array is 'text': give an array"),
    (lambda: convert_layout(KERNEL, None, "HWIO"), "old is None: write each axis as one letter"),  # type: ignore[arg-type]
    (lambda: convert_layout(KERNEL, "OIHW", "channels_last"), "NCHW or NHWC; TensorFlow's kernels are HWIO in either"),
    (
        lambda: convert_layout(KERNEL[:, :1], "OIHW", "HWCM", groups=-2),
        "groups is -2: give a whole number of",
    ),
    (lambda: flatten_order(DENSE, 1, 315), "chw is 315: give 3 numbers of at least 1, one for each letter of CHW"),  # type: ignore[arg-type]
    (lambda: flatten_order(DENSE, 1, (2.0, 3, 5)), "chw is"),  # type: ignore[arg-type]
    (lambda: flatten_order(DENSE, "I", (2, 3, 5)), "axis is 'I': give a whole number"),  # type: ignore[arg-type]
    (
        lambda: conv_padding((3, 3), 2, "reflect"),
        r"'reflect': give numbers, pairs \(before, after\), or SAME or VALID",
    ),
    (
        lambda: conv_padding((3, 3), 2, "same", to="pytorch"),
        "padding is 'same' with a stride, which depends on the",
    ),
    (lambda: conv_padding((3, 3), 1, [1, 1, 1, 1]), "give 2 numbers of at least 0, one for each axis of the kernel"),
    (lambda: conv_padding((3, 3), 1, [(1, 1)]), "give 2 pairs"),
    (lambda: conv_padding((3, 3), 1, [(1, 1, 1), (1, 1)]), "a pair of padding is .1, 1, 1.: give 2 numbers"),
    (lambda: conv_padding((3, 3), 1.5), "stride is 1.5: give 2 numbers of at least 1"),  # type: ignore[arg-type]
    (lambda: conv_padding((3, 3), True), "stride is True: give 2 numbers of at least 1"),
    (lambda: conv_padding("3"), "kernel is '3': give 1 number of at least 1"),  # type: ignore[arg-type]
    (lambda: conv_padding([]), r"kernel is \[\]: give 1 number of at least 1"),
    (lambda: conv_padding((3, 0)), "kernel is .3, 0.: give 2 numbers of at least 1"),
    (lambda: conv_padding(KERNEL), "kernel is array"),
    (lambda: conv_padding((3, 3), 2, 1, size=(7,)), "size is .7,.: give one for each of the 2 axes"),
    (lambda: conv_padding((3, 3), 2, "same", size=(7,)), "size is .7,.: give one for each of the 2 axes"),
    (lambda: conv_padding((3, 3), 2, 1, size=7.5), "size is 7.5: give"),  # type: ignore[arg-type]
    (lambda: conv_padding(3, to=None), "to is None; it must be pytorch"),  # type: ignore[arg-type]
    (
        lambda: conv_transpose_padding(3, 2, 1, 2),
        "output_padding is 2: it must be less than the stride or",
    ),
    (lambda: conv_transpose_padding(3, 2, 1, "1"), "output_padding is '1': give 1 number"),  # type: ignore[arg-type]
    (lambda: conv_transpose_padding(3, 2, "same"), "padding is 'same': of a transposed convolution give the numbers"),
    (lambda: pool_padding(3, None, average=True), "stride is None: give 1 number"),  # type: ignore[arg-type]
    (lambda: export_weights({"a": 1}, "keras"), "model is a dict: give an onnx.ModelProto or the path of a file"),  # type: ignore[arg-type]
    (lambda: export_weights(NET, "keras", names=["a"]), r"names is \['a'\]: give new names by names"),  # type: ignore[arg-type]
    (lambda: export_weights(NET, "keras", names={"conv1": 3}), "names is {'conv1': 3}"),  # type: ignore[dict-item]
    (
        lambda: export_weights(NET, "keras", checkpoint={"lr": 0.1}),
        "checkpoint is {'lr': 0.1}: give a path, or a",
    ),
    (lambda: export_weights(NET, "keras", checkpoint=5), "checkpoint is 5: give the path of a file"),  # type: ignore[arg-type]
    (lambda: save_weights(export_weights(NET, "keras"), 5), "path is 5: give the path of a file"),  # type: ignore[arg-type]
    (lambda: read_weights(5), "path is 5: give the path of a file"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "words"), ERRORS)
def test_one_sentence(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_output_padding_up_to_the_larger_of_both() -> None:
    """As ``torch.nn.functional.conv_transpose1d`` has it."""
    assert conv_transpose_padding(3, 2, 1, 2, 3, to="pytorch") == {"padding": [1], "output_padding": [2]}


def test_no_keras_model(tmp_path: Path) -> None:
    save_weights(export_weights(NET, "keras"), tmp_path / "w.npz")
    with pytest.raises(UsageError, match="model is a int: give a Keras model"):
        fill_keras(5, tmp_path / "w.npz")


# Models without weights, and with layers that cannot be

IMAGE = {"x": [2, 6, 5, 7]}


def layer(op: str, *kernel: int, **attrs: Any) -> ModelProto:
    return model([node(op, ["x", "w"], ["y"], "node", **attrs)], IMAGE, {"y": None}, {"w": random(*kernel)})


@pytest.mark.parametrize("target", ["pytorch", "keras"])
@pytest.mark.parametrize(
    ("proto", "words"),
    [
        (
            layer("Conv", 10, 3, 3, 3),
            r"'node' \(Conv\): its kernel is for 3 input channels, and what it reads has 6",
        ),
        (layer("Conv", 9, 3, 3, 3, group=3), "its kernel is for 9 input channels, and what it reads has 6"),
        (layer("Conv", 10, 2, 3, 3, group=3), "its kernel has 10 channels, which are not 3 groups of as many"),
        (layer("ConvTranspose", 10, 2, 3, 3), "its kernel is for 10 input channels, and what it reads has 6"),
        (model([node("Neg", ["x"], ["y"])], IMAGE, {"y": None}), "no weights are in the model and no layers"),
    ],
)
def test_what_cannot_be_exported(proto: ModelProto, words: str, target: str) -> None:
    with pytest.raises(UsageError, match=words):
        export_weights(proto, target)


def test_layers_without_weights_are_told() -> None:
    proto = model([node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])], IMAGE, {"y": None})
    export = export_weights(proto, "keras")
    assert len(export.manifest.layers) == 1
    assert export.manifest.notes == [
        "no weights are in the model: export it with its parameters, if it should have some"
    ]


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_channels_that_fit(op: str) -> None:
    shape = (9, 2, 3, 3) if op == "Conv" else (6, 2, 3, 3)
    assert export_weights(layer(op, *shape, group=3), "pytorch").tensors["w"].shape == shape


def test_a_kernel_of_unknown_channels() -> None:
    proto = model([conv("x", "y")], {"x": ["N", "C", 5, 7]}, {"y": None}, {"w": random(4, 3, 3, 3)})
    assert export_weights(proto, "pytorch").tensors
