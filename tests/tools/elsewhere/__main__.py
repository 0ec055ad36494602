"""`python -m tests.tools.elsewhere [files] [runs] [times] [page] [ways]`: these steps of it, by default all.

``files``: make the files of every net; ``runs``: ask every runtime that is installed to run each file once; ``times``:
those that are right race in one process, several times; ``page``: write docs/runtimes.md, or these runtimes' part of
it, of the nets that are for all runtimes; ``ways``: docs/ways-to-tflite.md, of all. What is found is kept in
build/elsewhere.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.graphs import ROOT
from tests.tools.elsewhere.asked import RUNTIMES, Case, Runtime, Unable, ask
from tests.tools.elsewhere.files import BUILD, MAKERS, error, make
from tests.tools.elsewhere.nets import NETS, Net
from tests.tools.elsewhere.page import RIGHT, page, renewed
from tests.tools.elsewhere.ways import LITERT, ways

STEPS = ("files", "runs", "times", "page", "ways")
SECONDS = 1.5  # of each race


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.elsewhere", description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}")
    parser.add_argument("--net", action="append", choices=[net.stem for net in NETS], help="that net; repeatable")
    parser.add_argument("--runtime", action="append", choices=[one.name for one in RUNTIMES], help="the same")
    parser.add_argument(
        "--form", action="append", choices=list(MAKERS), default=[], help="make that file of each net only"
    )
    args = parser.parse_args(argv)
    steps = args.steps or STEPS
    nets = [net for net in NETS if net.stem in (args.net or [net.stem])]
    runtimes = [one for one in RUNTIMES if one.name in (args.runtime or [one.name]) and one.is_installed]
    if "files" in steps:
        for net in nets:
            make(net, args.form)
            print("files", net.stem, flush=True)
    for step in (step for step in ("runs", "times") if step in steps):
        for runtime in runtimes:
            for net in (net for net in nets if net.is_for(runtime.name)):
                {"runs": run, "times": race}[step](runtime, net)
                print(step, runtime.name, net.stem, flush=True)
    if "page" in steps:
        path, nets = ROOT / "docs/runtimes.md", [net for net in NETS if not net.runtimes]
        text = page({one.name: found(one, nets) if one in runtimes else {} for one in RUNTIMES}, made(), processor())
        path.write_text(renewed(path.read_text(), text, runtimes) if args.runtime else text)
    if "ways" in steps:
        (ROOT / "docs/ways-to-tflite.md").write_text(ways(found(LITERT, NETS), made(), processor()))


def run(runtime: Runtime, net: Net) -> None:
    """By form: the error of the output, or why there is none."""
    told: dict[str, Any] = {}
    for form in runtime.reads:
        case = case_of(net, form, runtime)
        if case is None:
            continue
        try:
            told["about"] = ask(runtime, [case], 0)["about"]
            told[form] = {"runs": error(np.load(case.found), np.load(BUILD / net.stem / "want.npy"))}
        except Unable as unable:
            told[form] = {"runs": str(unable)}
    told_of(runtime, net).write_text(json.dumps(told))


def race(runtime: Runtime, net: Net) -> None:
    """By form that is right: the processor time of each round, which all of them ran in turn, by process."""
    told: dict[str, Any] = json.loads(told_of(runtime, net).read_text())
    right = [form for form in runtime.reads if is_right(told.get(form))]
    cases = [case for form in right if (case := case_of(net, form, runtime))]
    try:
        processes = raced(runtime, cases) if cases else []
    except Unable as unable:
        print(f"{runtime.name}: {net.stem} is not timed: {unable}", flush=True)
        processes = []
    for place, form in enumerate(right):
        told[form]["times"] = [[one[place] for one in rounds] for rounds in processes]
    told_of(runtime, net).write_text(json.dumps(told))


def raced(runtime: Runtime, cases: Sequence[Case]) -> list[list[list[float]]]:
    """The rounds of several processes, in every other one the files in reverse."""
    ways = [-1 if process % 2 else 1 for process in range(runtime.processes)]
    return [[one[::way] for one in ask(runtime, cases[::way], SECONDS)["rounds"]] for way in ways]


def is_right(told: Mapping[str, Any] | None) -> bool:
    return told is not None and not isinstance(told["runs"], str) and told["runs"] <= RIGHT


def case_of(net: Net, form: str, runtime: Runtime) -> Case | None:
    """A file of a net, if there is one."""
    folder = BUILD / net.stem
    file = made()[net.stem].get(form, {}).get("file")
    return Case(folder / file, folder / f"{form}.npy", folder / f"{form}.{runtime.name}.npy") if file else None


def told_of(runtime: Runtime, net: Net) -> Path:
    """Where it is kept."""
    return BUILD / net.stem / f"{runtime.name}.json"


def made() -> dict[str, Any]:
    """By net and form: the file, or why there is none."""
    paths = {net.stem: BUILD / net.stem / "made.json" for net in NETS}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def found(runtime: Runtime, nets: Sequence[Net]) -> dict[str, Any]:
    """By net and form: what was found; no net of a runtime that is not installed."""
    paths = {net.stem: told_of(runtime, net) for net in nets}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def processor() -> str:
    """This machine's, in words."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "a CPU")


if __name__ == "__main__":
    main()
