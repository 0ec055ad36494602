"""Trials by the thousand, by seed: counted, and what is found listed."""

import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

from tests.support.trials import Verdict

PROCESSES = 2
ALIKE = 90  # letters, less the digits, that finds have in common which are listed together


class Trial(Protocol):
    """A trial by its seed; ``keep``: the folder in which its files stay."""

    def __call__(self, seed: int, keep: Path | None = None) -> Verdict: ...


def run_all(trial: Trial, what: str) -> int:
    """The tool: ``COUNT [FIRST [FOLDER]]``; with a folder all files are kept there, one folder for each seed."""
    count = int(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    begin = time.perf_counter()
    verdicts = [*_ran(trial, range(first, first + count), Path(sys.argv[3]) if len(sys.argv) > 3 else None)]
    seconds = time.perf_counter() - begin
    codes = Counter(v.code for v in verdicts)
    listed("wrong", verdicts, lambda v: v.wrong)
    listed("to be looked at", verdicts, lambda v: None if v.wrong else v.look)
    print(f"\n{what} {first} to {first + count - 1}: exit codes {dict(sorted(codes.items()))};", end=" ")
    print(f"{sum(v.compared for v in verdicts)} results compared by onnxruntime alone;", end=" ")
    print(
        f"{sum(v.wrong is not None for v in verdicts)} wrong; slowest {max(v.seconds for v in verdicts):.0f} s;",
        end=" ",
    )
    print(f"{seconds:.0f} s, {count / seconds:.1f} a second")
    return 1 if any(v.wrong for v in verdicts) else 0


def _ran(trial: Trial, seeds: Sequence[int], keep: Path | None) -> Sequence[Verdict]:
    if keep is not None:
        return [trial(seed, keep / str(seed)) for seed in seeds]
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    found = []
    with get_context("fork").Pool(PROCESSES) as pool:
        for verdict in pool.imap_unordered(trial, seeds, chunksize=4):
            if verdict.wrong:
                print(f"{verdict.seed}: {verdict.wrong[:300]}", flush=True)
            found.append(verdict)
    return found


def listed(title: str, verdicts: Sequence[Verdict], text: Callable[[Verdict], str | None]) -> None:
    """Print those that have a text, those with nearly the same one together."""
    alike: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if told := text(verdict):
            alike["".join(c for c in told if not c.isdigit())[:ALIKE]].append(verdict)
    print(f"\n{sum(map(len, alike.values()))} {title}:")
    for several in sorted(alike.values(), key=len, reverse=True):
        print(f"{len(several)} x seeds {[v.seed for v in several[:5]]}: {text(several[0])}")
