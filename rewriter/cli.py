"""The command line: arguments to a rewrite, its validation, and an exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import rewriter
from rewriter import options
from rewriter.backends import arguments as target
from rewriter.child import imported
from rewriter.choices import DIALECTS, EXTERNAL_DATA, LAYOUTS, RUNTIMES, TARGETS, WEIGHT_LAYOUTS
from rewriter.command import OK, add_verbosity, finished
from rewriter.errors import UsageError, faulty
from rewriter.files.json_file import check_json, is_stdout, write_json
from rewriter.files.outputs import check_folder, check_outputs, refuse_read
from rewriter.files.whole import write_whole
from rewriter.many.arguments import add_models
from rewriter.many.command import convert_all
from rewriter.many.tasks import output_of
from rewriter.steps import step

if TYPE_CHECKING:
    from rich.console import Console

    from rewriter.comparison import Outcome
    from rewriter.files.writer import Staged

EPILOG = """exit codes: 0 converted and validated, or nothing to do; 1 the result differs from the original, does not
run in onnxruntime, or fails our own verification; 2 bad usage, unreadable, broken or unsupported model, unknown name; 3
could not be validated; 4 an internal error, or the end of a process that aborted, hung or ran out of memory; 130
interrupted. A model is written with 0 only. Of several models it is the worst: 4, 1, 3, 2, 0."""


class Steps(NamedTuple):
    """What is done with the result."""

    check: bool
    bench: bool
    write: bool


class Proof(NamedTuple):
    """What running the result has shown."""

    outcome: Outcome | None = None
    latency: Sequence[Any] = ()


def parser() -> argparse.ArgumentParser:
    """The options; it imports nothing of the tool but what they may be."""
    p = argparse.ArgumentParser(
        prog="python -m rewriter",
        description="Convert an ONNX model between NCHW and NHWC with the least Transposes, and prove it unchanged.",
        epilog=EPILOG,
    )
    add_models(p)
    p.add_argument("--to", choices=TARGETS,
                   help="channels last (nhwc; so is -o PATH.tflite or PATH/) or channels first (nchw)")  # fmt: skip
    target.add_output(p)
    how = p.add_argument_group("how to write the result")
    how.add_argument("--dialect", choices=DIALECTS,
                     help="write channels-last operators as model-local functions (default for nhwc), or keep to "
                     "standard ONNX operators (onnx, default for nchw and with --for openvino), with Attention (opset "
                     "23) as one where that is cheaper (onnxruntime, default with --for onnxruntime)")  # fmt: skip
    how.add_argument("--for", choices=RUNTIMES, default=RUNTIMES[0], dest="runtime",
                     help="whose prices the plan is the least at: bytes that Transposes move, or the time that this "
                     "runtime takes on a CPU (default: %(default)s)")  # fmt: skip
    how.add_argument("--weight-layout", choices=WEIGHT_LAYOUTS, default=WEIGHT_LAYOUTS[0],
                     help="kernels in the function dialect (default: %(default)s)")  # fmt: skip
    how.add_argument("--layout", action="append", default=[], metavar="NAME=LAYOUT",
                     help=f"of one input or output: {', '.join(LAYOUTS)}, the letters wanted (NTHWC), or a perm as "
                     "einops writes it ('n c h w -> n h w c'); repeatable")  # fmt: skip
    how.add_argument("--keep-io", action="store_true", help="flip inside only; inputs and outputs stay as they are")
    check = options.add_validation(p)
    check.add_argument("--no-validate", action="store_true", help="do not run the models")
    check.add_argument("--bench", action="store_true", help="time both models, in turn, on each provider")
    out = p.add_argument_group("output")
    out.add_argument("--dry-run", action="store_true", help="plan, rewrite and validate, but write no model")
    out.add_argument("--external-data", choices=EXTERNAL_DATA, default=EXTERNAL_DATA[0],
                     help="weights in the model's file (none), in one beside it, or in as many as they come from "
                     "(split); default: in one from 2 GiB on")  # fmt: skip
    out.add_argument("--json", type=Path, metavar="PATH",
                     help="write the report, of several models a record of each, "
                     "as JSON ('-' for stdout)")  # fmt: skip
    out.add_argument("--report", type=Path, metavar="PATH",
                     help="write the report as one HTML page, for a browser; of several models, a folder of "
                     "pages")  # fmt: skip
    out.add_argument("--explain", action="append", default=[], metavar="VALUE",
                     help="say why a value is stored as it is, and what else would cost; repeatable")  # fmt: skip
    add_verbosity(out)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is documented in ``--help``."""
    return finished(run, parser(), argv, partial(convert_all, run, checked))


def checked(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """The arguments of ``validate``, and the layouts of inputs and outputs. Raises UsageError."""
    target.settle(args)
    if args.no_validate and (args.check_all or args.save_repro):
        raise UsageError("--check-all and --save-repro compare the models, which --no-validate forbids; leave one out")
    return options.validation_of(args), options.by_name("--layout", args.layout, options.layout)


def run(args: argparse.Namespace) -> int:
    """Convert, validate, write. Raises UsageError before anything heavy is imported, if an option is wrong."""
    checks, layouts = checked(args)
    outputs = _outputs(args)
    from rewriter import progress
    from rewriter.files import reader
    from rewriter.report import text as render

    arrays = None if args.no_validate else reader.load_arrays(args.inputs) if args.inputs else {}
    console = render.plain_console(quiet=args.quiet or is_stdout(args.json))
    with progress.shown(console):
        result = _rewrite(args, layouts, checks["input_shapes"], arrays, outputs)
    render.rewritten(console, args.model, result.report, args.verbose)
    wanted = bool(result.report.changed or args.output)
    steps = Steps(
        check=not args.no_validate and (wanted or args.check_all), bench=args.bench, write=wanted and not args.dry_run
    )
    proof = _proof(args, result, steps, outputs, checks, arrays, console) if any(steps) else Proof()
    if steps.write:
        render.wrote(console, outputs["--output"])
    else:
        console.print("Nothing was written." if args.dry_run else f"Nothing to do: already {args.to.upper()}.")
    _write_reports(args, result, proof, steps.write)
    return OK


def _proof(
    args: argparse.Namespace,
    result: rewriter.RewriteResult,
    steps: Steps,
    outputs: dict[str, Path],
    checks: dict[str, Any],
    arrays: dict[str, Any] | None,
    console: Console,
) -> Proof:
    """Write the files, run them, and put them into their place, if they pass."""
    from rewriter import progress
    from rewriter.report.text import timed

    outcome, latency = None, list[Any]()
    path = outputs["--output"] if steps.write else None
    with _staged(args, result, path, checks, arrays) as files:
        if steps.check:
            from rewriter.comparison import show

            with progress.shown(console), step("validate"):
                outcome = _validate(args, result, files, checks, arrays or {})
            show(console, outcome, args.save_repro, args.verbose)
        if outcome is not None and outcome.fault is not None:
            _write_reports(args, result, Proof(outcome), written=False)
            raise faulty(outcome.fault)(f"{args.model}: the result {outcome.fault}; nothing was written")
        if steps.bench:
            with progress.shown(console), step("bench"):
                latency = _bench(args, result, files.model, checks, arrays)
            timed(console, latency)
        if steps.write:
            files.put()
    return Proof(outcome, latency)


def _staged(
    args: argparse.Namespace,
    result: rewriter.RewriteResult,
    path: Path | None,
    checks: dict[str, Any],
    arrays: dict[str, Any] | None,
) -> AbstractContextManager[Staged]:
    """The result's file, beside its place: as ONNX, or as the backend of ``-o`` writes it."""
    if args.backend:
        from rewriter.backends.command import staged as staged_elsewhere

        return staged_elsewhere(args, result, checks, path, arrays)
    from rewriter.files.writer import staged

    return staged(result.light, path, args.external_data)


def _rewrite(
    args: argparse.Namespace,
    layouts: dict[str, str],
    shapes: dict[str, list[int]],
    arrays: dict[str, Any] | None,
    outputs: dict[str, Path],
) -> rewriter.RewriteResult:
    from rewriter.pipeline import rewrite

    imported()
    return rewrite(
        args.model,
        args.to,
        dialect=args.dialect,
        runtime=args.runtime,
        weight_layout=target.LAYOUT if args.backend else args.weight_layout,
        layouts=layouts,
        keep_io=args.keep_io,
        input_shapes=shapes,
        explain=args.explain,
        measure_on=arrays,
        on_read=partial(refuse_read, outputs),
        graphs=bool(args.json or args.report),
    )


def _outputs(args: argparse.Namespace) -> dict[str, Path]:
    """The files that are going to be written, by option. Raises UsageError if one must not or cannot be."""
    outputs = {} if args.dry_run else {"--output": output_of(args)}
    if args.report:
        outputs["--report"] = args.report
    if args.json and not is_stdout(args.json):
        outputs["--json"] = args.json
    check_json(args.json)
    if args.save_repro:
        check_folder("--save-repro", args.save_repro)
    refuse_read(outputs, [args.model, *filter(None, [args.inputs])])
    check_outputs(outputs)
    return outputs


def _validate(
    args: argparse.Namespace,
    result: rewriter.RewriteResult,
    files: Staged,
    checks: dict[str, Any],
    arrays: dict[str, Any],
) -> Outcome:
    """The outcome. Raises UsageError where the models differ, or one fails, and the original is at fault."""
    from rewriter.comparison import Models, compare
    from rewriter.faults.blame import refuse_invalid
    from rewriter.files.reader import open_model
    from rewriter.validation.inputs import InputRequest
    from rewriter.validation.layouts import of_perms

    if args.backend:
        from rewriter.backends.command import validated

        return validated(args, result, files, checks, arrays)
    models = Models(args.model, files.model, of_perms(result.layouts), result.stored)
    outcome = compare(args, models, checks, arrays)
    if outcome.fault is not None:
        refuse_invalid(open_model(args.model), InputRequest(1, args.seed, checks["input_shapes"], arrays))
    return outcome


def _bench(
    args: argparse.Namespace,
    result: rewriter.RewriteResult,
    file: Path,
    checks: dict[str, Any],
    arrays: dict[str, Any] | None,
) -> list[Any]:
    from rewriter.validation.latency import measure_latency
    from rewriter.validation.layouts import of_perms

    run = {name: checks[name] for name in ("providers", "seed", "input_shapes")}
    return measure_latency(args.model, file, of_perms(result.layouts), inputs=arrays, **run)


def _write_reports(args: argparse.Namespace, result: rewriter.RewriteResult, proof: Proof, written: bool) -> None:
    """As JSON, as a page and to whoever is told, as far as they were asked for."""
    if not args.json and not args.report and not args.told:
        return
    from rewriter.report.document import document
    from rewriter.report.page import page

    verdict, search = (proof.outcome.verdict, proof.outcome.search) if proof.outcome else (None, None)
    data = document(args.model, output_of(args), written, result.report, verdict, search, proof.latency)
    if args.told:
        args.told(data)
    if args.report:
        write_whole(args.report, page(data))
    if args.json:
        write_json(args.json, data)
