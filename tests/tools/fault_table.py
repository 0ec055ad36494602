"""Faults of rules, each on a committed model in which the plan has such a node otherwise than the original."""

from typing import NamedTuple

from tests.support.faulty_rules import (
    Spoil,
    exchanged,
    halves_exchanged,
    inverted,
    left_alone,
    unmoved,
    with_attr,
    with_input,
    with_operands,
    with_output,
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
]
