"""``python -m rewriter.weights``: a model's weights for another framework, as a file."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rewriter.cli import OK, USAGE, failed
from rewriter.errors import RewriterError, UsageError
from rewriter.files import model_io
from rewriter.version import __version__
from rewriter.weights.export import Export, export_weights
from rewriter.weights.files import save_weights, writer
from rewriter.weights.manifest import LayerEntry, Tensor
from rewriter.weights.padding import TARGETS
from rewriter.weights.tflite import load_tflite

MOST_ROWS = 12
EPILOG = "exit codes: 0 written; 2 bad usage, unreadable or unsupported model, nothing written."


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m rewriter.weights",
        description="Write the weights of an ONNX or TFLite model in the layout of another framework, and a manifest "
        "that says what was done to each and what padding each layer needs there.",
        epilog=EPILOG,
    )
    p.add_argument("model", metavar="MODEL", type=Path, help="an .onnx file, or a .tflite one (extra: tflite)")
    p.add_argument("--for", dest="target", required=True, choices=TARGETS, help="the framework to write for")
    p.add_argument("-o", "--output", type=Path, metavar="PATH",
                   help="weights, as .safetensors or .npz; the manifest goes beside it as .json "
                   "(default: MODEL's stem + .TARGET.safetensors)")  # fmt: skip
    p.add_argument("--transpose-kernel", action="store_true",
                   help="flax: kernels for ConvTranspose(transpose_kernel=True), which has them unflipped")  # fmt: skip
    p.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    p.add_argument("-v", "--verbose", action="count", default=0, help="list every layer; -vv: tracebacks of errors")
    p.add_argument("--version", action="version", version=f"onnx-layout-rewriter {__version__}")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is documented in ``--help``."""
    args = parser().parse_args(argv)
    try:
        return run(args)
    except (RewriterError, OSError) as error:
        return failed(args, error, USAGE)


def run(args: argparse.Namespace) -> int:
    console = Console(quiet=args.quiet, highlight=False)
    output = args.output or args.model.with_name(f"{args.model.stem}.{args.target}.safetensors")
    writer(output)
    if args.model.resolve() in (output.resolve(), output.with_suffix(".json").resolve()):
        raise UsageError(f"--output {output} is the input; give another path")
    model = load_tflite(args.model) if args.model.suffix == ".tflite" else model_io.load(args.model)
    export = export_weights(model, args.target, transpose_kernel=args.transpose_kernel, name=args.model.name)
    render(console, args.model, export, None if args.verbose else MOST_ROWS)
    manifest = save_weights(export, output)
    console.print(f"Wrote [bold]{escape(str(output))}[/], and {escape(manifest.name)} with all of this beside it.")
    return OK


def render(console: Console, path: Path, export: Export, most: int | None) -> None:
    """What was made of each layer, at most ``most`` rows of it."""
    manifest = export.manifest
    rows = [(name, layer) for name, layer in manifest.layers.items() if layer.parameters or "padding" in layer.settings]
    count = len(manifest.tensors)
    console.print(f"[bold]{escape(str(path))}[/] for {manifest.target}: {count} tensors, {len(rows)} layers")
    table = Table(box=None)
    for column in ("weight", "layer", "old", "", "new", "", "padding"):
        table.add_column(column, overflow="fold")
    for name, layer in rows[:most]:
        table.add_row(*map(escape, row(name, layer, manifest.tensors)))
    console.print(table)
    if most is not None and len(rows) > most:
        console.print(f"and {len(rows) - most} more (-v)")
    rest = [tensor for tensor in manifest.tensors.values() if tensor.layer is None]
    if rest:
        changed = sum(not tensor.change.is_identity for tensor in rest)
        console.print(f"{len(rest)} tensors belong to no layer: {len(rest) - changed} as is, {changed} permuted")
    for note in manifest.notes[:most]:
        console.print(f"Note: {escape(note)}", soft_wrap=True)
    if most is not None and len(manifest.notes) > most:
        console.print(f"and {len(manifest.notes) - most} more notes (-v)")


def row(name: str, layer: LayerEntry, tensors: dict[str, Tensor]) -> list[str]:
    first = next(iter(layer.parameters.values()), None)
    if first is None:
        return [f"({name})", layer.kind, "", "", "", "", padding(layer)]
    tensor = tensors[first]
    reordered = ", reordered" if tensor.change.orders else ""
    flipped = ", flipped" if tensor.change.flip else ""
    new = f"{tensor.new or ''}{flipped}{reordered}"
    old_shape, new_shape = ("x".join(map(str, shape)) for shape in (tensor.change.source_shape, tensor.change.shape))
    return [first, layer.kind, old_shape, tensor.old or "", new_shape, new, padding(layer)]


def padding(layer: LayerEntry) -> str:
    """The padding in short, and strides: "VALID, pad 3+3 3+3, stride 2 2"."""
    given = layer.settings.get("padding", "")
    parts = [given if isinstance(given, str) else amounts(given)]
    if "crop" in layer.settings:
        parts.append(f"crop {amounts(layer.settings['crop'])}")
    pads = layer.settings.get("pad", [])
    if pads:
        parts.append(f"pad {amounts(pads[1:-1]) if isinstance(pads[0], tuple) else amounts(pads)}")
    strides = layer.settings.get("strides", [])
    if max(strides, default=1) > 1:
        parts.append(f"stride {amounts(strides)}")
    return ", ".join(parts)


def amounts(sides: Sequence[int | tuple[int, int]]) -> str:
    return " ".join(str(side) if isinstance(side, int) else "+".join(map(str, side)) for side in sides)
