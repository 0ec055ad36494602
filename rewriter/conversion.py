"""One conversion as the command line asks for it: the result is made, written aside, proved, put into its place, told.

Engines are imported where they are needed: a run that validates nothing needs no onnxruntime.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from onnx import ModelProto

from rewriter import progress
from rewriter.backends import arguments as target
from rewriter.child import imported
from rewriter.dialect_file import words_of
from rewriter.errors import faulty
from rewriter.files import reader
from rewriter.files.json_file import is_stdout, write_json
from rewriter.files.outputs import output_of, refuse_read
from rewriter.files.whole import write_whole
from rewriter.files.writer import Staged, staged
from rewriter.given import given
from rewriter.pipeline import rewrite
from rewriter.preprocess import frames_of
from rewriter.report import text as render
from rewriter.result import RewriteResult
from rewriter.spelling import compared
from rewriter.steps import step
from rewriter.validation.inputs import InputRequest

if TYPE_CHECKING:
    from rewriter.comparison import Outcome

Pair = tuple["Path | ModelProto", Path]  # what is compared: the original and the result


class Proof(NamedTuple):
    """What running the result has shown."""

    outcome: Outcome | None = None
    latency: Sequence[Any] = ()


class Conversion:
    """The run of a command. ``checks``: how it validates; ``outputs``: the files that it writes, by option."""

    def __init__(
        self, args: argparse.Namespace, checks: Mapping[str, Any], layouts: Mapping[str, str], outputs: dict[str, Path]
    ) -> None:
        self.args, self.checks, self.layouts, self.outputs = args, checks, layouts, outputs
        self.console = render.plain_console(quiet=args.quiet or is_stdout(args.json))
        self.on_read = partial(refuse_read, outputs)
        self.arrays = None if args.no_validate else reader.load_arrays(args.inputs) if args.inputs else {}
        self.words = words_of(args.dialect)  # what is wrong with a file is told before anything is converted
        self.result: RewriteResult
        self.onnx: Path | ModelProto

    def run(self) -> None:
        """Convert, prove, write and tell. Raises UsageError, ResultDiffers and what else stands in ``errors``."""
        args = self.args
        with progress.shown(self.console):
            self.onnx, note = given(args.model, args, self.on_read, self._run_in_framework())
            self.result = target.told_apart(args, self._rewritten())
        render.rewritten(self.console, args.model, self.result.report, args.verbose)
        render.noted(self.console, note)
        wanted = bool(self.result.report.changed or args.output)
        check, write = not args.no_validate and (wanted or args.check_all), wanted and not args.dry_run
        proof = self._prove(check, write) if check or write or args.bench else Proof()
        if write:
            render.wrote(self.console, self.outputs["--output"])
        else:
            idle = f"Nothing to do: already {args.to.upper()}."
            self.console.print("Nothing was written." if args.dry_run else idle)
        self._tell(proof, written=write)

    def _run_in_framework(self) -> InputRequest | None:
        """The inputs on which a model of another framework is compared with its ONNX, without frames."""
        if self.arrays is None:
            return None
        own = {} if self.args.preprocess else self.arrays
        return InputRequest(self.args.runs, self.args.seed, self.checks["input_shapes"], own)

    def _rewritten(self) -> RewriteResult:
        args = self.args
        imported()
        return rewrite(
            self.onnx,
            args.to,
            dialect=self.words or args.dialect,
            runtime=args.runtime,
            weight_layout=target.LAYOUT if args.backend else args.weight_layout,
            layouts=self.layouts,
            keep_io=args.keep_io,
            preprocess=frames_of(args.preprocess),
            input_shapes=self.checks["input_shapes"],
            explain=args.explain,
            measure_on=self.arrays,
            on_read=self.on_read,
            graphs=bool(args.json or args.report),
        )

    def _prove(self, check: bool, write: bool) -> Proof:
        """Write the files, run them, and put them into their place, if they pass."""
        args, outcome, latency = self.args, None, list[Any]()
        with self._staged(self.outputs["--output"] if write else None) as files:
            if check:
                from rewriter.comparison import show

                with progress.shown(self.console), step("validate"):
                    outcome = self._validated(files)
                show(self.console, outcome, args.save_repro, args.verbose)
            if outcome is not None and outcome.fault is not None:
                self._tell(Proof(outcome), written=False)
                raise faulty(outcome.fault)(f"{args.model}: the result {outcome.fault}; nothing was written")
            if args.bench:
                with progress.shown(self.console), step("bench"), compared(self.onnx, self.result, files.model) as pair:
                    latency = self._timed(pair)
                render.timed(self.console, latency)
            if write:
                files.put()
        return Proof(outcome, latency)

    def _staged(self, path: Path | None) -> AbstractContextManager[Staged]:
        """The result's file, beside its place: as ONNX, or as the backend of ``-o`` writes it."""
        if not self.args.backend:
            return staged(self.result.light, path, self.args.external_data)
        from rewriter.backends.command import staged as staged_elsewhere

        return staged_elsewhere(self.args, self.onnx, self.result, self.checks, path, self.arrays)

    def _validated(self, files: Staged) -> Outcome:
        """The outcome. Raises UsageError where the models differ, or one fails, and the original is at fault."""
        if not self.args.backend:
            with compared(self.onnx, self.result, files.model) as pair:
                return self._compared(pair)
        from rewriter.backends.command import validated

        return validated(self.args, self.onnx, self.result, files, self.checks, self.arrays or {})

    def _compared(self, pair: Pair) -> Outcome:
        from rewriter.comparison import Models, compare
        from rewriter.faults.blame import refuse_invalid
        from rewriter.validation.frames import frames_between

        arrays = self.arrays or {}
        outcome = compare(self.args, Models(*pair, self._perms, self.result.stored), dict(self.checks), arrays)
        if outcome.fault is not None:
            shapes, takes = self.checks["input_shapes"], frames_between(*pair)
            refuse_invalid(reader.source_of(pair[0]), InputRequest(1, self.args.seed, shapes, arrays, takes))
        return outcome

    def _timed(self, pair: Pair) -> list[Any]:
        from rewriter.validation.latency import measure_latency

        how = {name: self.checks[name] for name in ("providers", "seed", "input_shapes")}
        return measure_latency(*pair, self._perms, inputs=self.arrays, **how)

    @cached_property
    def _perms(self) -> Any:
        from rewriter.validation.layouts import of_perms

        return of_perms(self.result.layouts)

    def _tell(self, proof: Proof, written: bool) -> None:
        """As JSON, as a page and to whoever is told, as far as they were asked for."""
        args = self.args
        if not args.json and not args.report and not args.told:
            return
        from rewriter.report.document import document
        from rewriter.report.page import page

        verdict, search = (proof.outcome.verdict, proof.outcome.search) if proof.outcome else (None, None)
        report, backend = self.result.report, args.backend
        data = document(args.model, output_of(args), written, report, verdict, search, proof.latency, backend)
        if args.told:
            args.told(data)
        if args.report:
            write_whole(args.report, page(data))
        if args.json:
            write_json(args.json, data)
