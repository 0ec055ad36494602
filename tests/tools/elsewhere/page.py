"""docs/runtimes.md, of what was found."""

import statistics
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tests.tools.elsewhere.asked import RUNTIMES, Runtime

RIGHT = 1e-4  # of the output's scale
Found = Mapping[str, Mapping[str, Mapping[str, Any]]]
Made = Mapping[str, Mapping[str, Mapping[str, Any]]]
LABELS = {
    "original": "original",
    "onnx": "onnx dialect",
    "function": "function dialect",
    "tflite": "our .tflite",
    "saved": "our SavedModel",
    "onnx2tf": "onnx2tf's .tflite",
    "onnx2tf-saved": "onnx2tf's SavedModel",
    "litert-torch": "litert-torch's .tflite",
}
TABLE = "\n### "  # what a runtime's begins with
HEAD = """# In other runtimes

Written by `make runtimes` (tests/tools/elsewhere), on {processor}. Each runtime has an environment
of its own (`.venv-elsewhere-NAME`) and runs each file in a process of its own, in float32 and on one thread. The first
ten nets are those of [models/](../models/README.md) that are committed, and small: much of what these take is the call.
The others are of full size. Open sizes were set. More nets in LiteRT alone: [ways to a TFLite file](ways-to-tflite.md).

*Right*: the output is within 1e-4 of its scale of what onnxruntime computes of the original, not optimised.
**Figures**: in the first column of a runtime milliseconds of processor time, in the others the time over that of the
first, the median of rounds in which all files of the net that are right run in turn, in one process or several (of
these again the median); **bold** above 1.02. Where the first has none, the others' are milliseconds, too; "right" was
not timed. A number in brackets: why not, below the table. The onnx and the function dialect are those of `--to nhwc`:
inputs and outputs that are images are channels last.
"""


def page(found: Found, made: Made, processor: str) -> str:
    """The text of the page."""
    parts = [HEAD.format(processor=processor), *summary(found, made), "\n## Each runtime"]
    for runtime in RUNTIMES:
        parts += table(runtime, found[runtime.name], made)
    return "\n".join(parts) + "\n"


def renewed(before: str, after: str, runtimes: Collection[Runtime]) -> str:
    """A page: what is of these runtimes as it is ``after``, the other runtimes' rows and tables as they were."""
    (old_head, *old), (head, *new) = (text.split(TABLE) for text in (before, after))
    kept = [runtime for runtime in RUNTIMES if runtime not in runtimes]
    for start in (f"| {runtime.name} |" for runtime in kept):
        row, was = (next(line for line in text.splitlines() if line.startswith(start)) for text in (head, old_head))
        head = head.replace(row, was)
    tables = (o if runtime in kept else n for runtime, o, n in zip(RUNTIMES, old, new, strict=True))
    return TABLE.join([head, *tables])


def summary(found: Found, made: Made) -> Iterator[str]:
    """How many are right, and the median of their ratios."""
    forms = [form for form in LABELS if any(form in runtime.reads for runtime in RUNTIMES)]
    yield "\n## How many are right, and their median\n"
    yield "| runtime | " + " | ".join(LABELS[form] for form in forms) + " |"
    yield "|---" * (len(forms) + 1) + "|"
    for runtime in RUNTIMES:
        nets = found[runtime.name]
        cells = [counted(runtime, form, nets, made) if form in runtime.reads else "" for form in forms]
        yield f"| {runtime.name} | " + " | ".join(cells) + " |"


def counted(runtime: Runtime, form: str, nets: Mapping[str, Mapping[str, Any]], made: Made) -> str:
    """Such as "9 of 10, 0.98"; a net that its converter refuses is not right."""
    asked = [net for name, net in nets.items() if made[name][form].get("refused") != "-"]
    right = [net for net in asked if form in net and is_right(net[form])]
    ratios = [value for net in right if form != runtime.reads[0] and (value := ratio(runtime, net, form))]
    return f"{len(right)} of {len(asked)}" + (f", {statistics.median(ratios):.2f}" if ratios else "")


def table(runtime: Runtime, nets: Mapping[str, Mapping[str, Any]], made: Made) -> Iterator[str]:
    """One runtime: a row for each net."""
    about = next((net["about"] for net in nets.values() if "about" in net), runtime.name)
    yield f"{TABLE}{about}\n"
    if not nets:
        yield "Not installed here."
        return
    notes: list[str] = []
    yield "| net | " + " | ".join(LABELS[form] for form in runtime.reads) + " |"
    yield "|---" + "|--:" * len(runtime.reads) + "|"
    for name, net in nets.items():
        cells = [cell(runtime, net, form, made[name].get(form, {}), notes) for form in runtime.reads]
        yield f"| {name} | " + " | ".join(cells) + " |"
    yield ""
    yield from (f"{place}. {note}" for place, note in enumerate(notes, 1))


def cell(runtime: Runtime, net: Mapping[str, Any], form: str, file: Mapping[str, Any], notes: list[str]) -> str:
    """A figure, "wrong", or the number of a note."""
    if why := file.get("refused"):
        return "-" if why == "-" else noted(f"No such file: {why}", notes)
    told = net[form]
    if isinstance(told["runs"], str):
        return noted(told["runs"], notes)
    if not is_right(told):
        return f"**wrong** ({told['runs']:.0e})"
    value = ratio(runtime, net, form)
    if value is None:
        return milliseconds(told)
    return marked(value)


def marked(ratio: float) -> str:
    return f"**{ratio:.2f}**" if ratio > 1.02 else f"{ratio:.2f}"


def noted(text: str, notes: list[str]) -> str:
    """The number of a note, the same for the same words."""
    if text not in notes:
        notes.append(text)
    return f"({notes.index(text) + 1})"


def is_right(told: Mapping[str, Any]) -> bool:
    return not isinstance(told["runs"], str) and told["runs"] <= RIGHT


def ratio(runtime: Runtime, net: Mapping[str, Any], form: str) -> float | None:
    """The median of processes' ``ratios``; None for the first, and where that has none."""
    found = ratios(runtime, net, form)
    return statistics.median(found) if found else None


def ratios(runtime: Runtime, net: Mapping[str, Any], form: str) -> list[float]:
    """Of each process the median over rounds of a form's time over the first one's, if both have any."""
    first, times = (net.get(one, {}).get("times", []) for one in (runtime.reads[0], form))
    if form == runtime.reads[0] or not first or not times:
        return []
    both = (zip(one, base, strict=True) for one, base in zip(times, first, strict=True))
    return [statistics.median(time / base for time, base in rounds) for rounds in both]


def milliseconds(told: Mapping[str, Any]) -> str:
    times = [time for rounds in told.get("times", []) for time in rounds]
    return f"{statistics.median(times) * 1000:.3g} ms" if times else "right"
