"""The options of the command line that ask for another runtime's file; nothing heavy is imported for them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriter.backends import BACKENDS, FOLDER, backend_name, backend_of
from rewriter.choices import EXTERNAL_DATA, RUNTIMES
from rewriter.errors import UsageError
from rewriter.frontends import FRONT_ENDS

if TYPE_CHECKING:
    from rewriter.result import RewriteResult

QUANTIZE = ("float16", "dynamic", "int8")
LAYOUT = "hwio"  # of kernels, which TensorFlow's operators take
ONNX_ONLY = {  # by the attribute of the arguments: the option, and what it is about
    "dialect": "--dialect is about how channels-last operators are written in ONNX",
    "bench": "--bench is about a race in onnxruntime",
    "check_all": "--check-all is about values inside of two ONNX models",
    "save_repro": "--save-repro is about values inside of two ONNX models",
    "external_data": "--external-data is about files of ONNX's weights",
    "providers": "--providers is about where onnxruntime runs the result",
    "runtime": "--for is about what operators cost in another runtime",
}
MAY_BE_ONNX = ".pb"
UNSET: tuple[object, ...] = (None, False, [], RUNTIMES[0], EXTERNAL_DATA[0])


class _Output(argparse.Action):
    """``-o``; ``backend``: the module of what writes the file, by the end of its path as it was typed."""

    def __call__(self, _: Any, namespace: argparse.Namespace, value: Any, __: str | None = None) -> None:
        namespace.output, namespace.backend = Path(value), backend_name(value)


def add_output(parser: argparse.ArgumentParser) -> None:
    """``-o`` and ``--quantize``."""
    parser.add_argument("-o", "--output", action=_Output, metavar="PATH",
                        help="default: MODEL's stem + .nhwc.onnx, .nchw.onnx; of several models a folder for all "
                        "results, which have these names there; PATH.tflite is a TFLite file, PATH/ a SavedModel, both "
                        "channels last")  # fmt: skip
    parser.add_argument("--quantize", choices=QUANTIZE,
                        help="weights of a .tflite file as float16, as 8 bits (dynamic), or these and activations by "
                        "their ranges on --inputs (int8)")  # fmt: skip
    parser.set_defaults(backend=None)


def told_apart(args: argparse.Namespace, result: RewriteResult) -> RewriteResult:
    """The result, of which nothing is said that holds of ONNX files only, if it becomes another one."""
    if args.backend is None:
        return result
    from passes.dialects.functions import FunctionDialect
    from rewriter.report.causes import causes

    report = result.report
    notes = [note for note in report.notes if note != FunctionDialect.note]
    return replace(result, report=replace(report, notes=notes, causes=causes(report.remaining, None)))


def refuse_foreign(args: argparse.Namespace) -> None:
    """Raises UsageError if an ONNX file would be called as another framework's, as which it would be read."""
    if args.output and not args.backend and args.output.suffix.lower() in {*FRONT_ENDS} - {MAY_BE_ONNX}:
        raise UsageError(f"-o {args.output}: an ONNX file would be written there; give it another suffix, as .onnx")


def settle(args: argparse.Namespace) -> None:
    """Fill in what ``-o`` implies. Raises UsageError where it contradicts other options."""
    if args.many:
        if backend_name(str(args.output)):
            raise UsageError(f"-o {args.output} is the file of one model; give each of the models a command of its own")
        args.backend = None
    if args.backend is None:
        if args.to is None:
            raise UsageError("the following arguments are required: --to")
        if args.quantize:
            raise UsageError("--quantize is for -o PATH.tflite")
        return
    where = f"-o {args.output}{FOLDER if args.backend == BACKENDS[FOLDER] else ''}"
    if args.to == "nchw":
        raise UsageError(f"{where} is channels last; leave out --to nchw")
    args.to = "nhwc"
    for option, what in ONNX_ONLY.items():
        if getattr(args, option) not in UNSET:
            raise UsageError(f"{where}: {what}; leave it out")
    if args.quantize and args.backend == BACKENDS[FOLDER]:
        raise UsageError(f"{where}: --quantize is for -o PATH.tflite")
    if args.backend == BACKENDS[FOLDER] and args.output.exists() and not args.dry_run:
        raise UsageError(f"{where} is there already; give a new folder")
    backend = backend_of(args.backend)
    args.runtime = backend.prices
    backend.require(args.output)
