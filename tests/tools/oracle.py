"""Plans against the least that there is: random graphs with any layouts at their ends, models in every direction.

``python -m tests.tools.oracle [--for RUNTIME] GRAPHS [first seed]``, or with files instead of numbers.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from passes import dialects
from passes.pipeline import NORMALIZE, PLAN, READ, Request
from passes.plan.cost import BYTES, runtime
from passes.plan.plan import make_plan
from passes.plan.program import Program
from rewriter.choices import RUNTIMES
from rewriter.files.reader import open_model
from rewriter.pipeline import run_passes, start
from tests.support.growing import grown
from tests.support.makers import ALL
from tests.support.modes import DIRECTIONS, random_ends
from tests.support.oracle import least
from tests.support.stages import normalized

NODES = 14


def of_graph(seed: int, prices: str = BYTES) -> tuple[float, float]:
    """What the plan for a random graph costs, and the least."""
    graph = normalized(grown(seed, NODES, ALL).model)
    ends, dialect = random_ends(graph, seed), dialects.make("onnx" if seed % 4 else "function")
    plan = make_plan(Program(graph, ends, dialect, cost=runtime(prices)))
    return plan.cost, least(graph, ends, dialect, prices)


def of_model(path: Path, direction: str, prices: str = BYTES, keep_io: bool = False) -> tuple[float, float]:
    """What the plan for a model costs, and the least."""
    to, dialect = DIRECTIONS[direction]
    work = start(open_model(path), Request(to, dialects.make(dialect), keep_io=keep_io, runtime=prices))
    run_passes(work, READ, NORMALIZE, PLAN)
    return work.plan.cost, least(work.graph, work.program.ends, work.request.dialect, prices)


def compared(arguments: list[str], prices: str) -> Iterator[tuple[str, tuple[float, float]]]:
    """What is compared, by name."""
    if arguments[0].isdigit():
        first = int(arguments[1]) if len(arguments) > 1 else 0
        yield from ((f"graph {seed}", of_graph(seed, prices)) for seed in range(first, first + int(arguments[0])))
        return
    for path in map(Path, arguments):
        yield from ((f"{path.stem}, {way}", of_model(path, way, prices)) for way in DIRECTIONS)
        yield f"{path.stem}, interface kept", of_model(path, "nhwc onnx", prices, keep_io=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare plans with the least that there is.")
    parser.add_argument("--for", choices=RUNTIMES, default=BYTES, dest="prices", help="at whose prices")
    parser.add_argument("what", nargs="+", help="a number of random graphs and the first, or files")
    args = parser.parse_args()
    begin, count, wrong = time.process_time(), 0, 0
    for name, (planned, lowest) in compared(args.what, args.prices):
        count += 1
        if abs(planned - lowest) > 1:
            wrong += 1
            print(f"{name}: planned {planned:,.0f}, least {lowest:,.0f}", flush=True)
    print(f"{count} plans, {wrong} not the least, {time.process_time() - begin:.0f} s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
