"""Weights outside a model's file, sound or not."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from onnx import ModelProto, TensorProto

Entries = Sequence[tuple[str, str]]

WRONG = (
    ("location", ""), ("location", "nowhere"), ("location", "../outside"), ("location", "/etc/hostname"),
    ("location", "/dev/zero"), ("location", "pipe"), ("location", "link"), ("location", "hard"), ("location", "."),
    ("location", "model.onnx"), ("location", "x" * 5_000), ("location", "a\0b"), ("location", "*"),
    ("offset", "-1"), ("offset", "0x10"), ("offset", "1e3"), ("offset", str(2**40)), ("offset", str(2**63)),
    ("offset", ""),
    ("length", "0"), ("length", "-1"), ("length", str(2**40)), ("length", str(2**64)), ("length", "12"), ("length",
    "\u0663"),
    ("checksum", "0"), ("", ""),
)  # fmt: skip


def outside(model: ModelProto, rng: Random, folder: Path) -> None:
    """Weights in ``weights.bin`` beside the model, which may overlap, with an entry that is wrong, or none."""
    data = b"".join(tensor.raw_data for tensor in model.graph.initializer)
    (folder / "weights.bin").write_bytes(data[: rng.choice([len(data), len(data), len(data) // 2])])
    offset = 0
    for tensor in model.graph.initializer:
        length = len(tensor.raw_data)
        if length and rng.random() < 0.9:
            entries = {"location": "weights.bin", "offset": str(offset), "length": str(length)}
            _move(tensor, entries.items())  # type: ignore[arg-type]
        offset += length if rng.random() < 0.95 else 0
    moved = [t for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL]
    if rng.random() < 0.8:
        key, value = rng.choice(WRONG)
        _set(rng.choice(moved), key, value)
    for make in (_pipe, _link, _hard_link):
        make(folder)


def _move(tensor: TensorProto, entries: Entries) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries:
        tensor.external_data.add(key=key, value=value)


def _set(tensor: TensorProto, key: str, value: str) -> None:
    for entry in tensor.external_data:
        if entry.key == key:
            entry.value = value
            return
    tensor.external_data.add(key=key, value=value)


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def _link(folder: Path) -> None:
    (folder / "link").symlink_to("weights.bin")


def _hard_link(folder: Path) -> None:
    (folder / "hard").hardlink_to(folder / "weights.bin")


Places = Callable[[ModelProto, Random, Path], None]
