"""The command line: arguments to a rewrite, its validation, and an exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import rewriter
from rewriter import options
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
from rewriter.preprocess import frames_of
from rewriter.steps import step

if TYPE_CHECKING:
    from onnx import ModelProto
    from rich.console import Console

    from rewriter.comparison import Outcome

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
    p.add_argument("--to", required=True, choices=TARGETS, help="channels last (nhwc) or channels first (nchw)")
    p.add_argument("-o", "--output", type=Path, metavar="PATH",
                   help="default: MODEL's stem + .nhwc.onnx, .nchw.onnx; of several models a folder for all results, "
                   "which have these names there")  # fmt: skip
    how = p.add_argument_group("how to write the result")
    how.add_argument("--dialect", type=options.dialect, metavar="NAME",
                     help="write channels-last operators as model-local functions (function, default for nhwc), or "
                     "keep to standard ONNX operators (onnx, default for nchw and with --for openvino), with Attention "
                     "(opset 23) as one where that is cheaper (onnxruntime, default with --for onnxruntime), in a "
                     f"toolchain's words ({', '.join(DIALECTS[3:])}), or in those of a FILE.toml, with --to nchw to "
                     "read them (docs/dialects.md)")  # fmt: skip
    how.add_argument("--for", choices=RUNTIMES, default=RUNTIMES[0], dest="runtime",
                     help="whose prices the plan is the least at: bytes that Transposes move, or the time that this "
                     "runtime takes on a CPU (default: %(default)s)")  # fmt: skip
    how.add_argument("--weight-layout", choices=WEIGHT_LAYOUTS, default=WEIGHT_LAYOUTS[0],
                     help="kernels in the function dialect (default: %(default)s)")  # fmt: skip
    how.add_argument("--layout", action="append", default=[], metavar="NAME=LAYOUT",
                     help=f"of one input or output: {', '.join(LAYOUTS)}, the letters wanted (NTHWC), or a perm as "
                     "einops writes it ('n c h w -> n h w c'); repeatable")  # fmt: skip
    how.add_argument("--keep-io", action="store_true", help="flip inside only; inputs and outputs stay as they are")
    how.add_argument("--preprocess", action="append", default=[], metavar="NAME:FRAMES",
                     help="an input that takes frames, 0 to 255, where MODEL wants (frame * scale - mean) / std: "
                     "uint8 or float32, bgr or rgb (which flips nothing), scale=1/255, mean=A,B,C, std=A,B,C (by "
                     "MODEL's channels, or one number), with commas between; without NAME: of the only image; "
                     "repeatable")  # fmt: skip
    options.add_front_ends(p)
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
    if args.no_validate and (args.check_all or args.save_repro):
        raise UsageError("--check-all and --save-repro compare the models, which --no-validate forbids; leave one out")
    frames_of(args.preprocess)
    return options.validation_of(args), options.by_name("--layout", args.layout, options.layout)


def run(args: argparse.Namespace) -> int:
    """Convert, validate, write. Raises UsageError before anything heavy is imported, if an option is wrong."""
    checks, layouts = checked(args)
    outputs = _outputs(args)
    from rewriter import progress
    from rewriter.files import reader
    from rewriter.given import given
    from rewriter.report import text as render
    from rewriter.validation.inputs import InputRequest

    arrays = None if args.no_validate else reader.load_arrays(args.inputs) if args.inputs else {}
    console = render.plain_console(quiet=args.quiet or is_stdout(args.json))
    with progress.shown(console):
        own = {} if args.preprocess else arrays  # frames are nothing that the framework's model takes
        run_on = None if own is None else InputRequest(args.runs, args.seed, checks["input_shapes"], own)
        args.onnx, note = given(args.model, args, partial(refuse_read, outputs), run_on)
        result = _rewrite(args, layouts, checks["input_shapes"], arrays, outputs)
    render.rewritten(console, args.model, result.report, args.verbose)
    render.noted(console, note)
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
    from rewriter.files.writer import staged
    from rewriter.report.text import timed

    outcome, latency = None, list[Any]()
    with staged(result.light, outputs["--output"] if steps.write else None, args.external_data) as files:
        if steps.check:
            from rewriter.comparison import show
            from rewriter.spelling import compared

            with progress.shown(console), step("validate"), compared(args.onnx, result, files.model) as pair:
                outcome = _validate(args, result, pair, checks, arrays or {})
            show(console, outcome, args.save_repro, args.verbose)
        if outcome is not None and outcome.fault is not None:
            _write_reports(args, result, Proof(outcome), written=False)
            raise faulty(outcome.fault)(f"{args.model}: the result {outcome.fault}; nothing was written")
        if steps.bench:
            from rewriter.spelling import compared

            with progress.shown(console), step("bench"), compared(args.onnx, result, files.model) as pair:
                latency = _bench(args, result, pair, checks, arrays)
            timed(console, latency)
        if steps.write:
            files.put()
    return Proof(outcome, latency)


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
        args.onnx,
        args.to,
        dialect=args.dialect,
        runtime=args.runtime,
        weight_layout=args.weight_layout,
        layouts=layouts,
        keep_io=args.keep_io,
        preprocess=frames_of(args.preprocess),
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
    refuse_read(outputs, [args.model, *map(Path, filter(None, [args.inputs, args.dialect]))])
    check_outputs(outputs)
    return outputs


def _validate(
    args: argparse.Namespace,
    result: rewriter.RewriteResult,
    pair: tuple[Path | ModelProto, Path],
    checks: dict[str, Any],
    arrays: dict[str, Any],
) -> Outcome:
    """The outcome. Raises UsageError where the models differ, or one fails, and the original is at fault."""
    from rewriter.comparison import Models, compare
    from rewriter.faults.blame import refuse_invalid
    from rewriter.files.reader import source_of
    from rewriter.validation.frames import frames_between
    from rewriter.validation.inputs import InputRequest
    from rewriter.validation.layouts import of_perms

    models = Models(*pair, of_perms(result.layouts), result.stored)
    outcome = compare(args, models, checks, arrays)
    if outcome.fault is not None:
        takes = frames_between(*pair)
        refuse_invalid(source_of(pair[0]), InputRequest(1, args.seed, checks["input_shapes"], arrays, takes))
    return outcome


def _bench(
    args: argparse.Namespace,
    result: rewriter.RewriteResult,
    pair: tuple[Path | ModelProto, Path],
    checks: dict[str, Any],
    arrays: dict[str, Any] | None,
) -> list[Any]:
    from rewriter.validation.latency import measure_latency
    from rewriter.validation.layouts import of_perms

    run = {name: checks[name] for name in ("providers", "seed", "input_shapes")}
    return measure_latency(*pair, of_perms(result.layouts), inputs=arrays, **run)


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
