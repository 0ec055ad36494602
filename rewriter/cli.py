"""The command line: arguments to a rewrite, its validation, and an exit code."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rewriter
from rewriter.choices import DIALECTS, LAYOUTS, PROVIDERS, TARGETS, WEIGHT_LAYOUTS
from rewriter.errors import CouldNotValidate, DoesNotRun, ResultDiffers, RewriterError, UsageError, VerificationError
from rewriter.layouts import parse_choice
from rewriter.version import __version__

OK, USAGE = 0, 2
CODES: dict[type[Exception], int] = {
    VerificationError: 1,
    ResultDiffers: 1,
    DoesNotRun: 1,
    CouldNotValidate: 3,
}  # all else that can be told: USAGE

EPILOG = """exit codes: 0 converted and validated, or nothing to do; 1 the result differs from the original, does not
run in onnxruntime, or fails our own verification, nothing written; 2 bad usage, unreadable or unsupported model,
unknown name; 3 could not be validated, nothing written."""


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
                     "standard ONNX operators (default for nchw)")  # fmt: skip
    how.add_argument("--weight-layout", choices=WEIGHT_LAYOUTS, default=WEIGHT_LAYOUTS[0],
                     help="kernels in the function dialect (default: %(default)s)")  # fmt: skip
    how.add_argument("--layout", action="append", default=[], metavar="NAME=LAYOUT",
                     help=f"of one input or output: {', '.join(LAYOUTS)}, the letters wanted (NTHWC), or a perm as "
                     "einops writes it ('n c h w -> n h w c'); repeatable")  # fmt: skip
    how.add_argument("--keep-io", action="store_true", help="flip inside only; inputs and outputs stay as they are")
    check = p.add_argument_group("validation with onnxruntime")
    check.add_argument("--providers", metavar="LIST", help="cpu,cuda (default: cpu, and cuda where there is one)")
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


def add_verbosity(group: argparse._ActionsContainer) -> None:
    """The options of every command."""
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("-v", "--verbose", action="count", default=0, help="print more; -vv: tracebacks of errors")
    group.add_argument("--version", action="version", version=f"onnx-layout-rewriter {__version__}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is documented in ``--help``."""
    return finished(run, parser().parse_args(argv))


def finished(run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """The exit code of a command; what can be told is told in a sentence, with ``-vv`` its traceback, too."""
    try:
        return run(args)
    except (RewriterError, OSError) as error:
        if args.verbose >= 2:
            traceback.print_exception(error)
        print(f"error: {error}", file=sys.stderr)
        return next((code for kind, code in CODES.items() if isinstance(error, kind)), USAGE)


def run(args: argparse.Namespace) -> int:
    """Convert, validate, write. Raises UsageError before anything heavy is imported, if an option is wrong."""
    output = args.output or args.model.with_name(f"{args.model.stem}.{args.to}.onnx")
    if output.resolve() == args.model.resolve():
        raise UsageError(f"--output {output} is the input; give another path")
    if args.json and args.json.resolve() in (args.model.resolve(), output.resolve()):
        raise UsageError(f"--json {args.json} is a model; give another path")
    shapes = dict(_shape(text) for text in args.input_shape)
    layouts = dict(_layout(text) for text in args.layout)
    providers = _providers(args.providers)
    arrays = None if args.no_validate else _arrays(args.inputs)
    from rewriter.files.writer import save
    from rewriter.report import text as render

    console = render.plain_console(quiet=args.quiet or str(args.json) == "-")
    result = rewriter.rewrite(
        args.model,
        args.to,
        dialect=args.dialect,
        weight_layout=args.weight_layout,
        layouts=layouts,
        keep_io=args.keep_io,
        input_shapes=shapes,
        explain=args.explain,
        measure_on=arrays,
    )
    render.rewritten(console, args.model, result.report, args.verbose)
    verdict = None
    if not args.no_validate and (result.report.changed or args.output):
        with console.status("validating with onnxruntime"):
            verdict = _validate(args, result, shapes, arrays, providers)
        render.validated(console, verdict)
    _write_json(args.json, result, verdict)
    if verdict is not None and verdict.fault is not None:
        kind = ResultDiffers if verdict.fault == "differs from the original" else DoesNotRun
        raise kind(f"{args.model}: the result {verdict.fault}; nothing was written")
    if args.dry_run or (not result.report.changed and args.output is None):
        console.print("Nothing was written." if args.dry_run else f"Nothing to do: already {args.to.upper()}.")
        return OK
    save(result.model, output)
    render.wrote(console, output)
    return OK


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


def _arrays(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as data:
            return dict(data)
    except (ValueError, OSError) as error:
        raise UsageError(f"--inputs {path}: not a readable .npz file ({error})") from None


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
    try:
        return name, [int(size) for size in value.split(",")]
    except ValueError:
        raise UsageError(f"--input-shape {text}: write NAME=1,3,224,224") from None


def _providers(text: str | None) -> list[str] | None:
    names = text.split(",") if text else None
    unknown = [name for name in names or () if name not in PROVIDERS]
    if unknown:
        raise UsageError(f"--providers {text}: {unknown[0]!r} is not one of {', '.join(PROVIDERS)}")
    return names


def _write_json(path: Path | None, result: rewriter.RewriteResult, verdict: rewriter.ValidationReport | None) -> None:
    if path is None:
        return
    data = {"rewrite": result.report.to_json(), "validation": verdict.to_json() if verdict else None}
    text = json.dumps(data, indent=2) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
    else:
        path.write_text(text)
