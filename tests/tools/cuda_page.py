"""The page that `tests.tools.cuda` writes, from what was found so far."""

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.support.modes import DIRECTIONS
from tests.tools.on_device import CPU, ORIGINAL, Checked, Raced

HOW = """Validated: original and result run on the same random inputs at two sizes, the original on the CPU and on the
device, the result on the device without graph optimisation and with; errors are fractions of an output's scale. float16
is what onnxruntime's converter makes of the original. A result that is equal to that of a way before it is not run
again. What failed, has no verdict or was skipped is listed with its reason, and nothing is left out: a model of which
nothing is said has nothing to convert."""
LATENCY = """Original and results run in turn in one process, each round begun by another: milliseconds per inference of
the original, by the clock, the median of the rounds, and of each result the median of its ratio to the original in the
same round · Transposes left in the graph that onnxruntime runs (ORT_ENABLE_ALL). Inputs and outputs are bound to the
device (IOBinding), so that no copies to and from it are timed; open dimensions are those of validation, batch 1. `-`:
nothing to convert, or the same as a column before; `?`: the graph is compiled, and cannot be counted."""
IN_FLOAT32 = "With all float16"  # the verdict in float32: told where it is worth a line, as a failure
SILENT = ("unchanged", "skipped")  # which are no conversions


def page(machine: Mapping[str, Any], found: Sequence[Checked | Raced]) -> str:
    """In Markdown; ``machine``: ``device``, ``command``, ``models`` (names of all), and what else is to be told."""
    checked = [row for row in found if isinstance(row, Checked)]
    raced = [row for row in found if isinstance(row, Raced)]
    lines = [f"# {machine['device']}\n", f"Written by `{machine['command']}` (tests/tools/cuda.py).\n"]
    lines += [f"**{verdict(machine, checked)}**\n"]
    lines += [f"- {key}: {value}" for key, value in machine.items() if key not in ("device", "command", "models")]
    lines += ["\n## Validation\n", HOW, *_tally(checked), *_faults(machine, checked), *_notes(checked)]
    lines += ["\n## Latency and Transposes\n", LATENCY, *_latencies(raced)]
    return "\n".join(lines) + "\n"


def verdict(machine: Mapping[str, Any], checked: Sequence[Checked]) -> str:
    """How many results were validated on the device, of how many."""
    counted = [row for row in checked if row.status not in SILENT]
    if machine["device"] != CPU.label:  # where its own verdicts are there for comparison
        counted = [row for row in counted if row.variant != CPU.label]
    status = Counter(row.status for row in counted)
    passed, failed, every = status["passed"], status["failed"], status.total()
    reached = {row.model for row in checked}
    text = f"{passed:,} of {every:,} conversions validated on {machine['device']}"
    if every > passed:
        text += f"; {failed:,} failed, {every - passed - failed:,} have no verdict"
    late = len(set(machine["models"]) - reached)
    return f"{text}. {len(reached):,} models{f', {late:,} more were not reached' if late else ''}."


def _tally(checked: Sequence[Checked]) -> Iterator[str]:
    yield "\n| precision | on | validated | failed | no verdict | largest error | allowed there | noise there | of |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|---|"
    groups = dict.fromkeys((row.precision, row.variant) for row in checked if row.variant)
    for precision, variant in groups:
        rows = [row for row in checked if (row.precision, row.variant) == (precision, variant)]
        status = Counter(row.status for row in rows)
        worst = max((row for row in rows if row.error is not None), key=lambda row: row.error or 0.0, default=None)
        cells = ["", "", "", ""]
        if worst is not None:
            cells = [f"{worst.error:.1e}", f"{worst.allowed:.1e}", f"{worst.noise:.1e}", f"{worst.model}, {worst.way}"]
        rest = status.total() - status["passed"] - status["failed"]
        yield _row(precision, variant, status["passed"], status["failed"], rest, *cells)


def _faults(machine: Mapping[str, Any], checked: Sequence[Checked]) -> Iterator[str]:
    faults = [row for row in checked if row.status not in ("passed", "unchanged")]
    reached = {row.model for row in checked}
    late = [name for name in machine["models"] if name not in reached]
    if faults:
        yield "\n### Failed, without a verdict, or skipped\n"
        yield "| verdict | precision | on | way | reason | of |"
        yield "|---|---|---|---|---|---|"
    alike: dict[tuple[str, ...], list[str]] = {}
    for row in sorted(faults, key=lambda row: (row.status != "failed", row.model)):
        status = "**failed**" if row.status == "failed" else row.status
        alike.setdefault((status, row.precision, row.variant, row.way, row.reason), []).append(row.model)
    yield from (_row(*fault, ", ".join(names)) for fault, names in alike.items())
    if late:
        yield f"\nNot reached: {', '.join(late)}."


def _notes(checked: Sequence[Checked]) -> Iterator[str]:
    notes: dict[str, dict[str, None]] = {}
    for row in checked:
        for note in row.notes:
            if not note.startswith(IN_FLOAT32):
                notes.setdefault(note, {})[row.model] = None
    if notes:
        yield "\n### Notes\n"
        yield "| note | of |"
        yield "|---|---|"
    yield from (_row(note, ", ".join(names)) for note, names in notes.items())


def _latencies(raced: Sequence[Raced]) -> Iterator[str]:
    for precision, variant in dict.fromkeys((row.precision, row.variant) for row in raced):
        rows = [row for row in raced if (row.precision, row.variant) == (precision, variant)]
        yield f"\n### {precision}, {variant}\n"
        yield _row("model", "original ms", *(f"{way}: ratio" for way in DIRECTIONS))
        yield "|---|--:" + "|--:" * len(DIRECTIONS) + "|"
        for model in dict.fromkeys(row.model for row in rows):
            yield _raced({row.way: row for row in rows if row.model == model}, model)
        yield from _means(rows)


def _raced(ways: Mapping[str, Raced], model: str) -> str:
    original = ways.get(ORIGINAL, Raced(model, "", "", ORIGINAL, reason="died"))
    head = original.reason or f"{original.milliseconds:.3f} · {_count(original)}"
    return _row(model, head, *(_cell(ways.get(way)) for way in DIRECTIONS))


def _cell(row: Raced | None) -> str:
    return "-" if row is None else row.reason or f"{row.ratio:.2f} · {_count(row)}"


def _means(rows: Sequence[Raced]) -> Iterator[str]:
    for name, mean in (("median", statistics.median), ("geometric mean", statistics.geometric_mean), ("largest", max)):
        cells = []
        for way in DIRECTIONS:
            ratios = [row.ratio for row in rows if row.way == way and not row.reason]
            cells.append(f"{mean(ratios):.3f}" if ratios else "-")
        yield _row(f"*{name}*", "", *cells)


def _count(row: Raced) -> str:
    return "?" if row.transposes is None else str(row.transposes)


def _row(*cells: object) -> str:
    return "| " + " | ".join(" ".join(str(cell).replace("|", "\\|").split()) for cell in cells) + " |"
