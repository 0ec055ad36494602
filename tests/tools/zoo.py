"""Counts the Transposes of the zoo: `make zoo` writes docs/zoo.md.

Transposes are counted where they happen: onnxruntime profiles one inference, and every Transpose that it executed
counts, with the bytes that it wrote.
"""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import onnxruntime as ort
from onnx import ModelProto, ValueInfoProto, helper

from passes.layout.perm import Perm, inverse
from passes.plan.plan import Plan
from rewriter import InterfaceValue, RewriteResult, rewrite, validate
from tests.support.engines import Level, session
from tests.tools.bench import feed

ROOT = Path(__file__).parents[2]


class Mode(NamedTuple):
    """What a net is converted to."""

    label: str
    to: str
    options: Mapping[str, Any]

    def of(self, path: Path) -> RewriteResult:
        """The net, converted."""
        return rewrite(path, self.to, **self.options)


MODES = (
    Mode("to nhwc, function dialect", "nhwc", {"dialect": "function"}),
    Mode("to nhwc, onnx dialect", "nhwc", {"dialect": "onnx"}),
    Mode("to nchw, onnx dialect", "nchw", {"dialect": "onnx"}),
    Mode("to nchw, for onnxruntime", "nchw", {"runtime": "onnxruntime", "measure_on": {}}),
    Mode("interface kept, for onnxruntime", "nchw", {"runtime": "onnxruntime", "measure_on": {}, "keep_io": True}),
)
LEVELS: dict[str, Level] = {
    "file": "disabled",
    "basic": "basic",
    "extended": "extended",
    "all": "default",
}
OPTIMISED = ("basic", "extended", "all")
COUNTS_HEAD = """# The zoo

Written by `make zoo` (tools/zoo.py) after `make models-zoo models-full`; onnx {onnx}, onnxruntime {ort}, CPU provider.
The nets are listed in [models/README.md](../models/README.md).

Every figure is Transposes executed in one inference · the megabytes they write, as onnxruntime's profiler saw them.
*Naive* is the original with the interface of our result, made by a Transpose at each input and output that flips;
*basic*, *extended* and *all* are what is left of it, and of ours, under onnxruntime's ORT_ENABLE_BASIC, _EXTENDED and
_ALL; an Einsum that only transposes counts as a Transpose. *File* is our result as it is written (the main graph:
function bodies are their runtime's business). *Reorders* are the
conversions to and from blocked layouts (NCHWc) that ORT_ENABLE_ALL puts around convolutions: naive, then ours.
*Error* is the largest of the validation, as a fraction of the output's scale, and beside it the original's own noise.
Where ours moves more bytes than naive, the figure is **bold**.

In the onnx dialect that is never so; for onnxruntime it is where operators are faster otherwise (Resize, Softmax). In
the function dialect *file* is what a backend with channels-last kernels executes. onnxruntime's CPU provider has none:
it takes each function apart into Transpose, operator, Transpose and cancels what it can. Where its optimiser pushes no
Transpose through an operator between two convolutions (a channel shuffle, a Reshape of patches, a reduction or a
Gather in channels-last form) it keeps both; after the last pooling one of a few kilobytes stays. For onnxruntime's CPU
provider take `--for onnxruntime`, whose plan is the least time and not the least bytes.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the Transposes of the zoo.")
    parser.add_argument("--only", action="append", metavar="NAME", help="that net; repeatable; nothing is written")
    args = parser.parse_args()
    paths = nets(args.only)
    lines = [COUNTS_HEAD.format(onnx=onnx.__version__, ort=ort.__version__)]
    for line in counts(paths):
        print(line, flush=True)
        lines.append(line)
    if not args.only:
        (ROOT / "docs/zoo.md").write_text("\n".join(lines) + "\n")


def nets(only: list[str] | None) -> list[Path]:
    """The files of the zoo, or those of these names; leaves where there are none."""
    found = [path for folder in ("zoo", "full") for path in sorted((ROOT / "models" / folder).glob("*.onnx"))]
    paths = [path for path in found if not only or path.stem in only]
    if not paths:
        sys.exit("no such model: run `make models-zoo` first")
    return paths


# ---------------------------------------------------------------------------------------------------- counting


@dataclass(frozen=True)
class Moved:
    """What one inference moves: the nodes that do, and the bytes that they write."""

    nodes: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.nodes} · {self.bytes / 1e6:.2f}" if self.nodes else "0"


@dataclass(frozen=True)
class Measured:
    transposes: Moved
    reorders: Moved


def measured(model: ModelProto, level: str) -> Measured:
    """One inference; at the level ``file``, nodes of the main graph alone."""
    written = {node.name for node in model.graph.node}
    executed = profile(model, level)
    mine = [event for event in executed if level != "file" or named(event) in written]
    permuting = {node.name for node in model.graph.node if node.op_type == "Einsum" and len(node.input) == 1}
    transposes, reorders = [], []
    for event in mine:
        op, size = event["args"]["op_name"], int(event["args"]["output_size"])
        if op == "Transpose" or (op == "Einsum" and named(event) in permuting):
            transposes.append(size)
        elif op in ("ReorderInput", "ReorderOutput"):
            reorders.append(size)
    return Measured(Moved(len(transposes), sum(transposes)), Moved(len(reorders), sum(reorders)))


def named(event: Mapping[str, Any]) -> str:
    """The name of the node that an event of the profiler is of."""
    return str(event["name"]).removesuffix("_kernel_time")


def profile(model: ModelProto, level: str) -> list[dict[str, Any]]:
    """onnxruntime's record of each node it executed in one inference."""
    with tempfile.TemporaryDirectory() as folder:
        profiled = session(model, LEVELS[level], enable_profiling=True, profile_file_prefix=f"{folder}/profile")
        profiled.run(None, feed(profiled, {}))
        events = json.loads(Path(profiled.end_profiling()).read_text())
    return [event for event in events if event["cat"] == "Node" and "output_size" in event["args"]]


def naive(model: ModelProto, interface: list[InterfaceValue]) -> ModelProto:
    """The model with those inputs and outputs, by a Transpose at each that flips. Reads no bodies of If and Loop."""
    result = ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    perms = {value.name: value.perm for value in interface if value.flipped and value.perm is not None}
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [f"{name}/inside" if name in perms else name for name in names]
    nodes = list(graph.node)
    for value in graph.input:
        if value.name in perms:
            reshape(value, perms[value.name])
            back = inverse(perms[value.name])
            nodes.insert(0, helper.make_node("Transpose", [value.name], [f"{value.name}/inside"], perm=back))
    for value in graph.output:
        if value.name in perms:
            reshape(value, perms[value.name])
            there = perms[value.name]
            nodes.append(helper.make_node("Transpose", [f"{value.name}/inside"], [value.name], perm=there))
    del graph.node[:]
    graph.node.extend(nodes)
    return result


def reshape(value: ValueInfoProto, perm: Perm) -> None:
    """Puts the dims of an input or output into the order of the perm."""
    shape = value.type.tensor_type.shape
    dims = [type(dim).FromString(dim.SerializeToString()) for dim in shape.dim]
    del shape.dim[:]
    shape.dim.extend(dims[axis] for axis in perm)


# ------------------------------------------------------------------------------------------------------ tables


@dataclass(frozen=True)
class Row:
    """One net in one mode: Transposes by level, naive and ours."""

    name: str
    original: Moved
    naive: dict[str, Measured]
    ours: dict[str, Measured]
    verdict: str
    plan: Plan
    predicted: float  # milliseconds more than before, at a runtime's prices

    def __str__(self) -> str:
        theirs = [str(self.naive[level].transposes) for level in OPTIMISED]
        cells = [self.name, str(self.original), *theirs, *map(self.cell, LEVELS)]
        reorders = " / ".join(str(side["all"].reorders) for side in (self.naive, self.ours))
        return "| " + " | ".join([*cells, reorders, self.verdict]) + " |"

    def cell(self, level: str) -> str:
        text = str(self.ours[level].transposes)
        return f"**{text}**" if level in self.naive and self.more(level) > 0 else text

    def more(self, level: str) -> int:
        """Bytes that our result moves more than the naive one."""
        return self.ours[level].transposes.bytes - self.naive[level].transposes.bytes


def counts(paths: list[Path]) -> Iterator[str]:
    remains = []
    for mode in MODES:
        yield f"\n## {mode.label.capitalize()}\n"
        columns = [f"{side} {level}" for side in ("naive", "ours") for level in OPTIMISED]
        yield "| net | original | " + " | ".join([*columns[:3], "our file", *columns[3:]]) + " | reorders | error |"
        yield "|---|" + "--:|" * 9 + "---|"
        rows = []
        for path in paths:
            rows.append(compared(path, mode))
            yield str(rows[-1])
        yield ""
        for level in OPTIMISED:
            more = Counter((r.more(level) > 0) - (r.more(level) < 0) for r in rows)
            yield f"Under {level}, ours moves less than naive on {more[-1]}, as much on {more[0]}, more on {more[1]}.  "
        if "runtime" in mode.options:
            yield from dearer(rows)
        remains += [f"\n### {mode.label.capitalize()}\n", "| net | Transposes | MB | because |", "|---|--:|--:|---|"]
        remains += [line for row in rows for line in blames(row)]
    yield "\n## What remains, and why"
    yield from remains


def dearer(rows: Sequence[Row]) -> Iterator[str]:
    """Where ours moves more: what it is predicted to gain."""
    yield "\n| more bytes than naive | basic, MB | extended, MB | all, MB | predicted ms |"
    yield "|---|--:|--:|--:|--:|"
    for row in rows:
        more = [row.more(level) for level in OPTIMISED]
        if max(more) > 0:
            yield f"| {row.name} | " + " | ".join(f"{each / 1e6:+.2f}" for each in more) + f" | {row.predicted:+.2f} |"


def compared(path: Path, mode: Mode) -> Row:
    result = mode.of(path)
    original = onnx.load(path)
    base = naive(original, [*result.inputs, *result.outputs])
    return Row(
        path.stem,
        measured(original, "file").transposes,
        {level: measured(base, level) for level in OPTIMISED},
        {level: measured(result.model, level) for level in LEVELS},
        verdict(path, result),
        result.plan,
        (result.report.cost - result.report.cost_before) / 1e6,
    )


def verdict(path: Path, result: RewriteResult) -> str:
    found = validate(path, result.model, layouts=result.layouts, providers=["cpu"], runs=1).providers[0]
    if found.status != "passed":
        return f"{found.status}: {found.reason}"
    return f"{found.max_rel or 0:.1e} ({found.noise:.1e})"


def blames(row: Row) -> Iterator[str]:
    """The Transposes that a plan leaves, by whom it blames without names and sizes, the most bytes first."""
    left: dict[str, list[int]] = {}
    for change in row.plan.relayouts:
        if change.op == "Transpose":
            blame = re.sub(r" '[^']*'", "", re.sub(r"\[[^]]*\]", "[…]", change.blame))
            left.setdefault(blame, []).append(change.bytes or 0)
    for blame, sizes in sorted(left.items(), key=lambda item: -sum(item[1])):
        yield f"| {row.name} | {len(sizes)} | {sum(sizes) / 1e6:.2f} | {blame} |"


if __name__ == "__main__":
    main()
