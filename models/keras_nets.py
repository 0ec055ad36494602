"""Well-known convolutional architectures in a few lines of Keras each, or out of `keras.applications`.

Every function takes the shape of the input without N, channels last, and returns a model. Images are
[N, H, W, 3], sequences [N, T, C] and volumes [N, D, H, W, C].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

Tensor = Any
Shape = tuple[int | None, ...]


def randomise(model: keras.Model, x: np.ndarray, bias: bool = True, seed: int = 0) -> keras.Model:
    """Random weights (He et al., arXiv:1502.01852) and batch statistics as if trained on `x`.

    Each batch normalisation gets affine parameters other than 1 and 0, and the mean and variance of what
    reaches it, put off at random (by a tenth of the deviation, by half of the variance), so that forgetting
    any of them shows. With `bias` False, the biases of convolutions and dense layers stay 0.
    """
    rng = np.random.default_rng(seed)

    def measured(bn: layers.BatchNormalization) -> Callable[..., Tensor]:
        call = bn.call

        def measure_and_call(x: Tensor, **options: Any) -> Tensor:
            mean, var = (np.asarray(v) for v in ops.moments(x, list(range(x.ndim - 1))))
            var = var + 0.01 * var.mean()  # lest a channel that hardly varies be blown up
            bn.moving_mean.assign(mean + rng.normal(0, 0.1, mean.shape) * np.sqrt(var))
            bn.moving_variance.assign(var * rng.uniform(0.5, 1.5, var.shape))
            return call(x, **options)

        return measure_and_call

    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    for layer in model.layers:
        if getattr(layer, "kernel", None) is not None:
            layer.kernel.assign(rng.normal(0, math.sqrt(2 / _fan_in(layer)), layer.kernel.shape))
        if bias and getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.normal(0, 0.1, layer.bias.shape))
        if isinstance(layer, layers.PReLU):
            layer.alpha.assign(rng.uniform(0.1, 0.4, layer.alpha.shape))
        for weight in () if layer in norms else (getattr(layer, "gamma", None), getattr(layer, "beta", None)):
            if weight is not None:  # of layer normalisations and layer scales
                weight.assign(rng.uniform(0.2, 0.4, weight.shape))
        if isinstance(layer, layers.Normalization):  # arrays, as tf2onnx would take tensors for further inputs
            layer.mean = rng.normal(0, 0.1, layer.mean.shape).astype(np.float32)
            layer.variance = rng.uniform(0.5, 1.5, layer.variance.shape).astype(np.float32)
    for bn in norms:
        if bn.scale:
            bn.gamma.assign(rng.uniform(0.7, 1.3, bn.gamma.shape))
        bn.beta.assign(rng.normal(0, 0.1, bn.beta.shape))
        bn.call = measured(bn)
    model(x, training=False)
    for bn in norms:
        del bn.call
    return model


def _fan_in(layer: layers.Layer) -> float:
    """How many inputs one output of the layer sees."""
    *taps, cin, cout = layer.kernel.shape
    if isinstance(layer, layers.DepthwiseConv2D):
        return math.prod(taps)
    if isinstance(layer, layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose):
        return math.prod(taps) * cout / math.prod(layer.strides)
    return math.prod(taps) * cin


def _conv_bn(x: Tensor, width: int, kernel: int = 3, stride: int = 1, act: str | None = "relu") -> Tensor:
    """[N, H, W, C] -> [N, H/stride, W/stride, width]: convolution, batch normalisation, activation."""
    x = layers.Conv2D(width, kernel, stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(act)(x) if act else x


# ------------------------------------------------------------------------------------------------- small nets


def resnet(shape: Shape, depths: Sequence[int], width: int, classes: int) -> keras.Model:
    """ResNet of basic blocks (He et al., arXiv:1512.03385): [N, H, W, 3] -> [N, classes], probabilities."""
    image = keras.Input(shape)
    x = _conv_bn(image, width, 7, 2)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, depth in enumerate(depths):
        for i in range(depth):
            stride = 2 if stage and i == 0 else 1
            y = _conv_bn(x, width << stage, 3, stride)
            y = _conv_bn(y, width << stage, 3, act=None)
            x = _conv_bn(x, width << stage, 1, stride, act=None) if stride > 1 else x
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(classes, activation="softmax")(x))


def mobilenet_v2(shape: Shape, alpha: float, classes: int) -> keras.Model:
    """MobileNetV2 (Sandler et al., arXiv:1801.04381), all its layers: [N, H, W, 3] -> [N, classes]."""
    return keras.applications.MobileNetV2(shape, alpha=alpha, weights=None, classes=classes, classifier_activation=None)


def mobilenet_v3(shape: Shape, alpha: float, head: int, classes: int) -> keras.Model:
    """MobileNetV3 Small (Howard et al., arXiv:1905.02244), all its layers, but for a head of `head` channels.

    [N, H, W, 3] -> [N, classes]
    """
    body = keras.applications.MobileNetV3Small(shape, alpha=alpha, weights=None, include_top=False)
    x = layers.GlobalAveragePooling2D(keepdims=True)(body.output)
    x = layers.Conv2D(head, 1, activation="hard_swish")(x)
    x = layers.Conv2D(classes, 1)(layers.Dropout(0.2)(x))
    return keras.Model(body.input, layers.Flatten()(x))


def unet(shape: Shape, widths: Sequence[int], classes: int) -> keras.Model:
    """U-Net (Ronneberger et al., arXiv:1505.04597): [N, H, W, 3] -> [N, H, W, classes]."""
    image = keras.Input(shape)
    x = _conv_bn(image, widths[0])
    skips = []
    for width in widths[1:]:
        skips.append(x)
        x = _conv_bn(layers.MaxPooling2D()(x), width)
    for width in reversed(widths[:-1]):
        x = layers.Conv2DTranspose(width, 3, 2, padding="same")(x)
        x = _conv_bn(layers.Concatenate()([skips.pop(), x]), width)
    return keras.Model(image, layers.Conv2D(classes, 1)(x))


def flatten_dense(shape: Shape, widths: tuple[int, int], classes: int) -> keras.Model:
    """Convolutions, flattened into dense layers: [N, H, W, 3] -> [N, classes].

    The rows of the first dense layer's kernel follow the order of H, W and C.
    """
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(widths[0], 3, 2, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(widths[1], 3, 2, activation="relu"),
            layers.Flatten(),
            layers.Dense(50, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(classes),
        ]
    )


def conv1d(shape: Shape, width: int) -> keras.Model:
    """An encoder and decoder of sequences with dilated convolutions: [N, T, C] -> [N, T, 1]."""
    sequence = keras.Input(shape)
    x = layers.Conv1D(width, 7, 2, padding="same")(sequence)
    x = layers.BatchNormalization()(x)
    for dilation in (1, 3):
        y = layers.LeakyReLU(0.1)(x)
        x = x + layers.Conv1D(width, 3, dilation_rate=dilation, padding="same")(y)
    x = layers.MaxPooling1D(2)(x)
    for stride in (2, 2):
        x = layers.Conv1DTranspose(width // 2, 4, stride, padding="same", activation="relu")(x)
    return keras.Model(sequence, layers.Conv1D(1, 5, padding="causal", activation="tanh")(x))


def conv3d(shape: Shape, width: int, classes: int) -> keras.Model:
    """A small net on volumes, after C3D (Tran et al., arXiv:1412.0767): [N, D, H, W, C] -> [N, classes]."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv3D(width, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling3D((1, 2, 2)),
            layers.Conv3D(2 * width, 3, (1, 2, 2), padding="same", activation="relu"),
            layers.Conv3DTranspose(2 * width + 1, (2, 3, 3), 2, padding="same"),
            layers.GlobalAveragePooling3D(),
            layers.Dense(classes),
        ]
    )


def superres(shape: Shape, width: int, r: int) -> keras.Model:
    """Sub-pixel super-resolution (Shi et al., arXiv:1609.05158) on a bilinear skip.

    [N, H, W, 3] -> [N, r*H, r*W, 3]
    """
    image = keras.Input(shape)
    x = layers.Conv2D(width, 5, padding="same")(image)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.Conv2D(3 * r * r, 3, padding="same")(x)
    x = ops.depth_to_space(x, r)
    return keras.Model(image, x + layers.UpSampling2D(r, interpolation="bilinear")(image))


def _gelu(x: Tensor) -> Tensor:
    """By tanh: tf2onnx has no Erfc, which the exact one needs."""
    return keras.activations.gelu(x, approximate=True)


def convnext(shape: Shape, widths: Sequence[int] = (64, 128, 256, 512), depth: int = 2) -> keras.Model:
    """ConvNeXt (Liu et al., arXiv:2201.03545), narrow: [N, H, W, 3] -> [N, 1000].

    That of `keras.applications` has its depthwise convolutions compiled by XLA, which tf2onnx cannot read.
    """
    image = keras.Input(shape)
    x = image
    for stage, width in enumerate(widths):
        x = x if stage == 0 else layers.LayerNormalization(epsilon=1e-6)(x)
        stride = 2 if stage else 4
        x = layers.Conv2D(width, stride, stride)(x)
        for _ in range(depth):
            y = layers.DepthwiseConv2D(7, padding="same")(x)
            y = layers.LayerNormalization(epsilon=1e-6)(y)
            y = layers.Dense(4 * width, activation=_gelu)(y)
            x = x + layers.Dense(width)(y)
    x = layers.LayerNormalization(epsilon=1e-6)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(1000)(x))


def attention(shape: Shape, width: int = 128, heads: int = 4, depth: int = 3) -> keras.Model:
    """A convolutional stem and transformer blocks over H * W, as in CoAtNet: [N, H, W, 3] -> [N, 1000]."""
    image = keras.Input(shape)
    x = _conv_bn(_conv_bn(image, width // 2, 3, 2), width, 3, 2)
    x = layers.AveragePooling2D(4)(x)
    side, *_, channels = x.shape[1:]
    x = layers.Reshape((side * side, channels))(x)
    for _ in range(depth):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(heads, width // heads)(y, y)
        y = layers.Dense(2 * width, activation=_gelu)(layers.LayerNormalization()(x))
        x = x + layers.Dense(width)(y)
    x = _conv_bn(layers.Reshape((side, side, channels))(x), 2 * width, 3, 2)
    return keras.Model(image, layers.Dense(1000)(layers.GlobalAveragePooling2D()(x)))


# --------------------------------------------------------------------------------------------- full-size nets


def application(name: str) -> Callable[[Shape], keras.Model]:
    """The net of that name in `keras.applications`, of full size: [N, H, W, 3] -> [N, 1000], logits."""
    make = getattr(keras.applications, name)
    return lambda shape: make(input_shape=shape, weights=None, classifier_activation=None)
