"""Command lines by the thousand: ``python -m tests.tools.fuzz_lines 2000 [first seed [folder to keep them in]]``.

Options with good and with absurd values on a sound model, in a folder with files of other kinds. The same is asked as
of
broken files (fuzz_files); one in forty is started as a process of its own, as a user does.
"""

import io
import os
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from random import Random

import numpy as np

import rewriter.comparison
import rewriter.files.writer
import rewriter.pipeline
import rewriter.report.document
import rewriter.report.page
import rewriter.report.text  # noqa: F401  all that the command imports, once
from rewriter.cli import main as command
from rewriter.cli import parser
from tests.support.command import image_net
from tests.support.forked import HUNG, Ran, run_forked
from tests.support.graphs import ROOT
from tests.support.trials import LIMITS, Verdict, place, tried
from tests.tools.many import run_all

REAL = 40  # one in so many is a process of its own
KEPT = ("net.onnx", "hard.onnx", "link.onnx", "pipe", "loop", "folder", "folder/file")  # whatever the command line says
NUMBERS = (
    "0",
    "1",
    "2",
    "-1",
    "1e-3",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "",
    "x",
    "1.5",
    "9" * 30,
    "0x10",
    " 1",
    "\u0663",
    "-0",
)
WORDS = (
    "",
    " ",
    "x",
    "y",
    "z",
    "means",
    "c",
    "nowhere",
    "[/red]",
    "<b>",
    "a" * 10_000,
    "\udcff",
    "\u2603",
    "=",
    "-",
    "--",
    "..",
    "%s",
)
PATHS = ("out.onnx", "new/out.onnx", "a/b/c/d.onnx", "net.onnx", "./net.onnx", "link.onnx", "hard.onnx", "pipe",
    "folder",
         "folder/", "loop", "/dev/null", "/dev/full", "/proc/x", "net.onnx/x", "x" * 255, "x" * 256, "out\udcff.onnx",
         "[red].onnx", " ", ".", "..", "read_only", "data.npz", "-o", "\u2603.onnx", "out", "report.json",
         "dangling")  # fmt: skip
LAYOUTS = ("nhwc", "nchw", "keep", "NHWC", "NCHW", "NTHWC", "n c h w -> n h w c", "n c h w -> n c h", "->", "",
    "NNHW", "n h w c",
           "n c h w -> w h c n", "x" * 10_000, "n c h w -> n h w w", "a b -> b a", "NHCW", "WHCN",
           "0 1 2 3 -> 3 2 1 0")  # fmt: skip
SHAPES = ("1,3,5,7", "2,3,5,7", "1,3,5", "0,0,0,0", "1,3,-5,7", "1e3", "", ",", "1,,3", "2147483647,3,5,7",
    "9" * 30, "1,3,5,7,",
          "a", "\u0663,3,5,7", "1, 3, 5, 7")  # fmt: skip

FRAMES = ("uint8,bgr", "bgr,float32,mean=1,2,3,std=0.5,0.5,2", "scale=1/255", "std=0", "mean=1,2", "mean=", "mean=1/0",
          "rgb,rgb", "uint8," * 5_000, "mean=" + "1," * 10_000, "std=1e-300", "mean=\u0663", "", ",", "nan", "a" * 999,
          "mean=nan", "bgr,scale=1e400", "uint8,std=58,57,57")  # fmt: skip


def named(values: tuple[str, ...], rng: Random) -> str:
    """``NAME=VALUE``, or nearly."""
    return rng.choice([f"{rng.choice([*'xyz', *WORDS])}={rng.choice(values)}"] * 5 + [rng.choice(WORDS)])


def option(rng: Random) -> list[str]:
    """One option with its value, or without."""
    path, word, number = rng.choice(PATHS), rng.choice(WORDS), rng.choice(NUMBERS)
    return rng.choice(
        [
            ["-o", path], ["-o", path], ["--output=" + path], ["--json", path], ["--json", "-"], ["--report", path],
            ["--save-repro", path], ["--inputs", rng.choice([path, "data.npz", "data.npz", "other.npz"])],
            ["--to", rng.choice(["nhwc", "nchw", word])], ["--dialect", rng.choice(["function", "onnx",
            "onnxruntime", word])],
            ["--for", rng.choice(["bytes", "onnxruntime", "openvino", word])], ["--weight-layout",
            rng.choice(["ohwi", "hwio", word])],
            ["--layout", named(LAYOUTS, rng)], ["--layout", f"x={rng.choice(LAYOUTS)}"], ["--keep-io"],
            ["--providers", rng.choice(["cpu", "cpu,cuda", "cuda", "CPU", "cpu,cpu", ",", word])], ["--no-validate"],
            ["--runs", number], ["--seed", number], ["--rtol", number], ["--atol", number],
            ["--input-shape", named(SHAPES, rng)], ["--input-shape", f"x={rng.choice(SHAPES)}"],
            ["--preprocess", f"{rng.choice(['', 'x:', 'z:', 'x:', rng.choice(WORDS) + ':'])}{rng.choice(FRAMES)}"],
            ["--explain", rng.choice(["y", "c", word])], ["--dry-run"], ["--check-all"],
            ["--timeout", rng.choice([n for n in NUMBERS if n != "1e-3"])], ["--memory", rng.choice(["4", "-1",
            "nan", "x", "1e400"])],
            ["--help"], ["--version"], ["--" + word], [word], [path],
        ]
    )  # fmt: skip


def prepare(folder: Path, rng: Random) -> None:
    """A model, data for it, and whatever else a path may lead to."""
    (folder / "net.onnx").write_bytes(image_net().SerializeToString())
    x, z = (np.asarray(rng.choice([0.5, np.nan, 1e38]) * np.ones([1, 3, 5, 7]), np.float32) for _ in "xz")
    np.savez(
        folder / "data.npz",
        **rng.choice(
            [
                {"x": x, "z": z},
                {"x": x},
                {"other": x},
                {"x": x[0]},
                {"x": x > 0},
                {"x": np.ones([1, 3, 5, 7], np.uint8)},
            ]
        ),
    )
    (folder / "other.npz").write_bytes(rng.choice([b"", b"PK", (folder / "data.npz").read_bytes()[:99]]))
    (folder / "folder").mkdir()
    (folder / "folder" / "file").write_text("text")
    os.mkfifo(folder / "pipe")
    (folder / "link.onnx").symlink_to("net.onnx")
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere/file")
    (folder / "hard.onnx").hardlink_to(folder / "net.onnx")


def line(rng: Random) -> list[str]:
    """A command line."""
    argv = [] if rng.random() < 0.03 else [rng.choice(["net.onnx"] * 12 + list(PATHS))]
    argv += [] if rng.random() < 0.03 else ["--to", rng.choice(["nhwc", "nchw"])]
    for _ in range(rng.choice([1, 1, 2, 3, 5])):
        argv += option(rng)
    return argv + rng.choice([[], [], ["-q"], ["-v"]])


def verdict(seed: int, keep: Path | None = None) -> Verdict:
    rng = Random(seed)
    with place(keep) as around:
        folder = around / "here"  # what is beside it is nobody's
        folder.mkdir()
        prepare(folder, rng)
        argv = [*LIMITS, *line(rng)]
        os.chdir(folder)
        try:
            run = partial(run_real, argv) if seed % REAL == 0 else partial(run_forked, command, argv)
            models = _models(argv)
            return tried(seed, run, folder, partial(may_write, models > 1), models)
        finally:
            os.chdir(ROOT)
            if keep:
                print(argv)


def may_write(several: bool, code: int, name: str) -> bool:
    """Of several models some may be written where others fail."""
    return (code == 0 or several) and name not in KEPT


def _models(argv: list[str]) -> int:
    """How many models a command line names at most, of what is here."""
    with suppress(SystemExit), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        found = parser().parse_args(argv).models
        return max(1, sum(len([*path.glob("*.onnx")]) if os.path.isdir(path) else 1 for path in found))
    return 1


def run_real(argv: list[str], scratch: Path, seconds: float) -> Ran:
    """As ``run_forked``, as a process of its own."""
    begin, env = time.monotonic(), {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rewriter", *argv], env=env, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return Ran(HUNG, "", "", seconds)
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode(), time.monotonic() - begin)


def main() -> int:
    return run_all(verdict, "command lines")


if __name__ == "__main__":
    sys.exit(main())
