"""The command line: arguments to a rewrite, its validation, and an exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rewriter
from rewriter import options
from rewriter.child import imported
from rewriter.choices import DIALECTS, LAYOUTS, RUNTIMES, TARGETS, WEIGHT_LAYOUTS
from rewriter.command import OK, add_verbosity, finished
from rewriter.errors import UsageError, faulty
from rewriter.files.json_file import check_json, is_stdout, write_json
from rewriter.files.outputs import check_folder, check_outputs, refuse_read
from rewriter.files.whole import write_whole
from rewriter.steps import step

if TYPE_CHECKING:
    from rewriter.comparison import Outcome

EPILOG = """exit codes: 0 converted and validated, or nothing to do; 1 the result differs from the original, does not
run in onnxruntime, or fails our own verification; 2 bad usage, unreadable, broken or unsupported model, unknown name; 3
could not be validated; 4 an internal error, or the end of a process that aborted, hung or ran out of memory; 130
interrupted. A model is written with 0 only."""


def parser() -> argparse.ArgumentParser:
    """The options; it imports nothing of the tool but what they may be."""
    p = argparse.ArgumentParser(
        prog="python -m rewriter",
        description="Convert an ONNX model between NCHW and NHWC with the least Transposes, and prove it unchanged.",
        epilog=EPILOG,
    )
    p.add_argument("model", metavar="MODEL", type=Path, help="the .onnx file to convert; it is never written to")
    p.add_argument("--to", required=True, choices=TARGETS, help="channels last (nhwc) or channels first (nchw)")
    p.add_argument("-o", "--output", type=Path, metavar="PATH", help="default: MODEL's stem + .nhwc.onnx, .nchw.onnx")
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
    out.add_argument("--json", type=Path, metavar="PATH", help="write the report as JSON ('-' for stdout)")
    out.add_argument("--report", type=Path, metavar="PATH", help="write the report as one HTML page, for a browser")
    out.add_argument("--explain", action="append", default=[], metavar="VALUE",
                     help="say why a value is stored as it is, and what else would cost; repeatable")  # fmt: skip
    add_verbosity(out)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is documented in ``--help``."""
    return finished(run, parser(), argv)


def run(args: argparse.Namespace) -> int:
    """Convert, validate, write. Raises UsageError before anything heavy is imported, if an option is wrong."""
    checks = options.validation_of(args)
    layouts = options.by_name("--layout", args.layout, options.layout)
    outputs = _outputs(args)
    from rewriter import progress
    from rewriter.files import reader, writer
    from rewriter.report import text as render

    arrays = None if args.no_validate else reader.load_arrays(args.inputs) if args.inputs else {}
    console = render.plain_console(quiet=args.quiet or is_stdout(args.json))
    with progress.shown(console):
        result = _rewrite(args, layouts, checks["input_shapes"], arrays, outputs)
    render.rewritten(console, args.model, result.report, args.verbose)
    outcome, latency = None, list[Any]()
    if not args.no_validate and (result.report.changed or args.output or args.check_all):
        from rewriter import comparison

        with progress.shown(console), step("validate"):
            outcome = _validate(args, result, checks, arrays or {})
        comparison.show(console, outcome, args.save_repro, args.verbose)
    if outcome is not None and outcome.fault is not None:
        _write_reports(args, result, outcome, latency, written=False)
        raise faulty(outcome.fault)(f"{args.model}: the result {outcome.fault}; nothing was written")
    if args.bench:
        with progress.shown(console), step("bench"):
            latency = _bench(args, result, checks, arrays)
        render.timed(console, latency)
    written = not args.dry_run and (result.report.changed or args.output is not None)
    if written:
        writer.save(result.model, outputs["--output"])
        render.wrote(console, outputs["--output"])
    else:
        console.print("Nothing was written." if args.dry_run else f"Nothing to do: already {args.to.upper()}.")
    _write_reports(args, result, outcome, latency, written)
    return OK


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
        weight_layout=args.weight_layout,
        layouts=layouts,
        keep_io=args.keep_io,
        input_shapes=shapes,
        explain=args.explain,
        measure_on=arrays,
        on_read=partial(refuse_read, outputs),
    )


def _outputs(args: argparse.Namespace) -> dict[str, Path]:
    """The files that are going to be written, by option. Raises UsageError if one must not or cannot be."""
    outputs = {} if args.dry_run else {"--output": _output(args)}
    if args.report:
        outputs["--report"] = args.report
    if args.json and not is_stdout(args.json):
        outputs["--json"] = args.json
    check_json(args.json)
    if args.no_validate and (args.check_all or args.save_repro):
        raise UsageError("--check-all and --save-repro compare the models, which --no-validate forbids; leave one out")
    if args.save_repro:
        check_folder("--save-repro", args.save_repro)
    refuse_read(outputs, [args.model, *filter(None, [args.inputs])])
    check_outputs(outputs)
    return outputs


def _output(args: argparse.Namespace) -> Path:
    path: Path = args.output or args.model.parent / f"{args.model.stem}.{args.to}.onnx"
    return path


def _validate(
    args: argparse.Namespace, result: rewriter.RewriteResult, checks: dict[str, Any], arrays: dict[str, Any]
) -> Outcome:
    from rewriter.comparison import Models, compare
    from rewriter.validation.layouts import of_perms

    return compare(args, Models(args.model, result.model, of_perms(result.layouts), result.stored), checks, arrays)


def _bench(
    args: argparse.Namespace, result: rewriter.RewriteResult, checks: dict[str, Any], arrays: dict[str, Any] | None
) -> list[Any]:
    from rewriter.validation.latency import measure_latency
    from rewriter.validation.layouts import of_perms

    run = {name: checks[name] for name in ("providers", "seed", "input_shapes")}
    return measure_latency(args.model, result.model, of_perms(result.layouts), inputs=arrays, **run)


def _write_reports(
    args: argparse.Namespace,
    result: rewriter.RewriteResult,
    outcome: Outcome | None,
    latency: Sequence[Any],
    written: bool,
) -> None:
    """As JSON and as a page, as far as they were asked for."""
    if not args.json and not args.report:
        return
    from rewriter.report.document import document
    from rewriter.report.page import page

    verdict, search = (outcome.verdict, outcome.search) if outcome else (None, None)
    data = document(args.model, _output(args), written, result.report, verdict, search, latency)
    if args.report:
        write_whole(args.report, page(data))
    if args.json:
        write_json(args.json, data)
