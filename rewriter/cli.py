"""The command line: arguments to a rewrite, its validation, and an exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rewriter import options
from rewriter.backends import arguments as target
from rewriter.choices import EXTERNAL_DATA, LAYOUTS, RUNTIMES, TARGETS, TOOLCHAINS, WEIGHT_LAYOUTS, dialect_fault
from rewriter.command import OK, add_verbosity, finished
from rewriter.errors import UsageError
from rewriter.files.json_file import check_json, is_stdout
from rewriter.files.outputs import check_folder, check_outputs, output_of, refuse_read
from rewriter.many.arguments import add_models
from rewriter.many.command import convert_all
from rewriter.preprocess import frames_of

EPILOG = """exit codes: 0 converted and validated, or nothing to do; 1 the result differs from the original, does not
run in onnxruntime, or fails our own verification; 2 bad usage, unreadable, broken or unsupported model, unknown name; 3
could not be validated; 4 an internal error, or the end of a process that aborted, hung or ran out of memory; 130
interrupted. A model is written with 0 only. Of several models it is the worst: 4, 1, 3, 2, 0."""


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
    how.add_argument("--dialect", type=options.dialect, metavar="NAME",
                     help="write channels-last operators as model-local functions (function, default for nhwc), or "
                     "keep to standard ONNX operators (onnx, default for nchw and with --for openvino), with Attention "
                     "(opset 23) as one where that is cheaper (onnxruntime, default with --for onnxruntime), in a "
                     f"toolchain's words ({', '.join(TOOLCHAINS)}), or in those of a FILE.toml, with --to nchw to "
                     "read them (docs/dialects.md)")  # fmt: skip
    how.add_argument("--for", choices=RUNTIMES, default=RUNTIMES[0], dest="runtime",
                     help="whose prices the plan is the least at: bytes that Transposes move, those that LiteRT moves "
                     "(so it is with -o PATH.tflite or PATH/), or the time that this runtime takes on a CPU (default: "
                     "%(default)s)")  # fmt: skip
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
    target.settle(args)
    if fault := dialect_fault(args.to, args.dialect):
        raise UsageError(f"--{fault}")
    if args.no_validate and (args.check_all or args.save_repro):
        raise UsageError("--check-all and --save-repro compare the models, which --no-validate forbids; leave one out")
    frames_of(args.preprocess)
    return options.validation_of(args), options.by_name("--layout", args.layout, options.layout)


def run(args: argparse.Namespace) -> int:
    """Convert, validate, write. Raises UsageError before anything heavy is imported, if an option is wrong."""
    checks, layouts = checked(args)
    outputs = _outputs(args)
    from rewriter.conversion import Conversion

    Conversion(args, checks, layouts, outputs).run()
    return OK


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
    target.refuse_foreign(args)
    check_outputs(outputs)
    return outputs
