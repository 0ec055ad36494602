"""Faults of rules, each on a committed model in which the plan has such a node otherwise than the original."""

from typing import NamedTuple

from tests.support.faulty_rules import (
    Spoil,
    exchanged,
    halves_exchanged,
    inverted,
    left_alone,
    other_mode,
    rolled,
    unmoved,
    unordered,
    with_attr,
    with_input,
    with_operands,
    with_output,
    with_step,
    without_edit,
)


class Fault(NamedTuple):
    """``spoil`` makes ``what`` is wrong of all rules of ``op``, of which ``model`` shows it."""

    op: str
    what: str
    spoil: Spoil
    model: str
    to: str = "nhwc"
    dialect: str = "function"


FAULTS = [
    Fault("Conv", "kernel: H and W change places", with_input(1, exchanged(1, 2)), "keras_conv3d"),
    Fault("Conv", "kernel: the perm for its inverse", with_input(1, inverted), "keras_frames"),
    Fault("Conv", "kernel: left as it was", with_input(1, left_alone), "keras_frames"),
    Fault("Conv", "pads: ends before begins", with_attr("pads", halves_exchanged), "keras_conv1d"),
    Fault("Conv", "result: said to be as W, H", with_output(0, exchanged(1, 2)), "keras_unet_dynamic"),
    Fault("ConvTranspose", "kernel: H and W change places", with_input(1, exchanged(1, 2)), "keras_unet"),
    Fault("ConvTranspose", "pads: ends before begins", with_attr("pads", halves_exchanged), "keras_conv3d"),
    Fault("MaxPool", "pads: ends before begins", with_attr("pads", halves_exchanged), "keras_resnet"),
    Fault("Concat", "operands: in another order", with_operands(1, 0), "keras_unet"),
    Fault("Softmax", "axis: stays", unmoved("axis"), "torch_flow"),
    Fault("Softmax", "axis: the one before", with_attr("axis", lambda a: a - 1 if a else 1, -1), "torch_flow"),
    Fault("Add", "operand: not aligned", with_input(1, left_alone), "keras_dcgan", "nhwc", "onnx"),
    Fault("Add", "operand: H and W change places", with_input(1, exchanged(1, 2)), "torch_superres"),
    Fault("Mul", "operand: not aligned", with_input(1, left_alone), "keras_conv1d"),
    Fault("Mul", "operand: H and W change places", with_input(1, exchanged(1, 2)), "keras_conv1d"),
    Fault("Sub", "operands: change places", with_operands(1, 0), "keras_group_norm", "nchw", "onnx"),
    Fault("Div", "operands: change places", with_operands(1, 0), "torch_pixels_hwc"),
    Fault("Concat", "axis: stays", unmoved("axis"), "keras_unet"),
    Fault("Concat", "result: said to be as W, H", with_output(0, exchanged(1, 2)), "keras_unet_dynamic"),
    Fault("Conv", "image: read as W, H", with_input(0, exchanged(1, 2)), "keras_unet_dynamic"),
    Fault("ConvTranspose", "result: said to be as W, H", with_output(0, exchanged(1, 2)), "keras_unet_dynamic"),
    Fault("ConvTranspose", "image: read as W, H", with_input(0, exchanged(1, 2)), "keras_unet_dynamic"),
    Fault("MaxPool", "image: read as W, H", with_input(0, exchanged(1, 2)), "keras_unet_dynamic"),
    Fault("Relu", "result: said to be as W, H", with_output(0, exchanged(1, 2)), "keras_unet_dynamic"),
    Fault("Relu", "image: read as W, H", with_input(0, exchanged(1, 2)), "keras_unet_dynamic"),
    Fault("Slice", "result: said to be as W, H", with_output(0, exchanged(1, 2)), "keras_unet_dynamic"),
    Fault("Pad", "result: said to be as W, H", with_output(0, exchanged(1, 2)), "keras_unet_dynamic"),
    Fault("Resize", "result: said to be as W, H", with_output(0, exchanged(1, 2)), "torch_superres"),
    Fault("Resize", "mode: nearest", with_attr("mode", lambda _: "nearest"), "torch_stylegan"),
    Fault("LeakyRelu", "result: said to be as W, H", with_output(0, exchanged(1, 2)), "keras_conv1d"),
    Fault("Tanh", "result: said to be as W, H", with_output(0, exchanged(1, 2)), "keras_conv1d"),
    Fault("RoiAlign", "result: said to be as W, H", with_output(0, exchanged(1, 2)), "torch_mask_rcnn"),
    Fault("DepthToSpace", "mode: the other", with_attr("mode", other_mode, "DCR"), "keras_superres"),
    Fault("Gemm", "rows: order not folded", with_input(1, unordered), "torch_flatten"),
    Fault("MatMul", "rows: order not folded", with_input(1, unordered), "keras_mnist_dynamic", "nhwc", "onnx"),
    Fault("MatMul", "right operand: turned", with_input(1, exchanged(0, 1)), "torch_sam", "nchw", "onnx"),
    Fault("Flatten", "order: forgotten", with_output(0, unordered), "torch_mask_rcnn"),
    Fault("Reshape", "order: forgotten", with_output(0, unordered), "torch_shuffle", "nhwc", "onnx"),
    Fault(
        "Reshape",
        "result: last two axes change places",
        with_output(0, exchanged(-2, -1)),
        "torch_shuffle",
        "nhwc",
        "onnx",
    ),
    Fault("Transpose", "perm: its inverse", with_output(0, inverted), "keras_unet_dynamic", "nchw", "onnx"),
    Fault(
        "Transpose",
        "perm: last two change places",
        with_output(0, exchanged(-2, -1)),
        "keras_unet_dynamic",
        "nhwc",
        "onnx",
    ),
    Fault("BatchNormalization", "scale as Mul: one place on", with_step(0, rolled), "torch_clap", "nhwc", "onnx"),
    Fault("BatchNormalization", "shift as Add: one place on", with_step(1, rolled), "torch_clap", "nhwc", "onnx"),
    Fault("BatchNormalization", "mean and variance: change places", with_operands(0, 1, 2, 4, 3), "torch_unet_dynamo"),
    Fault("BatchNormalization", "scale and bias: change places", with_operands(0, 2, 1), "torch_unet_dynamo"),
    Fault("BatchNormalization", "epsilon: another", with_attr("epsilon", lambda _: 1.0, 1e-5), "torch_unet_dynamo"),
    Fault("QLinearConv", "kernel: H and W change places", with_input(3, exchanged(1, 2)), "torch_qoperator"),
    Fault("ConvInteger", "kernel: H and W change places", with_input(1, exchanged(1, 2)), "torch_dynamic"),
    Fault("ReduceMean", "axes: stay", without_edit(1), "torch_tsm_dynamo"),
    Fault("Tile", "repeats: stay", without_edit(1), "keras_autoencoder", "nchw", "onnx"),
]
