"""What commands do with two models: validate them, compare values inside where that is asked for, tell and show it."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto
from rich.console import Console

import rewriter
from rewriter.errors import CouldNotValidate
from rewriter.report.located import searched
from rewriter.report.text import validated
from rewriter.validation.compare import Array
from rewriter.validation.inputs import InputRequest
from rewriter.validation.layouts import Layouts
from rewriter.validation.locate import locate
from rewriter.validation.located import Search
from rewriter.validation.repro import save_repro
from rewriter.validation.verdict import DIFFERS, Fault, ValidationReport


@dataclass(frozen=True)
class Models:
    """The original and its rewrite; ``layouts`` of inputs and outputs, those of all values if they are known."""

    original: ModelProto | str | Path
    rewritten: ModelProto | str | Path
    layouts: Layouts
    values: Layouts | None = None


@dataclass(frozen=True)
class Outcome:
    """What outputs say, and what values inside do, if they were looked at."""

    verdict: ValidationReport
    search: Search | None

    @property
    def fault(self) -> Fault | None:
        """What is wrong with the rewritten model: outputs may hide what a value inside shows."""
        return self.verdict.fault or (DIFFERS if self.search and self.search.located else None)

    def to_json(self) -> dict[str, Any]:
        """Both as plain dicts, lists, strings and finite numbers."""
        return {"validation": self.verdict.to_json(), "values": self.search.to_json() if self.search else None}


def compare(
    args: argparse.Namespace, models: Models, checks: Mapping[str, Any], inputs: Mapping[str, Array]
) -> Outcome:
    """The outcome, by the options of ``add_validation``; ``checks`` are those that ``validation_of`` makes of them.

    Raises what ``validate`` raises, and with ``--check-all`` what ``locate`` does.
    """
    perms = {name: layout.perm for name, layout in models.layouts.items()}
    verdict = rewriter.validate(models.original, models.rewritten, layouts=perms, inputs=inputs or None, **checks)
    if verdict.fault not in ((None, DIFFERS) if args.check_all else (DIFFERS,)):
        return Outcome(verdict, None)
    results = [one for one in verdict.providers if one.status != "unavailable"]
    one = next((one for one in results if one.fault), results[0])
    request = InputRequest(args.runs, args.seed, checks["input_shapes"] or {}, inputs)
    try:
        search = locate(
            models.original,
            models.rewritten,
            request,
            layouts=models.layouts,
            values=models.values,
            provider=one.name,
            run=one.where.run if one.fault and one.where else 0,
            rtol=args.rtol,
            atol=args.atol,
        )
    except CouldNotValidate as error:
        if one.fault is None:
            raise
        search = Search(one.name, 0, {}, notes=(str(error),))
    return Outcome(verdict, search)


def show(console: Console, outcome: Outcome, folder: Path | None, verbose: int) -> None:
    """Tell the outcome; write what shows it to ``folder``."""
    validated(console, outcome.verdict, verbose)
    if outcome.search is not None:
        searched(console, outcome.search)
    if outcome.search is not None and folder is not None and save_repro(outcome.search, folder):
        console.print(f"Wrote {folder}: run show.py there to see it.")
