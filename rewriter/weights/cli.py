"""``python -m rewriter.weights``: a model's weights for another framework, as a file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rewriter.command import OK, add_verbosity, finished
from rewriter.weights.frameworks import FRAMEWORKS, TARGETS

OPTIONS = [(name, option, what) for name, cls in FRAMEWORKS.items() for option, what in cls.choices().items()]


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = argparse.ArgumentParser(
        prog="python -m rewriter.weights",
        description="Write the weights of an ONNX or TFLite model in the layout of another framework, and a manifest "
        "that says what was done to each and what padding each layer needs there.",
        epilog="exit codes: 0 written; else nothing is: 2 bad usage, unreadable, broken or unsupported model; 4 an "
        "internal error, or the end of a process that aborted, hung or ran out of memory; 130 interrupted.",
    )
    p.add_argument("model", metavar="MODEL", type=Path, help="an .onnx file, or a .tflite one (extra: tflite)")
    p.add_argument("--for", dest="target", required=True, choices=TARGETS, help="the framework to write for")
    p.add_argument("-o", "--output", type=Path, metavar="PATH",
                   help="weights, as .safetensors or .npz; the manifest goes beside it as .json "
                   "(default: MODEL's stem + .TARGET.safetensors)")  # fmt: skip
    p.add_argument("--keep-quantized", action="store_true",
                   help="leave integers as they are, their scales in the manifest, not real numbers")  # fmt: skip
    for framework, option, what in OPTIONS:
        p.add_argument(f"--{option.replace('_', '-')}", action="store_true", help=f"{framework}: {what}")
    add_verbosity(p)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is documented in ``--help``."""
    return finished(run, parser(), argv)


def run(args: argparse.Namespace) -> int:
    """Export and write. All but the parser is imported here: ``--help`` must not wait for it."""
    from rewriter.files.outputs import check_outputs, refuse_read
    from rewriter.files.reader import load
    from rewriter.report.text import plain_console, wrote
    from rewriter.weights import export_weights, save_weights
    from rewriter.weights.files import writer
    from rewriter.weights.text import exported
    from rewriter.weights.tflite_file import load_tflite

    console = plain_console(args.quiet)
    output = args.output or args.model.with_name(f"{args.model.stem}.{args.target}.safetensors")
    writer(output)
    outputs = {"--output": output, "the manifest": output.with_suffix(".json")}
    refuse_read(outputs, [args.model])
    check_outputs(outputs)
    on_read = partial(refuse_read, outputs)
    model = load_tflite(args.model) if args.model.suffix == ".tflite" else load(args.model, on_read)
    options = {option: getattr(args, option) for _, option, _ in OPTIONS}
    export = export_weights(model, args.target, name=args.model.name, keep_quantized=args.keep_quantized, **options)
    exported(console, args.model, export, args.verbose)
    manifest = save_weights(export, output)
    wrote(console, output, f", and {manifest.name} with all of this beside it.")
    return OK
