"""What is said of a net to export. Needs no framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Net:
    """One file to export."""

    name: str
    about: str
    build: Callable[..., Any]
    """Makes the net out of the module of its definition and, for Keras, of the input's shape without N."""
    shape: tuple[int, ...]
    """The shape of the input: [N, C, ...] for torch and [N, ..., C] for Keras."""
    exporter: Literal["dynamo", "legacy", "tf2onnx"]
    opset: int
    dynamic: Mapping[int, str] = field(default_factory=dict)
    """The axes of the input that stay open in the file, and their names."""
    fold: bool = True
    """Whether torch's exporter may fold batch normalisations into convolutions."""
    bias: bool = True
    """Whether Keras biases are random, or 0 as Keras makes them.

    tf2onnx drops those of 0, and then fails to move Transposes past a scalar that hard-swish adds to a
    convolution without a bias: it leaves all of them."""
    deviation: float = 1.0
    """The standard deviation of inputs that suit the net: 127.5 where it begins by rescaling pixels."""
    folder: Literal["", "full", "zoo"] = ""
    """Where its file goes, below models/. Only those in models/ itself are committed."""
    module: str = ""
    """The module of its definition, if that is neither `torch_nets` nor `keras_nets`."""

    @property
    def framework(self) -> str:
        return "tensorflow" if self.exporter == "tf2onnx" else "torch"

    @property
    def path(self) -> Path:
        return Path(__file__).parent / self.folder / f"{self.name}.onnx"


N = {0: "N"}
IMAGE = (1, 3, 224, 224)
