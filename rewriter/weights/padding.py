"""Padding of convolutions and pools, from one framework's terms to another's.

Amounts are pairs (before, after), one per spatial axis. TensorFlow's SAME depends on the input's size as soon as there
is a stride, and puts an odd pixel behind: it is written only where it is exactly equal, else ``tf.pad`` amounts are.
"""

from typing import Any

from rewriter.errors import UsageError
from rewriter.weights.frameworks import framework_of
from rewriter.weights.windows import SAME, Ints, Pads, Sizes, says_same, spread, windows_of


def conv_padding(
    kernel: Ints, stride: Ints = 1, padding: Pads = 0, dilation: Ints = 1, *, to: str = "tensorflow", size: Sizes = None
) -> dict[str, Any]:
    """What a convolution of PyTorch's ``kernel``, ``stride``, ``padding``, ``dilation`` is given in ``to``.

    ``kernel`` has one entry per spatial axis; other arguments may be one number for all, of any type of integers.
    ``padding`` may hold pairs, or be "same" or "valid". ``size``: that of the input's spatial axes, where known; text
    and ``None`` stand for unknown ones. The result:

    * pytorch: ``padding``, and where it is asymmetric ``pad``, the list for ``torch.nn.functional.pad``
    * tensorflow, tflite: ``padding`` SAME or VALID; with VALID perhaps ``pad``, the list for ``tf.pad``; with SAME
      ``for_size`` where it is equal for inputs of this size but not of any
    * flax: ``padding``, pairs

    Sources: ``tf.nn.convolution`` ("SAME" and "VALID"), ``jax.lax.conv_general_dilated``, ``torch.nn.Conv2d``.
    Raises UsageError on arguments that do not fit each other.
    """
    framework = framework_of(to, "to")
    if framework.pads_same and says_same(padding):
        windows_of(kernel, stride, 0, dilation, size)  # these must fit each other all the same
        return {"padding": SAME}
    return framework.conv_padding(windows_of(kernel, stride, padding, dilation, size))


def conv_transpose_padding(
    kernel: Ints,
    stride: Ints = 1,
    padding: Pads = 0,
    output_padding: Ints = 0,
    dilation: Ints = 1,
    *,
    to: str = "tensorflow",
) -> dict[str, Any]:
    """What a transposed convolution of PyTorch's arguments is given in ``to``. None of it depends on the input's size.

    ``output_padding`` is less than stride or dilation, as PyTorch has it. The result:

    * pytorch: ``padding`` and ``output_padding``; where these cannot say it, ``crop`` of the result and ``pad`` after
    * tensorflow, tflite: ``padding`` SAME or VALID; ``output_size``, with which ``tf.nn.convN_transpose`` is given
      ``scale * input + offset``; ``output_padding``, with which a Keras layer gives that size; then ``crop``, and
      ``pad`` for ``tf.pad``, of the result (before its bias)
    * flax: ``padding``, pairs, for both values of ``transpose_kernel``

    Why: the whole result has ``(input - 1) * stride + window`` elements, ``window = (kernel - 1) * dilation + 1``.
    PyTorch cuts ``padding`` from both ends and adds ``output_padding`` behind; TensorFlow's VALID is the whole result;
    ``lax.conv_transpose`` is told how far the window goes over both ends. Sources: the operator ConvTranspose of ONNX,
    ``tf.nn.conv2d_transpose``, ``jax.lax.conv_transpose``. Raises UsageError on arguments that do not fit each other.
    """
    framework = framework_of(to, "to")
    if says_same(padding):
        raise UsageError(f"padding is {padding!r}: of a transposed convolution give the numbers that are cut")
    windows = windows_of(kernel, stride, padding, dilation)
    extra = spread(len(windows.kernel), output_padding, "output_padding")
    if any(more >= max(step) for more, *step in zip(extra, windows.strides, windows.dilations, strict=True)):
        raise UsageError(f"output_padding is {output_padding}: it must be less than the stride or the dilation")
    return framework.conv_transpose_padding(windows, extra)


def pool_padding(
    kernel: Ints,
    stride: Ints,
    padding: Pads = 0,
    dilation: Ints = 1,
    *,
    average: bool,
    count_include_pad: bool = False,
    ceil_mode: bool = False,
    to: str = "tensorflow",
    size: Sizes = None,
) -> dict[str, Any]:
    """What a pool of these arguments is given in ``to``; ``size`` is that of the input's spatial axes, where known.

    As ``conv_padding``, and for an average ``count_include_pad``. ``pad_value`` is what to pad with if not with 0.
    ``divide_by_ones``: divide the result by the same pool, padding included, of a tensor of ones: only so are padded
    elements not counted. ``note`` instead of amounts: why they cannot be known. Sources: the operators AveragePool and
    MaxPool of ONNX, ``tf.nn.avg_pool``, ``flax.linen.avg_pool``. Raises UsageError on arguments that do not fit.
    """
    framework = framework_of(to, "to")
    if framework.pads_same and says_same(padding) and not (average and count_include_pad):
        windows_of(kernel, stride, 0, dilation, size)
        return {"padding": SAME}
    windows = windows_of(kernel, stride, padding, dilation, size)
    return framework.pool_padding(windows, average=average, count_include_pad=count_include_pad, ceil_mode=ceil_mode)
