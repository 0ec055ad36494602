"""An export of weights as text for people."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rewriter.report.console import whole
from rewriter.weights.manifest.manifest import Export, LayerEntry, Tensor

MOST_ROWS = 12  # of a table, unless asked for more


def exported(console: Console, path: Path, export: Export, verbose: int) -> None:
    """What was made of each layer."""
    manifest, most = export.manifest, None if verbose else MOST_ROWS
    rows = [(name, layer) for name, layer in manifest.layers.items() if layer.parameters or "padding" in layer.settings]
    count = len(manifest.tensors)
    told = f" for {manifest.target}: {count} tensors, {len(rows)} layers"
    console.print(Text.assemble((str(path), "bold"), told), soft_wrap=True)
    table = Table(box=None)
    for column in ("weight", "layer", "old", "", "new", "", "padding"):
        table.add_column(column)
    for name, layer in rows[:most]:
        table.add_row(*row(name, layer, manifest.tensors))
    console.print(whole(table))
    if most is not None and len(rows) > most:
        console.print(f"and {len(rows) - most} more (-v)")
    rest = [tensor for tensor in manifest.tensors.values() if tensor.layer is None]
    if rest:
        changed = sum(not tensor.change.is_identity for tensor in rest)
        console.print(f"{len(rest)} tensors belong to no layer: {len(rest) - changed} as is, {changed} permuted")
    for note in manifest.notes[:most]:
        console.print(f"Note: {note}", soft_wrap=True)
    if most is not None and len(manifest.notes) > most:
        console.print(f"and {len(manifest.notes) - most} more notes (-v)")


def row(name: str, layer: LayerEntry, tensors: dict[str, Tensor]) -> list[str]:
    """A layer's line of the table: its first weight, or itself if it has none."""
    if not layer.parameters:
        return [f"({name})", layer.kind, "", "", "", "", padding(layer)]
    first = next(iter(layer.parameters.values()))
    tensor = tensors[first]
    reordered = ", reordered" if tensor.change.layout.is_divided else ""
    flipped = ", flipped" if tensor.change.flip else ""
    new = f"{tensor.new or ''}{flipped}{reordered}"
    old_shape, new_shape = ("x".join(map(str, shape)) for shape in (tensor.change.source_shape, tensor.change.shape))
    return [first, layer.kind, old_shape, tensor.old or "", new_shape, new, padding(layer)]


def padding(layer: LayerEntry) -> str:
    """The padding in short, and strides: "VALID, pad 3+3 3+3, stride 2 2"."""
    told = layer.settings.get("padding", "")
    parts = [told if isinstance(told, str) else amounts(told)]
    if "crop" in layer.settings:
        parts.append(f"crop {amounts(layer.settings['crop'])}")
    if pads := layer.settings.get("pad"):
        parts.append(f"pad {amounts(pads[1:-1]) if isinstance(pads[0], tuple) else amounts(pads)}")
    if any(stride > 1 for stride in layer.settings.get("strides", ())):
        parts.append(f"stride {amounts(layer.settings['strides'])}")
    return ", ".join(parts)


def amounts(sides: Sequence[int | tuple[int, int]]) -> str:
    """Numbers and pairs by axis: "2 2", "3+3 3+3"."""
    return " ".join(str(side) if isinstance(side, int) else "+".join(map(str, side)) for side in sides)
