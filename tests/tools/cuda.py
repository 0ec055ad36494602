"""Validates and times the models on an NVIDIA GPU: `make cuda` writes docs/cuda.md.

Every model runs in a child process, which may die without harm to the others: first all are validated, several at once,
then they race one after the other. What is found is written as it comes: the page, and beside it (`.jsonl`) what it is
made of, so that the parts of several runs (`--part`) make one page (`--join`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.files.whole import write_whole
from rewriter.validation.providers import PROVIDERS, label
from rewriter.validation.session import Session
from tests.support.graphs import COMMITTED, KINDS, LIGHT, ROOT
from tests.tools.cuda_page import page, verdict
from tests.tools.isolated import Broken, at_once
from tests.tools.on_device import ORIGINAL, Checked, Job, Raced, Variant, checks, races

SEARCH = "cudnn_conv_algo_search=HEURISTIC"  # timing every algorithm of every Conv would take most of the time
EVERY = 2.0  # seconds, at most, the page is written
PATIENCE = 300.0  # seconds for one result, the start of the process included
Found = Checked | Raced
KINDS_OF_ROWS: dict[str, type[Found]] = {"checked": Checked, "raced": Raced}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; 0: every conversion was validated, 1: one failed, 2: wrong options, 3: no such device."""
    args = parser().parse_args(argv)
    if args.out is None and args.provider != "cuda":
        return _refused("docs/cuda.md is of CUDA: give --out", 2)
    args.out = args.out or ROOT / "docs/cuda.md"
    if args.join:
        return joined(args.join, args.out)
    paths = chosen(args)
    if not paths:
        return _refused("no such model", 2)
    try:
        probe(args.provider)
    except (CouldNotValidate, RunFailed) as error:
        return _refused(str(error), 3)
    with tempfile.TemporaryDirectory() as folder:
        device = "cuda" if args.provider.partition(":")[0] == "cuda" else "cpu"
        jobs = [Job(path, Path(folder), variants(args.provider), device, args.seconds) for path in paths]
        told = machine(args.provider, jobs)
        checked = [row for row in run(jobs, told, args) if isinstance(row, Checked)]
    print(verdict(told, checked))
    return int(any(row.status == "failed" for row in checked))


def _refused(why: str, code: int) -> int:
    print(f"error: {why}", file=sys.stderr)
    return code


def probe(provider: str) -> None:
    """Raises ``CouldNotValidate`` or ``RunFailed`` if the device does not run so much as an Add."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "probe", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = Session(model.SerializeToString(), provider, "default")
    session.run({"x": np.ones((2, 3), np.float32)})
    if not session.placement().own:
        raise CouldNotValidate(f"{label(provider)} does not run an Add.")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m tests.tools.cuda", description="Validate and time models on a device.")
    p.add_argument("--provider", default="cuda", help=f"of {', '.join(PROVIDERS)} (default: %(default)s)")
    p.add_argument("--out", type=Path, help="the page (default: docs/cuda.md)")
    p.add_argument("--only", action="append", metavar="NAME", help="models of that name; repeatable")
    p.add_argument("--committed", action="store_true", help="only models/ and models/kinds, not the zoo nor onnx's own")
    p.add_argument("--part", default="1/1", metavar="I/N", help="the I-th of N parts of the models")
    p.add_argument("--no-races", action="store_true", help="validate only")
    p.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 2) // 2), help="that validate at once")
    p.add_argument("--seconds", type=float, default=0.2, help="of each race (default: %(default)s)")
    p.add_argument("--join", nargs="+", type=Path, metavar="JSONL", help="only make --out of what other runs found")
    return p


def chosen(args: argparse.Namespace) -> list[Path]:
    """The models, the smallest first, so that what is quick is known early."""
    every = [*COMMITTED.values(), *KINDS.values()]
    if not args.committed:
        every += LIGHT.values()
        every += [path for folder in ("zoo", "full") for path in sorted((ROOT / "models" / folder).glob("*.onnx"))]
    every = sorted((path for path in every if not args.only or path.stem in args.only), key=lambda p: p.stat().st_size)
    part, parts = (int(number) for number in args.part.split("/"))
    return every[part - 1 :: parts]


def variants(provider: str) -> dict[str, list[Variant]]:
    """What is validated and timed, by precision. TF32 is of float32 alone."""
    if provider != "cuda":
        return {precision: [Variant(label(provider), provider)] for precision in ("float32", "float16")}

    def variant(said: str, tf32: int, nhwc: int) -> Variant:
        return Variant(f"{said}prefer_nhwc {nhwc}", f"cuda:use_tf32={tf32}:prefer_nhwc={nhwc}:{SEARCH}")

    return {
        "float32": [variant(f"TF32 {('off', 'on')[tf32]}, ", tf32, nhwc) for tf32 in (0, 1) for nhwc in (0, 1)],
        "float16": [variant("", 0, nhwc) for nhwc in (0, 1)],
    }


def run(jobs: Sequence[Job], told: Mapping[str, Any], args: argparse.Namespace) -> Iterator[Found]:
    """What is found, written as it comes."""
    found, written = list[Found](), 0.0
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.with_suffix(".jsonl").open("w") as lines:
        lines.write(json.dumps(told) + "\n")
        for row in results(jobs, args):
            found.append(row)
            yield row
            print(_said(row), flush=True)
            lines.write(json.dumps({"kind": type(row).__name__.lower(), **asdict(row)}) + "\n")
            lines.flush()
            if time.monotonic() - written > EVERY:
                write_whole(args.out, page(told, found))
                written = time.monotonic()
    write_whole(args.out, page(told, found))


def results(jobs: Sequence[Job], args: argparse.Namespace) -> Iterator[Found]:
    """All validations, and then the races, which nothing else must disturb."""
    for job, result in at_once(checks, jobs, min(args.processes, len(jobs)), PATIENCE):
        broken = isinstance(result, Broken)
        yield Checked(job.name, "", "", "", "none", result.reason) if broken else result
    for job, result in at_once(races, [] if args.no_races else jobs, 1, PATIENCE):
        broken = isinstance(result, Broken)
        yield Raced(job.name, "any", "any", ORIGINAL, reason=result.reason) if broken else result


def _said(row: Found) -> str:
    head = f"{row.model} {row.precision}, {row.variant}, {row.way}:"
    if isinstance(row, Checked):
        return f"{head} {row.status}{f': {row.reason}' if row.status != 'passed' else ''}"
    return f"{head} {row.reason or f'{row.milliseconds:.3f} ms, ratio {row.ratio:.3f}'}"


def machine(provider: str, jobs: Sequence[Job]) -> dict[str, Any]:
    """What the page tells of where it was made."""
    told = {
        "device": label(provider),
        "command": "make cuda" if provider == "cuda" else f"tests.tools.cuda --provider {provider}",
    }
    if provider == "cuda":
        told["GPU"] = gpu()
    libraries = {d.name: d.version for d in distributions() if d.name.startswith(("onnx", "nvidia", "numpy"))}
    told["versions"] = ", ".join(f"{name} {version}" for name, version in sorted(libraries.items()))
    return {**told, "models": [job.name for job in jobs]}


def gpu() -> str:
    """Name, driver and compute capability of the GPU, as nvidia-smi says it."""
    ask = ["nvidia-smi", "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown ({error})"
    name, driver, capability = (part.strip() for part in done.stdout.splitlines()[0].split(","))
    return f"{name}, driver {driver}, compute capability {capability}"


def joined(parts: Sequence[Path], out: Path) -> int:
    """Writes the page of all that several runs found."""
    heads, found = [], list[Found]()
    for part in parts:
        head, *lines = (json.loads(line) for line in part.read_text().splitlines())
        heads.append(head)
        found += [KINDS_OF_ROWS[line.pop("kind")](**line) for line in lines]
    models = [name for head in heads for name in head["models"]]
    write_whole(out, page({**heads[0], "models": models}, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
