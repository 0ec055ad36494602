"""The table: how each framework lays out the weights of each kind of layer, and what it calls them.

Letters are those of ``letters.py``; ``S`` stands for the spatial axes (W, HW or DHW). Sources: the documentation of
``torch.nn``, of ``tf.nn`` and Keras, of ``flax.linen``, and TFLite's builtin operators (schema.fbs and kernels).
"""

from typing import NamedTuple

from rewriter.weights.letters import plain
from rewriter.weights.padding import TARGETS

SPATIAL = {0: "", 1: "W", 2: "HW", 3: "DHW"}
PYTORCH, TENSORFLOW, TFLITE, FLAX = TARGETS

# kind of layer -> the matrix or kernel in ONNX, and in each target
KERNELS: dict[str, dict[str, str]] = {
    "conv": {"onnx": "OIS", PYTORCH: "OIS", TENSORFLOW: "SIO", TFLITE: "OSI", FLAX: "SIO"},
    "depthwise_conv": {"onnx": "OIS", PYTORCH: "OIS", TENSORFLOW: "SCM", TFLITE: "1SC", FLAX: "SIO"},
    "conv_transpose": {"onnx": "IOS", PYTORCH: "IOS", TENSORFLOW: "SOI", TFLITE: "OSI", FLAX: "SIO"},
    "dense": {"onnx": "IO", PYTORCH: "OI", TENSORFLOW: "IO", TFLITE: "OI", FLAX: "IO"},
}
# where the number of spatial axes makes a difference: TFLite's CONV_2D on an image of height 1; its CONV_3D;
# Keras, which has no depthwise convolution in 3-D
EXCEPTIONS: dict[tuple[str, str, int], str] = {
    ("conv", TFLITE, 1): "O1SI",
    ("depthwise_conv", TFLITE, 1): "11SC",
    ("conv_transpose", TFLITE, 1): "O1SI",
    ("conv", TFLITE, 3): "SIO",
    ("depthwise_conv", TFLITE, 3): "SIO",
    ("conv_transpose", TFLITE, 3): "SOI",
    ("depthwise_conv", TENSORFLOW, 3): "SIO",
}
FLAX_TRANSPOSE_KERNEL = "SOI"  # with transpose_kernel=True; without, the kernel is SIO and its spatial axes are flipped


class Names(NamedTuple):
    """What a layer calls its parameters, in the order of ONNX's inputs (and of Keras's ``set_weights``)."""

    pytorch: tuple[str, ...]
    tensorflow: tuple[str, ...]
    tflite: tuple[str, ...]
    flax: tuple[str, ...]

    def of(self, target: str) -> tuple[str, ...]:
        names: tuple[str, ...] = getattr(self, target)
        return names


KERNEL = Names(("weight", "bias"), ("kernel", "bias"), ("filter", "bias"), ("kernel", "bias"))
NORM = Names(("weight", "bias"), ("gamma", "beta"), ("scale", "bias"), ("scale", "bias"))
NAMES: dict[str, Names] = {
    "conv": KERNEL,
    "depthwise_conv": KERNEL,
    "conv_transpose": KERNEL,
    "dense": KERNEL,
    "batch_norm": Names(
        ("weight", "bias", "running_mean", "running_var"),
        ("gamma", "beta", "moving_mean", "moving_variance"),
        ("scale", "bias", "mean", "variance"),
        ("scale", "bias", "mean", "var"),
    ),
    "layer_norm": NORM,
    "group_norm": NORM,
    "instance_norm": NORM,
    "prelu": Names(("weight",), ("alpha",), ("alpha",), ("negative_slope",)),
    "embedding": Names(("weight",), ("embeddings",), ("params",), ("embedding",)),
}
FLAX_STATISTICS = ("mean", "var")  # in the collection batch_stats; all others are params


def kernel_letters(kind: str, target: str, spatial: int, transpose_kernel: bool = False) -> str:
    """The layout of a kernel with this many spatial axes in ``target`` (or ``"onnx"``)."""
    if transpose_kernel and (kind, target) == ("conv_transpose", FLAX):
        letters = FLAX_TRANSPOSE_KERNEL
    else:
        letters = EXCEPTIONS.get((kind, target, spatial), KERNELS[kind][target])
    return letters.replace("S", SPATIAL[spatial])


def spelled(kind: str, letters: str, spatial: int) -> str:
    """A kernel's layout as its framework spells it: IHWO of a depthwise kernel is TFLite's 1HWC."""
    tflite = kernel_letters(kind, TFLITE, spatial)
    return tflite if len(tflite) == len(letters) and plain(tflite) == letters else letters


def is_flipped(kind: str, target: str, transpose_kernel: bool) -> bool:
    """Whether the kernel's spatial axes run backwards: ``lax.conv_transpose`` correlates, where others convolve."""
    return (kind, target) == ("conv_transpose", FLAX) and not transpose_kernel


def collection(target: str, name: str) -> str | None:
    """The collection of a Flax model's variables that holds a parameter."""
    if target != FLAX:
        return None
    return "batch_stats" if name in FLAX_STATISTICS else "params"
