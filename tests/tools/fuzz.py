"""Random graphs, converted in every mode and compared bit for bit: ``python -m tests.tools.fuzz 10000 [first seed]``.

A failure is shrunk to the fewest nodes that still fail, and printed.
"""

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto

from passes.ir.declared import every_node_proto
from rewriter.shapes.check import onnx_fault
from tests.support.edges import NUMBERS_ONLY, SHAPED_BY_DATA, edged
from tests.support.engines import Engine, by_name, default, disabled
from tests.support.growing import STEP, Array, Sample, declared, grown, reads
from tests.support.makers import ALL
from tests.support.modes import MODES, Converted, Wrong, check_same, check_valid, convert

NODES = 14
TOLERANCE = 1e-4  # of results that are not exact
PROCESSES = 2


@dataclass
class Verdict:
    """What became of a graph: its kind by mode, what is wrong by mode, how many results agreed."""

    seed: int
    kinds: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    runtime: dict[str, str] = field(default_factory=dict)
    compared: int = 0


def verdict(seed: int, optimised: bool = True) -> Verdict:
    sample, result = grown(seed, NODES, ALL), Verdict(seed)
    if fault(disabled, sample) is not None or onnx_fault(sample.model) is not None:
        return result  # grown node by node, it is no valid whole: onnx infers another shape than onnxruntime gives
    edges = at_edges(sample, seed)
    for mode in MODES:
        try:
            converted = convert(sample.model, mode, seed)
            result.kinds[mode] = converted.kind
            check_valid(converted, sample.model)
            result.compared += compare(sample, converted, disabled)
            result.compared += compare(edges, converted, disabled)
        except Exception as error:  # a crash counts as much as a wrong number
            result.wrong[mode] = short(error)
            continue
        text = fault(default, sample, converted) if optimised else "onnxruntime aborts the process"
        if text is None:
            result.compared += len(sample.results)
        elif not optimised or fault(default, sample) is None:
            result.runtime[mode] = text  # the same file ran right without optimisation
    return result


def at_edges(sample: Sample, seed: int) -> Sample:
    """The model with ties, zeros, denormals and, unless results for them depend on the layout, infinities and NaN; of
    its results those that are the same where denormals are 0."""
    operators = {node.op_type for node in every_node_proto(sample.model.graph)}
    if operators & SHAPED_BY_DATA:
        return replace(sample, results={})
    endless, rng = not operators & NUMBERS_ONLY, np.random.default_rng(seed)
    feeds = {name: edged(array, rng, endless) for name, array in sample.feeds.items()}
    coarse = {name: np.where(np.abs(array) < STEP, 0, array).astype(array.dtype) for name, array in feeds.items()}
    try:
        results, other = by_name(sample.model, feeds), by_name(sample.model, coarse)
    except Exception:  # onnxruntime's errors have no narrower base
        return replace(sample, results={})
    return replace(sample, feeds=feeds, results=alike(results, other), exact=frozenset())


def alike(results: dict[str, Array], other: dict[str, Array]) -> dict[str, Array]:
    same: dict[str, Array] = {}
    for name, result in results.items():
        with suppress(Wrong):
            check_same(other[name], result, name, TOLERANCE, TOLERANCE)
            same[name] = result
    return same


def compare(sample: Sample, converted: Converted, engine: Engine) -> int:
    feeds = {name: converted.stored(name, value) for name, value in sample.feeds.items()}
    found = dict(
        zip((value.name for value in converted.model.graph.output), engine(converted.model, feeds), strict=True)
    )
    for name, wanted in sample.results.items():
        tolerance = 0.0 if name in sample.exact else TOLERANCE
        check_same(found[name], converted.stored(name, wanted), f"{name} ({engine.__name__})", tolerance, tolerance)
    return len(sample.results)


def fault(engine: Engine, sample: Sample, converted: Converted | None = None) -> str | None:
    """What is wrong with the results of a model (the sample's own, if no other), ``None`` if nothing."""
    try:
        compare(sample, converted or Converted(sample.model, {}, ""), engine)
    except Exception as error:
        return short(error)
    return None


def short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def failing(mode: str, engine: Engine, seed: int) -> Callable[[Sample], bool]:
    """Whether a sample fails as another did: by the engine that runs it, or before."""

    def fails(sample: Sample) -> bool:
        if fault(disabled, sample) or fault(engine, sample):
            return False
        try:
            converted = convert(sample.model, mode, seed)
            check_valid(converted, sample.model)
        except Exception:
            return engine is disabled
        wrong = fault(disabled, sample, converted) is not None
        return wrong if engine is disabled else not wrong and fault(engine, sample, converted) is not None

    return fails


def shrunk(sample: Sample, fails: Callable[[Sample], bool]) -> Sample:
    """The smallest sample found that still fails: with one output, and nodes cut off whose results are then fed."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in candidates(sample):
            if fails(candidate):
                sample, smaller = candidate, True
                break
    return sample


def candidates(sample: Sample) -> Iterator[Sample]:
    for name in sample.results if len(sample.results) > 1 else ():
        yield part(sample, sample.feeds, [name])
        yield part(sample, sample.feeds, [other for other in sample.results if other != name])
    values = every_value(sample)
    for node in reversed(sample.model.graph.node):
        made = {name: values[name] for name in node.output if name in values}
        if node.op_type != "Constant" and made and not made.keys() & sample.results.keys():
            yield part(sample, {**sample.feeds, **made}, list(sample.results))
        inputs = [name for name in node.input if name in values and name not in sample.feeds]
        if inputs and made.keys() & sample.results.keys():
            yield part(sample, sample.feeds, inputs)


def every_value(sample: Sample) -> dict[str, Array]:
    model = ModelProto()
    model.CopyFrom(sample.model)
    del model.graph.output[:]
    names = [name for node in model.graph.node for name in node.output if name]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return dict(zip(names, disabled(model, sample.feeds), strict=True))


def part(sample: Sample, feeds: dict[str, Array], outputs: list[str]) -> Sample:
    """The part of a model between values that are fed and some outputs."""
    values = {**every_value(sample), **sample.feeds}
    needed, nodes = set(outputs), []
    for node in reversed(sample.model.graph.node):
        if needed & set(node.output) - feeds.keys():
            needed |= reads(node)
            nodes.append(node)
    model = ModelProto()
    model.CopyFrom(sample.model)
    graph = model.graph
    known = {value.name: value for value in (*graph.input, *graph.output)}
    kept = [tensor for tensor in graph.initializer if tensor.name in needed]
    for side in (graph.node, graph.input, graph.output, graph.initializer, graph.value_info):
        del side[:]
    graph.node.extend(nodes[::-1])
    graph.initializer.extend(kept)
    fed = {name: value for name, value in feeds.items() if name in needed}
    graph.input.extend(known.get(name, declared(name, value)) for name, value in fed.items())
    graph.output.extend(known.get(name, declared(name, values[name])) for name in outputs)
    return Sample(model, fed, {name: values[name] for name in outputs}, sample.exact)


def report(verdicts: list[Verdict], seconds: float) -> None:
    counts = Counter((mode, kind) for v in verdicts for mode, kind in v.kinds.items())
    for mode in MODES:
        print(f"{mode:<18}" + "".join(f"{kind:>18}: {n:5}" for (m, kind), n in sorted(counts.items()) if m == mode))
    for title, field_name, engine in (
        ("wrong", "wrong", disabled),
        ("right, but broken by onnxruntime's optimiser", "runtime", default),
    ):
        alike: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for v in verdicts:
            for mode, text in getattr(v, field_name).items():
                alike["".join(c for c in text if not c.isdigit())[:60]].append((v.seed, mode))
        print(f"\n{len({seed for found in alike.values() for seed, _ in found})} graphs {title}:")
        for text, found in sorted(alike.items(), key=lambda item: -len(item[1])):
            print(f"\n{len(found)} x {text}\n  {found[:8]}")
            seed, mode = found[0]
            if mode in MODES and "aborts" not in text:
                small = shrunk(grown(seed, NODES, ALL), failing(mode, engine, seed)).model
                with suppress(Exception):  # which is the text
                    print(onnx.printer.to_text(convert(small, mode, seed).model.graph))
                print(f"opset {small.opset_import[0].version}\n{onnx.printer.to_text(small.graph)}")
    print(f"\n{len(verdicts)} graphs, {sum(v.compared for v in verdicts)} results compared, {seconds:.0f} s")


def all_verdicts(seeds: Sequence[int], chunk: int = 64) -> list[Verdict]:
    """The verdicts of all seeds; where onnxruntime aborts the process, seed by seed and then without its optimiser."""
    parts = [seeds[i : i + chunk] for i in range(0, len(seeds), chunk)]
    found: list[Verdict] = []
    for i in range(0, len(parts), PROCESSES):
        running = [(part, *_started(part)) for part in parts[i : i + PROCESSES]]
        for part, process, pipe in running:
            found += _received(part, process, pipe)
    return found


def _started(seeds: Sequence[int], optimised: bool = True) -> tuple[Any, Any]:
    here, there = get_context("fork").Pipe(duplex=False)
    process = get_context("fork").Process(target=_send, args=(there, seeds, optimised))
    process.start()
    there.close()
    return process, here


def _send(pipe: Any, seeds: Sequence[int], optimised: bool) -> None:
    pipe.send([verdict(seed, optimised) for seed in seeds])


def _received(seeds: Sequence[int], process: Any, pipe: Any) -> list[Verdict]:
    try:
        found: list[Verdict] = pipe.recv()
    except EOFError:
        found = []
    process.join()
    if found:
        return found
    if len(seeds) > 1:
        return [v for seed in seeds for v in _received([seed], *_started([seed]))]
    return _received_alone(seeds[0])


def _received_alone(seed: int) -> list[Verdict]:
    process, pipe = _started([seed], optimised=False)
    try:
        return list(pipe.recv())
    except EOFError:
        return [Verdict(seed, wrong={"all": "onnxruntime aborts the process without its optimiser, too"})]
    finally:
        process.join()


def main() -> int:
    begin, count = time.perf_counter(), int(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    verdicts = all_verdicts(range(first, first + count))
    report(verdicts, time.perf_counter() - begin)
    return 1 if any(v.wrong for v in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
