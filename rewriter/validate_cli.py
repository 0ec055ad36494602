"""The command line of ``python -m rewriter.validate``: are two files one model?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rewriter import options
from rewriter.choices import LAYOUTS
from rewriter.command import OK, add_verbosity, finished
from rewriter.errors import faulty
from rewriter.files.json_file import check_json, is_stdout, write_json
from rewriter.files.outputs import check_folder, check_outputs, refuse_read
from rewriter.layouts import parse_choice
from rewriter.steps import step

EPILOG = """Layouts that neither --layout nor the files' metadata tell are found by shape and by trying; what was found
is printed. exit codes: 0 equal; 1 they differ, or B does not run in onnxruntime; 2 bad usage, unreadable or broken
model, unknown name; 3 could not be validated; 4 an internal error, or out of memory; 130 interrupted."""


def parser() -> argparse.ArgumentParser:
    """The options; it imports nothing of the tool but what they may be."""
    p = argparse.ArgumentParser(
        prog="python -m rewriter.validate",
        description="Compare two ONNX models that should compute the same, whatever layouts B has, with onnxruntime.",
        epilog=EPILOG,
    )
    p.add_argument("original", metavar="A", type=Path, help="the original, whose layouts all that is printed is in")
    p.add_argument("rewritten", metavar="B", type=Path, help="the model to compare with it")
    p.add_argument("--layout", action="append", default=[], metavar="NAME=LAYOUT",
                   help=f"how B stores an input or output: {', '.join(LAYOUTS)} (as A does), its letters (NTHWC), or a "
                   "perm of A's axes as einops writes it ('n c h w -> n h w c'); repeatable")  # fmt: skip
    options.add_front_ends(p)
    options.add_validation(p)
    out = p.add_argument_group("output")
    out.add_argument("--json", type=Path, metavar="PATH", help="write the result as JSON ('-' for stdout)")
    add_verbosity(out)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is documented in ``--help``."""
    return finished(run, parser(), argv)


def run(args: argparse.Namespace) -> int:
    """Compare and tell. Raises UsageError before anything heavy is imported, if an option is wrong."""
    checks = options.validation_of(args)
    layouts = options.by_name("--layout", args.layout, parse_choice)
    on_read = partial(refuse_read, _outputs(args))

    from rewriter import progress
    from rewriter.comparison import Models, compare, show
    from rewriter.faults.find import refuse_broken
    from rewriter.files import reader
    from rewriter.files.ends import in_one_order
    from rewriter.given import given
    from rewriter.report import text as render
    from rewriter.spelling import refuse_spelled
    from rewriter.validation.inputs import InputRequest
    from rewriter.validation.interface import found_layouts

    console = render.plain_console(quiet=args.quiet or is_stdout(args.json))
    arrays = reader.load_arrays(args.inputs) if args.inputs else {}
    request = InputRequest(args.runs, args.seed, checks["input_shapes"] or {}, arrays)
    with progress.shown(console):
        models = [given(path, args, on_read, request) for path in (args.original, args.rewritten)]
    for path, (model, note) in zip((args.original, args.rewritten), models, strict=True):
        render.noted(console, note)
        proto = reader.source_of(model, on_read).proto
        refuse_broken(proto)
        refuse_spelled(proto, str(path))
    paths, read = (args.original, args.rewritten), (models[0].onnx, models[1].onnx)
    original, rewritten = in_one_order(paths, read)
    with progress.shown(console), step("compare"):
        found = found_layouts(original, rewritten, request, layouts)
        outcome = compare(args, Models(original, rewritten, found.layouts), checks, arrays)
    for note in found.notes:
        console.print(f"Note: {note}")
    show(console, outcome, args.save_repro, args.verbose)
    if args.json is not None:
        write_json(args.json, {"layouts": found.to_json(), **outcome.to_json()})
    if outcome.fault is not None:
        raise faulty(outcome.fault)(f"{args.rewritten}: it {outcome.fault}, {args.original}")
    return OK


def _outputs(args: argparse.Namespace) -> dict[str, Path]:
    """The files that are going to be written, by option. Raises UsageError if one must not or cannot be."""
    outputs = {} if args.json is None or is_stdout(args.json) else {"--json": args.json}
    check_json(args.json)
    if args.save_repro:
        check_folder("--save-repro", args.save_repro)
    refuse_read(outputs, [args.original, args.rewritten, *filter(None, [args.inputs])])
    check_outputs(outputs)
    return outputs
