"""A generated deep network, for the cost curve of planning: Convs, a Softmax between Transposes, residuals."""

import numpy as np
from onnx import ModelProto

from tests.support.graphs import conv, model, node, random

NODES_PER_BLOCK = 8
CHANNELS = 16


def deep(blocks: int) -> ModelProto:
    """A network of ``NODES_PER_BLOCK * blocks`` nodes that share one kernel."""
    nodes, x = [], "x"
    for i in range(blocks):
        names = [f"{name}{i}" for name in ("c", "r", "d", "s", "t", "m", "u", "o")]
        c, r, d, s, t, m, u, o = names
        nodes += [
            conv(x, c),
            node("Relu", [c], [r]),
            conv(r, d),
            node("Add", [x, d], [s]),
            node("Transpose", [s], [t], perm=[0, 2, 3, 1]),
            node("Softmax", [t], [m], axis=-1),
            node("Transpose", [m], [u], perm=[0, 3, 1, 2]),
            node("Add", [u, s], [o]),
        ]
        x = o
    kernel = np.asarray(random(CHANNELS, CHANNELS, 3, 3), np.float32)
    return model(nodes, {"x": [1, CHANNELS, 32, 32]}, {x: [1, CHANNELS, 32, 32]}, {"w": kernel})
