"""What runs in a runtime's environment: `python -m tests.tools.elsewhere.child RUNTIME SECONDS FILE INPUT OUTPUT ...`.

For one file or several, it runs each once and writes the outputs (.npy), then takes them in turn for SECONDS. The last
line printed is JSON: ``about``, and the processor time of each inference by file, or ``error``.
"""

import json
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

WARM = 3  # rounds that are not counted
LEAST = 5  # rounds that are, where SECONDS is not 0


def answer(name: str, seconds: float, files: Sequence[tuple[Path, Path, Path]]) -> dict[str, Any]:
    """Outputs are written; what to print."""
    runtime = import_module(f"tests.tools.elsewhere.in_{name}").Loaded
    models, arrays = [runtime(file) for file, _, _ in files], [np.load(given) for _, given, _ in files]
    for model, array, (_, _, found) in zip(models, arrays, files, strict=True):
        np.save(found, np.asarray(model.run(array)))
    rounds: list[list[float]] = []
    begin = time.perf_counter()
    while seconds and (len(rounds) < WARM + LEAST or time.perf_counter() - begin < seconds):
        rounds.append([model.seconds(array) for model, array in zip(models, arrays, strict=True)])
    return {"about": models[0].about, "rounds": rounds[WARM:]}


def main(name: str, seconds: str, *paths: str) -> None:
    """Print the answer."""
    every = [*map(Path, paths)]
    try:
        said = answer(name, float(seconds), [*zip(every[::3], every[1::3], every[2::3], strict=True)])
    except Exception as error:  # whatever a runtime raises is what it says of the file
        said = {"error": f"{error}" or type(error).__name__}
    print("\n" + json.dumps(said), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
