"""The command line: arguments to a rewrite, its validation, and an exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import rewriter
from rewriter.choices import DIALECTS, LAYOUTS, PROVIDERS, RUNTIMES, TARGETS, WEIGHT_LAYOUTS, number_fault
from rewriter.command import OK, add_verbosity, finished
from rewriter.errors import DoesNotRun, ResultDiffers, RewriterError, UsageError
from rewriter.files.outputs import check_outputs, refuse_read
from rewriter.files.whole import write_whole
from rewriter.layouts import parse_choice
from rewriter.validation.providers import provider_of

MOST_SIZE = 2**31 - 1  # of an axis that is given

EPILOG = """exit codes: 0 converted and validated, or nothing to do; 1 the result differs from the original, does not
run in onnxruntime, or fails our own verification; 2 bad usage, unreadable, broken or unsupported model, unknown name; 3
could not be validated; 4 an internal error, or out of memory; 130 interrupted. A model is written with 0 only."""


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
                     "standard ONNX operators (onnx, default for nchw), with Attention (opset 23) as one where that "
                     "is cheaper (onnxruntime, default with --for onnxruntime)")  # fmt: skip
    how.add_argument("--for", choices=RUNTIMES, default=RUNTIMES[0], dest="runtime",
                     help="whose prices the plan is the least at: bytes that Transposes move, or the time that this "
                     "runtime takes on a CPU (default: %(default)s)")  # fmt: skip
    how.add_argument("--weight-layout", choices=WEIGHT_LAYOUTS, default=WEIGHT_LAYOUTS[0],
                     help="kernels in the function dialect (default: %(default)s)")  # fmt: skip
    how.add_argument("--layout", action="append", default=[], metavar="NAME=LAYOUT",
                     help=f"of one input or output: {', '.join(LAYOUTS)}, the letters wanted (NTHWC), or a perm as "
                     "einops writes it ('n c h w -> n h w c'); repeatable")  # fmt: skip
    how.add_argument("--keep-io", action="store_true", help="flip inside only; inputs and outputs stay as they are")
    check = p.add_argument_group("validation with onnxruntime")
    check.add_argument("--providers", metavar="LIST",
                       help=f"of {', '.join(PROVIDERS)}, with onnxruntime's options as in cpu,cuda:prefer_nhwc=1 "
                       "(default: cpu, and cuda where there is one)")  # fmt: skip
    check.add_argument("--no-validate", action="store_true", help="do not run the models")
    check.add_argument("--rtol", type=float, help="error allowed, relative to an output's scale (default: by type)")
    check.add_argument("--atol", type=float, help="absolute error allowed besides")
    check.add_argument("--seed", type=int, default=0, help="of the random inputs (default: %(default)s)")
    check.add_argument("--runs", type=int, default=3, help="number of random inputs (default: %(default)s)")
    check.add_argument("--input-shape", action="append", default=[], metavar="NAME=1,3,224,224",
                       help="sizes for dynamic dims, repeatable")  # fmt: skip
    check.add_argument("--inputs", type=Path, metavar="FILE.npz", help="real data, by input name, original layout")
    out = p.add_argument_group("output")
    out.add_argument("--dry-run", action="store_true", help="plan, rewrite and validate, but write no model")
    out.add_argument("--json", type=Path, metavar="PATH", help="write the report as JSON ('-' for stdout)")
    out.add_argument("--explain", action="append", default=[], metavar="VALUE",
                     help="say why a value is stored as it is, and what else would cost; repeatable")  # fmt: skip
    add_verbosity(out)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is documented in ``--help``."""
    return finished(run, parser(), argv)


def run(args: argparse.Namespace) -> int:
    """Convert, validate, write. Raises UsageError before anything heavy is imported, if an option is wrong."""
    shapes = dict(_shape(text) for text in args.input_shape)
    layouts = dict(_layout(text) for text in args.layout)
    providers = _providers(args.providers)
    _check_numbers(args)
    outputs = _outputs(args)
    from rewriter.files import reader, writer
    from rewriter.report import text as render

    arrays = None if args.no_validate else reader.load_arrays(args.inputs) if args.inputs else {}
    console = render.plain_console(quiet=args.quiet or _is_stdout(args.json))
    result = _rewrite(args, layouts, shapes, arrays, outputs)
    render.rewritten(console, args.model, result.report, args.verbose)
    verdict = None
    if not args.no_validate and (result.report.changed or args.output):
        with console.status("validating with onnxruntime"):
            verdict = _validate(args, result, shapes, arrays, providers)
        render.validated(console, verdict)
    if verdict is not None and verdict.fault is not None:
        _write_json(args.json, result, verdict)
        raise _faulty(verdict.fault)(f"{args.model}: the result {verdict.fault}; nothing was written")
    if args.dry_run or (not result.report.changed and args.output is None):
        console.print("Nothing was written." if args.dry_run else f"Nothing to do: already {args.to.upper()}.")
    else:
        writer.save(result.model, outputs["--output"])
        render.wrote(console, outputs["--output"])
    _write_json(args.json, result, verdict)
    return OK


def _rewrite(
    args: argparse.Namespace,
    layouts: dict[str, str],
    shapes: dict[str, list[int]],
    arrays: dict[str, Any] | None,
    outputs: dict[str, Path],
) -> rewriter.RewriteResult:
    return rewriter.rewrite(
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


def _faulty(fault: str) -> type[RewriterError]:
    return ResultDiffers if fault == "differs from the original" else DoesNotRun


def _outputs(args: argparse.Namespace) -> dict[str, Path]:
    """The files that are going to be written, by option. Raises UsageError if one must not or cannot be."""
    outputs = {}
    if not args.dry_run:
        outputs["--output"] = args.output or args.model.with_name(f"{args.model.stem}.{args.to}.onnx")
    if args.json and not _is_stdout(args.json):
        outputs["--json"] = args.json
    if _is_stdout(args.json) and sys.__stdout__ is None:
        raise UsageError("--json -: stdout is closed; give a path")
    refuse_read(outputs, [args.model, *filter(None, [args.inputs])])
    check_outputs(outputs)
    return outputs


def _is_stdout(path: Path | None) -> bool:
    return str(path) == "-"


def _validate(
    args: argparse.Namespace,
    result: rewriter.RewriteResult,
    shapes: dict[str, list[int]],
    arrays: dict[str, Any] | None,
    providers: list[str] | None,
) -> rewriter.ValidationReport:
    return rewriter.validate(
        args.model,
        result.model,
        layouts=result.layouts,
        providers=providers,
        runs=args.runs,
        seed=args.seed,
        rtol=args.rtol,
        atol=args.atol,
        input_shapes=shapes or None,
        inputs=arrays,
    )


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=")
    if not equals or not name:
        raise UsageError(f"{option} {text}: write NAME=VALUE")
    return name, value


def _layout(text: str) -> tuple[str, str]:
    name, value = _pair(text, "--layout")
    parse_choice(name, value)
    return name, value


def _shape(text: str) -> tuple[str, list[int]]:
    name, value = _pair(text, "--input-shape")
    if not all(size.isdecimal() and int(size) <= MOST_SIZE for size in value.split(",")):
        raise UsageError(f"--input-shape {text}: write NAME=1,3,224,224, sizes from 0 to {MOST_SIZE:,}")
    return name, [int(size) for size in value.split(",")]


def _check_numbers(args: argparse.Namespace) -> None:
    if fault := number_fault(args.runs, args.seed, args.rtol, args.atol):
        raise UsageError(f"--{fault}")


def _providers(text: str | None) -> list[str] | None:
    names = text.split(",") if text else None
    for name in names or ():
        try:
            provider_of(name)
        except UsageError as error:
            raise UsageError(f"--providers {text}: {error}") from error
    return names


def _write_json(path: Path | None, result: rewriter.RewriteResult, verdict: rewriter.ValidationReport | None) -> None:
    if path is None:
        return
    data = {"rewrite": result.report.to_json(), "validation": verdict.to_json() if verdict else None}
    text = json.dumps(data, indent=2) + "\n"
    if _is_stdout(path):
        sys.stdout.write(text)
    else:
        write_whole(path, text)
