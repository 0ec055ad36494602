"""Small nets of Keras: images of one channel, sequences, video, generators, preprocessing, control flow.

Every function takes the shape of the input without N, channels last, and returns a model.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers
from keras_nets import Shape, Tensor, randomise

__all__ = [
    "autoencoder",
    "bilstm",
    "conv_lstm",
    "crnn",
    "dcgan",
    "dense",
    "ecg",
    "frames",
    "group_norm",
    "lenet",
    "loop",
    "lstm",
    "mnist",
    "pixels",
    "randomise",
    "small_cnn",
    "speech",
    "tcn",
]


def mnist(shape: Shape) -> keras.Model:
    """The convnet of Keras's guide to MNIST, narrow: [N, 28, 28, 1] -> [N, 10]."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(7, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(11, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def lenet(shape: Shape) -> keras.Model:
    """LeNet-5 (LeCun et al., 1998), narrow: [N, H, W, 1] -> [N, 10]."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(6, 5, padding="same", activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Conv2D(11, 5, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(21, activation="tanh"),
            layers.Dense(10),
        ]
    )


def autoencoder(shape: Shape) -> keras.Model:
    """An autoencoder of images: [N, H, W, 1], unchanged."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(7, 3, 2, padding="same", activation="relu"),
            layers.Conv2D(5, 3, 2, padding="same", activation="relu"),
            layers.Conv2DTranspose(7, 3, 2, padding="same", activation="relu"),
            layers.UpSampling2D(2),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )


def crnn(shape: Shape) -> keras.Model:
    """Text recognition, as in Keras's OCR example: [N, W, H, 1] -> [N, W/4, 12]."""
    image = keras.Input(shape)
    x = layers.MaxPooling2D(2)(layers.Conv2D(7, 3, padding="same", activation="relu")(image))
    x = layers.MaxPooling2D(2)(layers.Conv2D(5, 3, padding="same", activation="relu")(x))
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True))(layers.Dense(9, activation="relu")(x))
    return keras.Model(image, layers.Dense(12, activation="softmax")(x))


def ecg(shape: Shape) -> keras.Model:
    """Classification of a signal of one channel: [N, T, 1] -> [N, 4]."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv1D(7, 5, 2, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling1D(2),
            layers.Conv1D(9, 3, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4, activation="softmax"),
        ]
    )


def tcn(shape: Shape) -> keras.Model:
    """Dilated causal convolutions on a series: [N, T, C] -> [N, T, 5]."""
    series = keras.Input(shape)
    x = layers.Conv1D(9, 3, padding="causal")(series)
    for dilation in (2, 4):
        x = x + layers.Conv1D(9, 3, padding="causal", dilation_rate=dilation, activation="relu")(x)
    return keras.Model(series, layers.Conv1D(5, 1)(x))


def lstm(shape: Shape) -> keras.Model:
    """A recurrent net without a convolution: [N, T, C] -> [N, T, 5]."""
    return keras.Sequential([keras.Input(shape), layers.LSTM(9, return_sequences=True), layers.Dense(5)])


def bilstm(shape: Shape) -> keras.Model:
    """A convolution along time, then an LSTM both ways: [N, T, C] -> [N, T, 5]."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv1D(7, 3, padding="same", activation="relu"),
            layers.Bidirectional(layers.LSTM(6, return_sequences=True)),
            layers.Dense(5),
        ]
    )


def speech(shape: Shape) -> keras.Model:
    """Keras's tutorial on spoken words: spectrogram without an axis of channels [N, T, bins] -> [N, 8]."""
    spectrogram = keras.Input(shape)
    x = layers.Reshape((*shape, 1))(spectrogram)
    x = layers.MaxPooling2D(2)(layers.Conv2D(7, 3, activation="relu")(x))
    return keras.Model(spectrogram, layers.Dense(8)(layers.GlobalAveragePooling2D()(x)))


def dense(shape: Shape) -> keras.Model:
    """Every pixel alone by dense layers, nothing else: [N, H, W, 3] -> [N, H, W, 5]."""
    return keras.Sequential([keras.Input(shape), layers.Dense(7, activation="relu"), layers.Dense(5)])


def conv_lstm(shape: Shape) -> keras.Model:
    """ConvLSTM (Shi et al., arXiv:1506.04214): frames [N, T, H, W, C] -> the next one, [N, H, W, 1]."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.ConvLSTM2D(5, 3, padding="same"),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )


def frames(shape: Shape) -> keras.Model:
    """The same convolution on every frame, then an LSTM: [N, T, H, W, 3] -> [N, 5]."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.TimeDistributed(layers.Conv2D(7, 3, 2, padding="same", activation="relu")),
            layers.TimeDistributed(layers.GlobalAveragePooling2D()),
            layers.LSTM(6),
            layers.Dense(5),
        ]
    )


def dcgan(shape: Shape) -> keras.Model:
    """A generator, as in Keras's guide to DCGAN: noise [N, 9] -> [N, 20, 24, 1]."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Dense(5 * 6 * 7, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Reshape((5, 6, 7)),
            layers.Conv2DTranspose(5, 5, 2, padding="same"),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(1, 5, 2, padding="same", activation="tanh"),
        ]
    )


def group_norm(shape: Shape) -> keras.Model:
    """GroupNormalization before the output: [N, H, W, 3] -> [N, H, W, 6]."""
    return keras.Sequential(
        [keras.Input(shape), layers.Conv2D(6, 3, padding="same"), layers.GroupNormalization(groups=3)]
    )


def pixels(shape: Shape) -> keras.Model:
    """A net that begins with its own preprocessing: pixels [N, H, W, 3] of uint8 -> [N, 5]."""
    image = keras.Input(shape, dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.04, 0.05, 0.06])(x)
    x = layers.Conv2D(7, 3, 2, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))


def small_cnn(shape: Shape) -> keras.Model:
    """Convolutions on images, one of them depthwise: [N, H, W, 3] -> [N, H/2, W/2, 5]."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(7, 3, 2, padding="same", activation="relu"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu"),
            layers.Conv2D(5, 1),
        ]
    )


class Again(layers.Layer):
    """The same convolution, while the mean is below 1 and no more than four times: [N, H, W, C], unchanged."""

    def build(self, shape: Shape) -> None:
        self.kernel = self.add_weight((3, 3, shape[-1], shape[-1]), name="kernel")

    def call(self, x: Tensor) -> Tensor:
        def go_on(step: Tensor, x: Tensor) -> Tensor:
            return tf.logical_and(step < 4, tf.reduce_mean(x) < 1.0)

        def go(step: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            return step + 1, x + tf.nn.relu(tf.nn.conv2d(x, self.kernel, 1, "SAME"))

        return tf.while_loop(go_on, go, [tf.constant(0), x])[1]


def loop(shape: Shape) -> keras.Model:
    """A convolution in a loop before the output: [N, H, W, 3] -> [N, H, W, 5]."""
    return keras.Sequential([keras.Input(shape), layers.Conv2D(5, 3, padding="same"), Again()])
