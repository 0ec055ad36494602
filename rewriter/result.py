"""What a rewrite gives: the model, and what there is to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from onnx import ModelProto

from passes.layout.layout import Layout
from passes.plan.plan import Plan
from rewriter.choices import EXTERNAL_DATA
from rewriter.files.light import LightModel, Weight
from rewriter.files.writer import save
from rewriter.interface import InterfaceValue
from rewriter.report.data import Report


@dataclass(frozen=True)
class RewriteResult:
    """The rewritten model, its interface, the plan that led to it and a report.

    ``light``: the model without the data of its large weights, which are read from where they are when it is written.
    ``stored``: how each value of the original's main graph is stored that is in the result under the same name.
    ``equivalent``, ``original``: result and original in the function dialect, where onnxruntime may not run them in the
    words of a toolchain; else ``None``.
    """

    light: LightModel
    inputs: list[InterfaceValue]
    outputs: list[InterfaceValue]
    plan: Plan
    report: Report
    stored: Mapping[str, Layout]
    equivalent: LightModel | None = None
    original: LightModel | None = None

    @cached_property
    def model(self) -> ModelProto:
        """The model with all data in it, made when it is first asked for.

        Raises UsageError if the original's files have changed since they were read.
        """
        return self.light.whole()

    @cached_property
    def runnable(self) -> ModelProto:
        """What onnxruntime runs, and validates: the model, or its equivalent. Raises as ``model`` does."""
        return self.model if self.equivalent is None else self.equivalent.whole()

    @property
    def weights(self) -> Mapping[str, Weight]:
        """The large weights by name, of which each is read by its ``array()``."""
        return self.light.by_name

    def save(self, path: str | Path, external_data: str = EXTERNAL_DATA[0]) -> None:
        """Write the model to a file that appears whole or not at all; weights go there block by block.

        ``external_data``: ``"none"``: weights are in the model's file; ``"one"``: in one of their own; ``"split"``: in
        as many as the original's were; ``"auto"``: in one of their own from 2 GiB on. Raises UsageError as ``model``
        does, and if there is no room, and OSError.
        """
        save(self.light, Path(path), external_data)

    @property
    def layouts(self) -> dict[str, tuple[int, ...]]:
        """The perm from the original's storage, by name, of each graph input and output that flipped."""
        return {p.name: p.perm for p in (*self.inputs, *self.outputs) if p.flipped and p.perm is not None}
