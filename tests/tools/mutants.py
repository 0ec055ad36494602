"""Is a fault in the tool noticed by its tests? ``python -m tests.tools.mutants`` plants 130, one at a time.

116 are drawn, the others stand in ``mutant_table.py``; ``python -m tests.tools.mutants 20 rewriter/weights`` draws so
many from there, besides those of the table. Each stands in a copy of the tree; the tests that reach the place run until
one fails. The draw is seeded: a tree has always the same ones. Results are kept in ``build/mutants.jsonl``, and a run
that was ended goes on.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from tests.support.mutations import Mutation, drawn
from tests.tools.mutant_table import BY_HAND, EQUIVALENT, OPERATORS, SURVIVED_ONCE, commands

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "mutants.jsonl"
COUNT, SEED = 116, 12  # of those that are drawn
FOLDERS = ("passes", "rewriter")
INTEROP = "tests/interop"  # its tests need the frameworks
SECONDS = 900  # of one command; a hang is noticed, too
NO_TESTS = 5  # pytest's exit status
SURVIVED, EQUAL = "survived", "equivalent"


@dataclass(frozen=True)
class Result:
    """``killed`` names the test that failed, or is one of the words above."""

    path: str
    number: int
    line: str
    what: str
    becomes: str
    killed: str
    seconds: float

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.path, self.line, self.what, self.becomes.strip()


class Tree:
    """A copy of the checkout, in which one mutation at a time is planted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        for name in (name for name in listed.stdout.splitlines() if (ROOT / name).is_file()):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        # Nothing compiled is kept: of two mutations of one file, the one would be taken for the other.
        self.environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self.passing: dict[str, bool] = {}
        self._check()

    def _check(self) -> None:
        """The copy is what is imported, whatever is installed."""
        code = "import passes, rewriter; print(passes.__file__, rewriter.__file__)"
        found = self._run(sys.executable, "-c", code).stdout.split()
        if len(found) != 2 or not all(Path(path).is_relative_to(self.folder) for path in found):
            raise RuntimeError(f"{found} is imported, not what is in {self.folder}")

    def try_out(self, mutation: Mutation) -> Result:
        path, begin = self.folder / mutation.path, time.perf_counter()
        source = path.read_text()
        killed = SURVIVED
        for tests in self._commands(mutation):
            path.write_text(mutation.planted(source))
            failed = self._failing(tests)
            path.write_text(source)
            if failed and self._passes(failed):
                killed = failed
                break
        word = EQUAL if killed == SURVIVED and mutation.key in EQUIVALENT else killed
        return Result(**asdict(mutation), killed=word, seconds=round(time.perf_counter() - begin, 1))

    def _commands(self, mutation: Mutation) -> Iterator[list[str]]:
        for command in commands(mutation):
            tests, _, chosen = command.partition(" -k ")
            paths = [f"tests/{test}" for test in tests.split()]
            yield [*paths, "-k", operators(mutation.path) if chosen == OPERATORS else chosen] if chosen else paths

    def _failing(self, tests: list[str]) -> str:
        """The test that fails first, or what else ends the run; nothing if all pass."""
        python = str(ROOT / ".venv-interop/bin/python") if tests[0].startswith(INTEROP) else sys.executable
        try:
            ran = self._run(python, "-m", "pytest", "-x", "-p", "no:cacheprovider", "--tb=no", *tests)
        except subprocess.TimeoutExpired:
            return f"no end of {' '.join(tests)}"
        if ran.returncode == NO_TESTS:
            raise RuntimeError(f"no tests in {tests}")
        lines = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        if lines:
            return lines[0].partition(" ")[2].partition(" - ")[0]
        return f"exit status {ran.returncode} of {tests[0]}" if ran.returncode else ""

    def _passes(self, failed: str) -> bool:
        """Whether the test passes without the mutation, as it must to count."""
        if failed not in self.passing and "::" in failed:
            self.passing[failed] = not self._failing([failed])
        return self.passing.get(failed, True)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, timeout=SECONDS, capture_output=True, text=True,
            errors="replace",
        )  # fmt: skip


def operators(path: str) -> str:
    """What `-k` takes for the cases of a file of rules."""
    rows = import_module(f"tests.rules.cases.{Path(path).stem}").ROWS
    return " or ".join(sorted({f"{row.op}-" for row in rows}))


def mutations(count: int = COUNT, folders: Sequence[str] = FOLDERS) -> list[Mutation]:
    """Those of the table that stand in these folders, and ``count`` that are drawn from there."""
    rows = [row for row in (*SURVIVED_ONCE, *BY_HAND) if any(Path(row[0]).is_relative_to(f) for f in folders)]
    first = [Mutation(path, _number(path, line), line, what, becomes) for path, line, what, becomes in rows]
    first = [Mutation(m.path, m.number, m.line, m.what, _indented(m)) for m in first]
    return [*first, *drawn(ROOT, folders, count, SEED)]


def _number(path: str, line: str) -> int:
    return [one.strip() for one in (ROOT / path).read_text().splitlines()].index(line) + 1


def _indented(m: Mutation) -> str:
    original = (ROOT / m.path).read_text().splitlines()[m.number - 1]
    return original[: len(original) - len(original.lstrip())] + m.becomes


def known() -> dict[tuple[str, str, str, str], Result]:
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return {result.key: result for result in (Result(**json.loads(line)) for line in lines)}


def run(wanted: list[Mutation], jobs: int) -> None:
    """Try these out, a few at a time, and write each result as it is there."""
    RESULTS.parent.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool, RESULTS.open("a") as file:
        trees: SimpleQueue[Tree] = SimpleQueue()
        for i in range(jobs):
            trees.put(Tree(Path(folder, str(i)).resolve()))

        def one(mutation: Mutation) -> Result:
            tree = trees.get()
            try:
                return tree.try_out(mutation)
            finally:
                trees.put(tree)

        for result in pool.map(one, wanted):
            print(json.dumps(asdict(result)), file=file, flush=True)
            print(row(result), flush=True)


def row(result: Result) -> str:
    place = f"{result.path}:{result.number}"
    return f"| {place:45} | {result.what[:60]:60} | {result.killed[:90]} | {result.seconds:.0f} s |"


def main() -> int:
    """Run what has no result yet, and print all; 0 if all were killed or are named as equivalent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=COUNT, help=f"how many to draw ({COUNT})")
    parser.add_argument("folders", nargs="*", default=FOLDERS, help="from where (passes, rewriter)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--most", type=int, help="how many to run now; the next run goes on")
    parser.add_argument("--again", action="store_true", help="those that survived, too")
    args = parser.parse_args()
    if unknown := [folder for folder in args.folders if not (ROOT / folder).is_dir()]:
        parser.error(f"{unknown[0]}: no folder of the tool")
    every, done = mutations(args.count, args.folders), known()
    keys = {m: (m.path, m.line, m.what, m.becomes.strip()) for m in every}
    open_ = [m for m in every if keys[m] not in done or (args.again and done[keys[m]].killed == SURVIVED)]
    run(open_[: args.most], args.jobs)
    done = known()
    found = [done[keys[m]] for m in every if keys[m] in done]
    lost = [result for result in found if result.killed == SURVIVED]
    equal = [result for result in found if result.killed == EQUAL]
    print("\nEquivalent:", *(f"{row(one)} {EQUIVALENT[one.key[:3]]}" for one in equal), sep="\n")
    print("\nSurvived:", *map(row, lost), sep="\n")
    killed = len(found) - len(lost) - len(equal)
    print(f"\n{len(found)} of {len(every)} planted: {killed} killed, {len(equal)} equivalent, {len(lost)} survived")
    return 0 if len(found) == len(every) and not lost else 1


if __name__ == "__main__":
    sys.exit(main())
