"""onnx's own conformance suite, converted in every mode: the results must be those that the suite expects.

``python -m tests.tools.conformance`` converts every example that comes with onnx, about 2,000 models that no one
here wrote, prints a table of what became of them and lists what neither onnxruntime nor onnx's evaluator runs as the
suite says.
"""

import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

from passes.ir.declared import every_node_proto
from tests.support.edges import NUMBERS_ONLY, SHAPED_BY_DATA, edged
from tests.support.engines import Engine, Feeds, default, disabled, reference
from tests.support.modes import (
    KINDS,
    MODES,
    Converted,
    Wrong,
    check_same,
    check_valid,
    convert,
    names_and_results,
)

SUITES = ("node", "simple", "pytorch-operator", "pytorch-converted")
PROCESSES = 2

# what onnx's evaluator says of a Scan along other axes than the first, and of onnxruntime's own operators
LACKS = ("is not implemented", "from domain 'com.microsoft' is unknown")


@dataclass(frozen=True)
class Example:
    """A model with the inputs and outputs of each run."""

    name: str
    suite: str
    model: ModelProto
    runs: Sequence[tuple[Feeds, Sequence[Any]]]
    rtol: float
    atol: float


@dataclass
class Outcome:
    """What became of an example: its kind by mode, what is wrong, how many results agreed, what the engines do
    with the original, and what onnxruntime's optimiser does wrong with a result that is right without it."""

    name: str
    suite: str
    kinds: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    compared: int = 0
    notes: list[str] = field(default_factory=list)
    runtime: list[str] = field(default_factory=list)


def examples(suites: Sequence[str] = SUITES) -> list[Example]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [_example(test, suite) for suite in suites for test in load_model_tests(kind=suite)]


def _example(test: TestCase, suite: str) -> Example:
    model, runs = (test.model, test.data_sets) if test.model_dir is None else _from_folder(Path(test.model_dir))
    assert model is not None
    assert runs is not None
    names = [value.name for value in model.graph.input]
    feeds = [(dict(zip(names, map(_value, given), strict=False)), list(map(_value, wanted))) for given, wanted in runs]
    return Example(test.name, suite, model, feeds, test.rtol, test.atol)


def _value(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value


def _from_folder(folder: Path) -> tuple[ModelProto, list[tuple[list[Any], list[Any]]]]:
    model = onnx.load(folder / "model.onnx")
    sides = ((model.graph.input, "input"), (model.graph.output, "output"))
    return model, [
        tuple(_stored(data, side, values) for values, side in sides)  # type: ignore[misc]
        for data in sorted(folder.glob("test_data_set_*"))
    ]


def _stored(data: Path, side: str, values: Sequence[onnx.ValueInfoProto]) -> list[Any]:
    read: list[Any] = []
    for i in range(len(list(data.glob(f"{side}_*.pb")))):
        content = (data / f"{side}_{i}.pb").read_bytes()
        if values[i].type.HasField("sequence_type"):
            read.append(numpy_helper.to_list(onnx.SequenceProto.FromString(content)))
        else:
            read.append(numpy_helper.to_array(TensorProto.FromString(content)))
    return read


def outcome(example: Example, modes: Sequence[str] = MODES) -> Outcome:
    """Convert an example in every mode and compare all that its engines give."""
    result = Outcome(example.name, example.suite)
    engines = _engines(example, result)
    edges = {engine: list(_at_edges(example, engine)) for engine, _ in engines[:1]}
    for mode in modes:
        try:
            _try(example, mode, engines, edges, result)
        except Exception as error:  # a crash of the tool counts as much as a wrong number
            result.wrong.append(f"{mode}: {_short(error)}")
    return result


def _try(
    example: Example, mode: str, engines: Sequence[tuple[Engine, list[Any]]],
    edges: Mapping[Engine, list[tuple[Example, list[Any]]]], result: Outcome,
) -> None:  # fmt: skip
    converted = convert(example.model, mode, crc32(example.name.encode()))
    result.kinds[mode] = converted.kind
    check_valid(converted, example.model)
    for engine, expected in engines:
        try:
            for one, wanted in [(example, expected), *edges.get(engine, [])]:
                result.compared += _compare(one, converted, engine, wanted)
        except Exception as error:
            if engine is reference and any(text in str(error) for text in LACKS):
                result.notes.append(f"{mode}: {_short(error)}")
                continue
            if engine is not default or engines[0][0] is not disabled:
                raise
            result.runtime.append(f"{mode}: {_short(error)}")  # the same file ran right without optimisation


def _at_edges(example: Example, engine: Engine) -> Iterator[tuple[Example, list[Any]]]:
    """The example with ties, zeros, denormals, infinities and NaN for floats, and what the engine then gives, if it
    always gives the same."""
    operators = {node.op_type for node in every_node_proto(example.model.graph)}
    if operators & SHAPED_BY_DATA:
        return
    endless = not operators & NUMBERS_ONLY
    rng = np.random.default_rng(crc32(example.name.encode()))
    runs = [
        ({name: _edged(value, rng, endless) for name, value in fed.items()}, wanted) for fed, wanted in example.runs
    ]
    other = replace(example, runs=runs)
    with suppress(Exception):  # each engine has its own
        results, again = ([engine(example.model, feeds) for feeds, _ in runs] for _ in range(2))
        if _same(results, again, example):
            yield other, results


def _edged(value: Any, rng: np.random.Generator, endless: bool) -> Any:
    return edged(value, rng, endless) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


def _compare(example: Example, converted: Converted, engine: Engine, expected: Sequence[Any]) -> int:
    compared = 0
    for (feeds, _), wanted in zip(example.runs, expected, strict=True):
        found = engine(converted.model, {name: converted.stored(name, value) for name, value in feeds.items()})
        for (name, value), one in zip(names_and_results(example.model, wanted), found, strict=True):
            check_same(one, converted.stored(name, value), f"{name} ({engine.__name__})", example.rtol, example.atol)
            compared += 1
    return compared


def _engines(example: Example, result: Outcome) -> list[tuple[Engine, list[Any]]]:
    """The engines that run the original as the suite says; if there are none, those that run it, and their results."""
    right: list[tuple[Engine, list[Any]]] = []
    other: list[tuple[Engine, list[Any]]] = []
    notes = []
    for engine in (disabled, default, reference):
        if engine is reference and right:
            return right
        expected, note = _expected(engine, example)
        if note:
            notes.append(f"{engine.__name__}: {note}")
        if expected is not None:
            (other if note else right).append((engine, expected))
    result.notes += [] if right else notes
    return right or other


def _expected(engine: Engine, example: Example) -> tuple[list[Any] | None, str]:
    """What to expect of an engine, and what is to be said of it."""
    wanted = [results for _, results in example.runs]
    try:
        own, again = ([engine(example.model, feeds) for feeds, _ in example.runs] for _ in range(2))
    except Exception as error:  # each engine has its own
        return None, _short(error)
    if _same(own, wanted, example):
        return wanted, ""
    if _same(own, again, example):
        return own, "gives other results than the suite; the converted model is held to these"
    return None, "gives random results"


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _same(found: Sequence[Any], wanted: Sequence[Any], example: Example) -> bool:
    try:
        check_same(found, wanted, example.name, example.rtol, example.atol)
    except Wrong:
        return False
    return True


def table(outcomes: Sequence[Outcome]) -> str:
    counts = Counter((o.suite, mode, kind) for o in outcomes for mode, kind in o.kinds.items())
    suites = list(dict.fromkeys(o.suite for o in outcomes))
    lines = [f"{'suite':<20}{'mode':<18}" + "".join(f"{kind:>18}" for kind in KINDS)]
    for suite in suites:
        for mode in MODES:
            cells = "".join(f"{counts[suite, mode, kind]:>18}" for kind in KINDS)
            lines.append(f"{suite:<20}{mode:<18}{cells}")
    return "\n".join(lines)


def listed(title: str, outcomes: Sequence[Outcome], lines: Callable[[Outcome], Sequence[str]]) -> None:
    """Print the names of the examples that have such lines, those with the same ones together."""
    names: dict[str, list[str]] = defaultdict(list)
    for outcome in outcomes:
        if lines(outcome):
            names["\n      ".join(lines(outcome))].append(outcome.name)
    print(f"\n{sum(map(len, names.values()))} {title}:")
    for text, alike in names.items():
        print(f"  {' '.join(alike)}\n      {text}")


def main() -> int:
    begin = time.perf_counter()
    global _ALL
    _ALL = examples()
    with get_context("fork").Pool(PROCESSES) as pool:
        outcomes = pool.map(_numbered, range(len(_ALL)), chunksize=8)
    print(table(outcomes))
    listed("not run by any engine as the suite says", outcomes, lambda o: o.notes)
    listed("right, but broken by onnxruntime's optimiser", outcomes, lambda o: o.runtime)
    listed("wrong", outcomes, lambda o: o.wrong)
    wrong = sum(bool(o.wrong) for o in outcomes)
    compared, seconds = sum(o.compared for o in outcomes), time.perf_counter() - begin
    print(f"\n{len(outcomes)} examples, {compared} results compared, {wrong} wrong, {seconds:.0f} s")
    return 1 if wrong else 0


_ALL: list[Example] = []


def _numbered(number: int) -> Outcome:
    return outcome(_ALL[number])


if __name__ == "__main__":
    sys.exit(main())
