"""Channels to space and back, on channels-last tensors."""

import numpy as np
import tensorflow as tf

from rewriter.backends.forms.node import Form, Node, Value, dims, whole


def depth_to_space(node: Node, x: Value) -> Value:
    """TensorFlow's is DCR; for CRD the channels are put into that order first."""
    block = node.attr("blocksize")
    if node.attr("mode", "DCR") == "CRD":
        (channels,) = whole(dims(x)[-1:])
        order = np.arange(channels).reshape(-1, block * block).T.reshape(-1)
        x = x if channels == block * block else tf.gather(x, order, axis=-1)
    return tf.nn.depth_to_space(x, block)


LAST: dict[str, Form] = {
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": lambda node, x: tf.nn.space_to_depth(x, node.attr("blocksize")),
}
