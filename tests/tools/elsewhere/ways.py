"""docs/ways-to-tflite.md: what three converters make of each net, in LiteRT."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.tools.elsewhere.asked import RUNTIMES
from tests.tools.elsewhere.page import LABELS, Made, is_right, marked, milliseconds, ratio, ratios

LITERT = next(runtime for runtime in RUNTIMES if runtime.name == "litert")
CONVERTERS = ("tflite", "onnx2tf", "litert-torch")
Nets = Mapping[str, Mapping[str, Any]]
HEAD = """# Ways to a TFLite file

Written by `make runtimes` (tests/tools/elsewhere), on {processor}: {about}, in float32 and on one
thread. Committed nets of [models/](../models/README.md) are small: much of what these take is the call.

Error as a fraction of the output's scale / Transposes in the file / kB / milliseconds of processor time. *Ratio*: our
file's time over that of onnx2tf's: of rounds in which all files of a net that are right run in turn the median, of six
processes the median of these (the least and the largest), bold above 1.02; in single processes a file of MobileNetV2
took 0.87 to 1.13 of the time of its own copy. Inputs lie alike in all three: channels last where they are images
(`-kat` keeps the others from onnx2tf). onnx2tf is given random images for the photographs that it would download, and
no file of corrections by hand; litert-torch is given the module that the ONNX file was exported of; "-" where there is
none, "not made" where it was not asked.
"""


def ways(nets: Nets, made: Made, processor: str) -> str:
    """The text of the page."""
    about = next((net["about"] for net in nets.values() if "about" in net), "LiteRT")
    return "\n".join([HEAD.format(processor=processor, about=about), *beside(nets, made), *table(nets, made)]) + "\n"


def beside(nets: Nets, made: Made) -> Iterator[str]:
    """Ours and onnx2tf's in sentences."""
    medians = {name: value for name, net in nets.items() if (value := ratio(LITERT, net, "tflite"))}
    ours, theirs = ({name: made[name][form]["transposes"] for name in medians} for form in ("tflite", "onnx2tf"))
    for what, chosen in (
        ("Both files are right", [*medians]),
        ("Of these onnx2tf leaves Transposes", [name for name in medians if theirs[name]]),
        ("Of these it leaves more than ours", [name for name in medians if theirs[name] > ours[name]]),
    ):
        found = spread([medians[name] for name in chosen])
        yield f"- {what} on {len(chosen)} nets{': ratio ' if found else ''}{found}."
    for form in ("tflite", "onnx2tf"):
        none = [name for name, net in nets.items() if form not in net or not is_right(net[form])]
        yield f"- {LABELS[form]} is missing, or not right, on {len(none)}{': ' if none else ''}{', '.join(none)}."
    yield ""


def table(nets: Nets, made: Made) -> Iterator[str]:
    """A row for each net."""
    yield "| net | " + " | ".join(LABELS[form] for form in CONVERTERS) + " | ratio |"
    yield "|---" * (len(CONVERTERS) + 1) + "|--:|"
    for name, net in nets.items():
        cells = [way(net.get(form), made[name].get(form, {"refused": "not made"})) for form in CONVERTERS]
        yield f"| {name} | " + " | ".join(cells) + f" | {spread(ratios(LITERT, net, 'tflite'))} |"


def spread(found: Sequence[float]) -> str:
    """The median, the least and the largest."""
    if not found:
        return ""
    return f"{marked(statistics.median(found))} ({min(found):.2f} to {max(found):.2f})"


def way(told: Mapping[str, Any] | None, file: Mapping[str, Any]) -> str:
    """What one converter made of a net."""
    if told is None:
        return str(file.get("refused", "not run"))
    if isinstance(told["runs"], str):
        return told["runs"]
    right = f"{told['runs']:.0e}" if is_right(told) else f"**wrong** ({told['runs']:.0e})"
    return f"{right} / {file['transposes']} / {file['bytes'] / 1000:.0f} / {milliseconds(told).removesuffix(' ms')}"
