"""What a backend is: how a planned channels-last model is written for another runtime, and run there."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from onnx import ModelProto

from passes.layout.edit import Array
from rewriter.validation.session import Feed, Level

Samples = Callable[[], Sequence[Feed]]  # inputs by name, as the file stores them
Run = Callable[[Feed], dict[str, Array]]


@dataclass(frozen=True)
class Job:
    """What is written: a model with kernels ``HWIO`` in the function dialect, told of as ``source``.

    ``samples``: inputs on which ranges are measured. ``quiet``: whether libraries are to keep theirs to themselves.
    """

    model: ModelProto
    source: str
    samples: Samples = list
    quiet: bool = True


@dataclass(frozen=True)
class Written:
    """A file or folder, complete; ``exact``: the same before it was quantised.

    ``names``: what inputs and outputs are called there, by their names in the model, where that differs.
    ``is_bare``: whether ``exact`` does without the model's QuantizeLinear and DequantizeLinear. ``is_measured``:
    whether ranges were measured. ``told``: what else there is to say, a sentence each.
    """

    file: Path
    exact: Path
    names: Mapping[str, str] = field(default_factory=dict)
    is_bare: bool = False
    is_measured: bool = False
    told: Sequence[str] = ()


class Backend(ABC):
    """A runtime's file."""

    name: ClassVar[str]  # of what runs the file, in verdicts
    levels: ClassVar[Mapping[Level, str]]  # the kernels that it has, and what verdicts call them
    prices: ClassVar[str] = "litert"  # at which its plans are made: those of the forms
    is_folder: ClassVar[bool] = False
    quantizes: ClassVar[Sequence[str]] = ()  # what --quantize may be

    @abstractmethod
    def require(self, path: Path) -> None:
        """Raises UsageError, which says what to install, without what writes and runs the file at ``path``."""

    @abstractmethod
    def write(self, job: Job, folder: Path, quantize: str | None) -> Written:
        """Write the file to a folder. Raises UsageError, which lists the operators that have no form."""

    @abstractmethod
    def load(self, file: Path, level: Level) -> Run:
        """What runs the file, to outputs by name, at one of ``levels``. Both raise RunFailed."""
