"""What it takes to start the tool, and to convert small models: `python -m tests.tools.bench_start` prints a table.

Each command runs in turn with a script that imports onnx and graphsurgeon, loads the model and saves it, both with
their modules compiled: processor time, and time by the clock, of whole processes.
"""

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.tools.taken import taken

ROOT = Path(__file__).parents[2]
MODELS = ("torch_unet_dynamo", "torch_densenet", "keras_flatten")
ROUNDS = 11
NOTHING = ("-c", "pass")
LOAD_AND_SAVE = (
    "-c",
    "import sys, onnx, onnx_graphsurgeon\nonnx.save(onnx.load(sys.argv[1]), sys.argv[2])",
)


def main() -> None:
    for line in starting():
        print(line, flush=True)


def starting() -> Iterator[str]:
    """The lines of the table."""
    yield "\n## Starting, and small models (--no-validate)\n"
    yield "Whole processes from command to file, ms of processor time and by the clock, over those of what stands"
    yield f"beside it, run in turn; medians of {ROUNDS}.\n"
    yield "| command | beside | processor | beside it | ratio | clock | beside it | ratio |"
    yield "|---|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        written = str(Path(folder, "out.onnx"))
        yield row("--help", "python -c pass", ("-m", "rewriter", "--help"), NOTHING, folder)
        for model in MODELS:
            path = str(ROOT / f"models/{model}.onnx")
            ours = ("-m", "rewriter", path, "--to", "nhwc", "--no-validate", "-o", written)
            yield row(model, "load and save", ours, (*LOAD_AND_SAVE, path, written), folder)


def row(name: str, beside: str, ours: Sequence[str], other: Sequence[str], compiled: str) -> str:
    """One row: both commands in turn, after one run of each, which compiles their modules."""
    # Kept modules are a setting of the process: PYTHONDONTWRITEBYTECODE may stand in the environment.
    env = {"PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    rounds = [(taken(ours, env), taken(other, env)) for _ in range(1 + ROUNDS)][1:]
    figures = []
    for field in ("busy", "clock"):
        one, two = zip(*((getattr(a, field), getattr(b, field)) for a, b in rounds), strict=True)
        ratio = statistics.median(a / b for a, b in zip(one, two, strict=True))
        figures += [f"{statistics.median(one) * 1000:.0f}", f"{statistics.median(two) * 1000:.0f}", f"{ratio:.2f}"]
    return f"| {name} | {beside} | {' | '.join(figures)} |"


if __name__ == "__main__":
    main()
