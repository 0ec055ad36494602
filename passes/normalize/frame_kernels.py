"""A Conv that reads frames as they are: what the model would have been given is in its kernel and bias."""

from collections.abc import Collection

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from passes.ir.constants import array_of, of_array
from passes.ir.graph import new_node, unused
from passes.normalize.frames import Frames

ORDER, GAIN, SHIFT = "the order of channels", "the scale", "the mean"  # what preprocessing changes, in this order


def with_frames(conv: gs.Node, frames: Frames, parts: Collection[str], names: set[str]) -> gs.Node:
    """The Conv with these parts of what is done to frames, of which it reads one channel by each of its kernel's.

    ``names``: those that are taken, new ones among them from now on. Computed in float64.
    """
    data, kernel, *bias = conv.inputs
    weights = array_of(kernel)
    wide = weights.astype(np.float64)
    by_channel = wide.shape[1], *[1] * (wide.ndim - 2)

    def channels(values: tuple[float, ...]) -> NDArray[np.float64]:
        return np.broadcast_to(np.asarray(values, np.float64), by_channel[:1]).reshape(by_channel)

    if GAIN in parts:
        wide = wide * channels(frames.gain)
    inputs = [data, kernel, *bias]
    if SHIFT in parts:
        offset = (wide * channels(frames.shift)).sum(axis=tuple(range(1, wide.ndim)))
        held = array_of(bias[0]).astype(np.float64) if bias and bias[0].name else 0.0
        name = unused(f"{kernel.name}_bias_of_frames", names)
        inputs[2:] = [of_array(name, (held - offset).astype(weights.dtype))]
    if ORDER in parts:
        wide = wide[:, ::-1]
    inputs[1] = of_array(unused(f"{kernel.name}_of_frames", names), wide.astype(weights.dtype))
    return new_node(conv, inputs, conv.outputs)
