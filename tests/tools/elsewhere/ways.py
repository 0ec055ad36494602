"""docs/ways-to-tflite.md: what three converters make of each net, in LiteRT."""

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from tests.tools.elsewhere.asked import RUNTIMES
from tests.tools.elsewhere.page import LABELS, Made, is_right, marked, milliseconds, ratio

LITERT = next(runtime for runtime in RUNTIMES if runtime.name == "litert")
CONVERTERS = ("tflite", "onnx2tf", "litert-torch")
Nets = Mapping[str, Mapping[str, Any]]
HEAD = """# Ways to a TFLite file

Written by `make runtimes` (tests/tools/elsewhere), on {processor}: {about}, in float32 and on one
thread. Committed nets of [models/](../models/README.md) are small: much of what these take is the call.

Error as a fraction of the output's scale / Transposes in the file / kB / milliseconds of processor time. *Ratio*: our
file's time over that of onnx2tf's, the median of rounds in which all files of a net that are right run in turn, of four
processes, since where memory lands alone makes a file up to 4 % slower than itself; bold above 1.02. Inputs lie alike
in all three: channels last where they are images (`-kat` keeps the others from onnx2tf). onnx2tf is given random images
for the photographs that it would download, and no file of corrections by hand; litert-torch is given the module that
the ONNX file was exported of; "-" where there is none.
"""


def ways(nets: Nets, made: Made, processor: str) -> str:
    """The text of the page."""
    about = next((net["about"] for net in nets.values() if "about" in net), "LiteRT")
    return "\n".join([HEAD.format(processor=processor, about=about), *beside(nets, made), *table(nets, made)]) + "\n"


def beside(nets: Nets, made: Made) -> Iterator[str]:
    """Ours and onnx2tf's in sentences."""
    ratios = {name: value for name, net in nets.items() if (value := ratio(LITERT, net, "tflite"))}
    ours, theirs = ({name: made[name][form]["transposes"] for name in ratios} for form in ("tflite", "onnx2tf"))
    for what, chosen in (
        ("Both files are right", [*ratios]),
        ("Of these onnx2tf leaves Transposes", [name for name in ratios if theirs[name]]),
        ("Of these it leaves more than ours", [name for name in ratios if theirs[name] > ours[name]]),
    ):
        some = sorted(ratios[name] for name in chosen)
        spread = f": ratio {statistics.median(some):.2f} in the median, {some[0]:.2f} to {some[-1]:.2f}" if some else ""
        yield f"- {what} on {len(chosen)} nets{spread}."
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
        value = ratio(LITERT, net, "tflite")
        yield f"| {name} | " + " | ".join(cells) + f" | {'' if value is None else marked(value)} |"


def way(told: Mapping[str, Any] | None, file: Mapping[str, Any]) -> str:
    """What one converter made of a net."""
    if told is None:
        return str(file.get("refused", "not run"))
    if isinstance(told["runs"], str):
        return told["runs"]
    right = f"{told['runs']:.0e}" if is_right(told) else f"**wrong** ({told['runs']:.0e})"
    return f"{right} / {file['transposes']} / {file['bytes'] / 1000:.0f} / {milliseconds(told).removesuffix(' ms')}"
