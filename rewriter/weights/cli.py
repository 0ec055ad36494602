"""``python -m rewriter.weights``: a model's weights for another framework, as a file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rewriter import options
from rewriter.command import OK, add_verbosity, finished
from rewriter.errors import UsageError
from rewriter.frontends import kinds
from rewriter.weights.frameworks import ALIASES, FRAMEWORKS, TARGETS

KEEP = ("keep_quantized", "keep_flatten_order")
OPTIONS = [(name, option, what) for name, cls in FRAMEWORKS.items() for option, what in cls.choices().items()]


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = argparse.ArgumentParser(
        prog="python -m rewriter.weights",
        description="Write the weights of a model in the layout of another framework, and a manifest "
        "that says what was done to each and what padding each layer needs there.",
        epilog="exit codes: 0 written; else nothing is: 1 --check found a layer that differs; 2 bad usage, unreadable, "
        "broken or unsupported model; 3 --check could not run the model; 4 an internal error, or the end of a process "
        "that aborted, hung or ran out of memory; 130 interrupted.",
    )
    p.add_argument("model", metavar="MODEL", type=Path, help=", ".join(kinds()))
    p.add_argument("--for", dest="target", required=True, choices=TARGETS, type=lambda name: ALIASES.get(name, name),
                   help=f"the framework to write for; also {' and '.join(ALIASES)}")  # fmt: skip
    p.add_argument("-o", "--output", type=Path, metavar="PATH",
                   help="weights, as .safetensors or .npz, for pytorch also .pt, for tensorflow .weights.h5, for flax "
                   ".msgpack or .orbax; the manifest goes beside it as .json "
                   "(default: MODEL's stem + .TARGET.safetensors)")  # fmt: skip
    p.add_argument("--checkpoint", type=Path, metavar="PATH",
                   help="take names and values from this .safetensors, .pt, .npz or .weights.h5 file "
                   "of the same model")  # fmt: skip
    p.add_argument("--names", type=Path, metavar="PATH",
                   help="a JSON object: new names, by those of tensors, or of modules "
                   "for all that is in them")  # fmt: skip
    p.add_argument("--keep-quantized", action="store_true",
                   help="leave integers as they are, their scales in the manifest, not real numbers")  # fmt: skip
    p.add_argument("--keep-flatten-order", action="store_true",
                   help="leave the rows of a Dense behind a Flatten (columns before an Unflatten) as they are, "
                   "for a net that transposes there itself")  # fmt: skip
    p.add_argument("--check", action="store_true",
                   help="run each layer, as exported, in the target's framework, which must be installed, and compare "
                   "it with onnxruntime")  # fmt: skip
    for framework, option, what in OPTIONS:
        p.add_argument(f"--{option.replace('_', '-')}", action="store_true", help=f"{framework}: {what}")
    options.add_front_ends(p)
    add_verbosity(p)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is documented in ``--help``."""
    return finished(run, parser(), argv)


def run(args: argparse.Namespace) -> int:
    """Export and write. All but the parser is imported here: ``--help`` must not wait for it."""
    from rewriter.files.outputs import beside, check_outputs, refuse_read
    from rewriter.given import asked_of
    from rewriter.report.text import plain_console, wrote
    from rewriter.weights import check_weights, export_weights, save_weights
    from rewriter.weights.check.text import checked_text
    from rewriter.weights.files.weights import writer
    from rewriter.weights.inputs import load_model, read_names
    from rewriter.weights.manifest.text import exported

    console = plain_console(args.quiet)
    output = args.output or beside(args.model, f".{args.target}.safetensors")
    writer(output, args.target)
    outputs = {"--output": output, "the manifest": output.with_suffix(".json")}
    if args.check and args.checkpoint:
        raise UsageError("--check compares with the model's own weights, which --checkpoint replaces: leave one out")
    read = [path for path in (args.model, args.checkpoint, args.names) if path is not None]
    refuse_read(outputs, read)
    check_outputs(outputs)
    names = read_names(args.names) if args.names else None
    model = load_model(args.model, partial(refuse_read, outputs), asked_of(args))
    chosen = {option: getattr(args, option) for option in (*KEEP, *(option for _, option, _ in OPTIONS))}
    given = {"names": names, "checkpoint": args.checkpoint, "name": args.model.name, **chosen}
    export = export_weights(model, args.target, **given)
    if args.check:
        export = check_weights(export, model)
    exported(console, args.model, export, args.verbose)
    if export.manifest.checked:
        checked_text(console, export.manifest.checked, args.verbose)
    manifest = save_weights(export, output)
    wrote(console, output, f", and {manifest.name} with all of this beside it.")
    return OK
