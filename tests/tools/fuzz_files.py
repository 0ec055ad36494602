"""Broken files by the thousand: ``python -m tests.tools.fuzz_files 20000 [first seed [folder to keep them in]]``.

Each is one of the small committed models, or of onnx's conformance suite, broken at random: in fields of its protobuf,
in what it means, in the files of its weights or in its bytes. The command must end with an exit code that it documents
and one sentence, write nothing unless it ends with 0, and leave all files as they were. What it does write is compared
with the original by onnxruntime alone, for a part of the files.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto

import rewriter.comparison
import rewriter.files.writer
import rewriter.pipeline
import rewriter.report.document
import rewriter.report.page
import rewriter.report.text  # noqa: F401  all that the command imports, once
from rewriter.cli import main as command
from tests.support.broken_nodes import MARK
from tests.support.forked import run_forked
from tests.support.graphs import COMMITTED, KINDS
from tests.support.independent import difference
from tests.support.spoiled_bytes import BYTES
from tests.support.spoiling import FIELDS
from tests.support.spoiling_files import outside
from tests.support.spoiling_nodes import NODES
from tests.support.spoiling_values import VALUES
from tests.support.trials import LIMITS, Verdict, in_fork, place, tried
from tests.tools.conformance import examples
from tests.tools.many import run_all

MOST_BYTES = 200_000  # of a model to break
NO_TEXT = b"\xff\xfe\xc0\x80"
COMPARED = 0.5  # of the files
REPORT = "report.json"
TRIES = 20  # of a change, until it finds what it changes


@cache
def bases() -> list[list[bytes]]:
    """Files to break, by where they come from."""
    committed = [path.read_bytes() for path in COMMITTED.values()]
    suite = [example.model.SerializeToString() for example in examples(("node",))]
    kinds = [path.read_bytes() for path in KINDS.values()]
    return [[data for data in group if len(data) < MOST_BYTES] for group in (kinds, kinds, suite, committed)]


def broken(seed: int, folder: Path) -> Path:
    """A broken model in a file of the folder."""
    rng = Random(seed)
    data = rng.choice(rng.choice(bases()))
    path = folder / "model.onnx"
    if rng.random() < 0.15:
        path.write_bytes(rng.choice(BYTES)(data, rng))
        return path
    model = ModelProto.FromString(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        changed(model, rng)
    if rng.random() < 0.06:
        attempt(lambda: outside(model, rng, folder))
    path.write_bytes(model.SerializeToString().replace(MARK.encode(), NO_TEXT))
    return path


def changed(model: ModelProto, rng: Random) -> None:
    """Break a model once."""
    for _ in range(TRIES):
        spoil = rng.choice(rng.choice((FIELDS, FIELDS, NODES, VALUES)))
        if attempt(lambda spoil=spoil: spoil(model, rng)):  # type: ignore[misc]
            return


def attempt(change: Callable[[], None]) -> bool:
    """Whether a change found something to change, of a kind that protobuf lets be."""
    try:
        change()
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError, DecodeError):
        return False
    return True


def verdict(seed: int, keep: Path | None = None) -> Verdict:
    rng = Random(-seed - 1)
    with place(keep) as folder:
        path = broken(seed, folder)
        to = rng.choice(["nhwc", "nchw"])
        argv = [str(path), "--to", to, "--runs", "1", "--providers", "cpu", *LIMITS]
        argv += rng.choice([[], [], ["--dialect", "onnx"], ["--dialect", "function"], ["--for", "onnxruntime"]])
        outputs = [f"model.{to}.onnx"]
        compared = rng.random() < COMPARED
        if compared:
            argv += ["--json", str(folder / REPORT)]
            outputs.append(REPORT)
        if keep:
            (keep.parent / "argv").write_text(" ".join(argv))
        found = tried(seed, partial(run_forked, command, argv), folder, partial(may_write, outputs))
        result = folder / outputs[0]
        if found.code == 0 and compared and found.wrong is None and result.exists():
            answer = in_fork(lambda: difference(path, result, folder / REPORT))
            onnx.load(result)
            known = answer not in (None, "unknown")
            return replace(found, wrong=f"wrong result: {answer}" if known else None, compared=answer != "unknown")
        return found


def may_write(outputs: Sequence[str], code: int, name: str) -> bool:
    """A model with 0 only; the report that was asked for also where it tells what is wrong with the result."""
    return name in outputs and (code == 0 or (code == 1 and name == REPORT))


def main() -> int:
    bases()
    return run_all(verdict, "files")


if __name__ == "__main__":
    sys.exit(main())
