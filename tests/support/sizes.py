"""Convolutional nets of any size, written without being in memory."""

from pathlib import Path

import numpy as np
from onnx import TensorProto

from rewriter.files.light import light_of
from rewriter.files.reader import open_model
from rewriter.files.source import Place, put_at
from rewriter.files.writer import save
from tests.support.graphs import conv, model, node

LARGE = 10**9  # bytes from which a net has kernels of 151 MB, else of 9 MB


def conv_net(path: Path, size: int, *, inside: bool = False, sparse: bool = False, number: float = 0.0) -> Path:
    """The path of a net of Convs with about so many bytes of weights, beside the model's file or in it.

    ``sparse``: kernels are zeros that take no place on the disk, but for the first elements of each, which are
    ``number``.
    """
    channels = 2048 if size >= LARGE else 512
    kernel = channels * channels * 9 * 4
    names = [f"w{i}" for i in range(max(1, round(size / kernel)))]
    nodes = [
        one
        for i, name in enumerate(names)
        for one in (conv(f"v{i}", f"c{i}", name), node("Relu", [f"c{i}"], [f"v{i + 1}"]))
    ]
    shape, data = [1, channels, 8, 8], path.with_name(f"{path.stem}.weights")
    net = model(nodes, {"v0": shape}, {f"v{len(names)}": shape})
    for i, name in enumerate(names):
        dims = [channels, channels, 3, 3]
        net.graph.initializer.append(TensorProto(name=name, dims=dims, data_type=TensorProto.FLOAT))
        put_at(net.graph.initializer[i], Place(data.name, i * kernel, kernel))
    path.write_bytes(net.SerializeToString())
    with data.open("wb") as file:
        first = np.full(1000, number, np.float32) if sparse else _kernel(channels)
        for i in range(len(names)):
            file.seek(i * kernel)
            file.write(first.tobytes())
        file.truncate(len(names) * kernel)
    if inside:
        save(light_of(open_model(path)), path, "none")
        data.unlink()
    return path


def _kernel(channels: int) -> np.ndarray:
    """Random numbers that keep the size of what they are applied to."""
    random = np.random.default_rng(0).standard_normal(channels * channels * 9, dtype=np.float32)
    return random * np.float32((2 / (channels * 9)) ** 0.5)
