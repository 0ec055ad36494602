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
    """The shape of `input`: [N, C, ...] for torch and [N, ..., C] for Keras, unless `about` says otherwise."""
    exporter: Literal["dynamo", "legacy", "tf2onnx", "tflite", "onnxscript"]
    opset: int
    dynamic: Mapping[int, str] = field(default_factory=dict)
    """The axes of `input` that stay open in the file, and their names."""
    fold: bool = True
    """Whether torch's exporter may fold batch normalisations into convolutions."""
    bias: bool = True
    """Whether Keras biases are random, or 0 as Keras makes them.

    tf2onnx drops those of 0, and then fails to move Transposes past a scalar that hard-swish adds to a
    convolution without a bias: it leaves all of them."""
    deviation: float = 1.0
    """The standard deviation of inputs that suit the net: 127.5 where it begins by rescaling pixels."""
    folder: Literal["", "full", "zoo", "kinds"] = ""
    """Where its file goes, below models/. Those in models/ itself and in models/kinds/ are committed."""
    module: str = ""
    """The module of its definition, if that is neither `torch_nets` nor `keras_nets`."""
    more: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Further inputs (torch only): their names and shapes."""
    outputs: tuple[str, ...] = ("output",)
    """The names of the outputs."""
    dtype: str = "float32"
    """The element type of the inputs; those of integers are random pixels."""
    quantise: Literal["", "qdq", "qoperator", "dynamic"] = ""
    """How onnxruntime quantises the exported model, if it does."""
    tolerance: float = 1e-4
    """How far the file may be from the framework, over the standard deviation of each output."""

    @property
    def framework(self) -> str:
        return {"tf2onnx": "tensorflow", "tflite": "tensorflow", "onnxscript": "onnxscript"}.get(self.exporter, "torch")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each input, by name."""
        return {"input": self.shape, **self.more}

    @property
    def measured(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the inputs that batch statistics come from: eight images, if the first axis is the batch."""
        return self.shapes if self.folder == "kinds" else {"input": (8, *self.shape[1:])}

    @property
    def path(self) -> Path:
        return Path(__file__).parent / self.folder / f"{self.name}.onnx"


N = {0: "N"}
IMAGE = (1, 3, 224, 224)
