"""The ways to convert a model, and what counts as the same result.

Besides the three directions of the tool there is ``forced``: every graph input and output is asked for in a random
layout, so that layouts arrive at operators that no image model would bring them to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any
from zlib import crc32

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import ModelProto

import passes.rules  # noqa: F401  (fills the registry)
from passes import dialects
from passes.apply.add_bias import add_bias
from passes.apply.keep_calls import keep_calls
from passes.apply.push_transposes import push
from passes.apply.quantize_as_functions import as_functions
from passes.apply.tidy import tidy
from passes.apply.widen_vectors import widen_vectors
from passes.dialects.base import Dialect
from passes.ir.lint import lint
from passes.layout import perm
from passes.layout.layout import Layout, permuted
from passes.layout.perm import Perm
from passes.plan.plan import make_plan
from passes.plan.program import Program
from rewriter import rewrite
from rewriter.shapes.check import onnx_fault
from tests.support.stages import normalized, to_model

Array = NDArray[Any]

DIRECTIONS = {
    "nhwc function": ("nhwc", "function"),
    "nhwc onnx": ("nhwc", "onnx"),
    "nhwc onnxruntime": ("nhwc", "onnxruntime"),
    "nchw": ("nchw", "onnx"),
}
WAYS = {**DIRECTIONS, "nhwc qonnx": ("nhwc", "qonnx")}
MODES = (*WAYS, "forced function", "forced onnx")
MOST_PERMS = 5  # rank up to which all perms are listed
KINDS = ("without barrier", "with barrier", "not applicable")


class Wrong(AssertionError):
    """A converted model is not what it must be; the message says how."""


@dataclass(frozen=True)
class Converted:
    """A model, the layouts of the inputs and outputs that changed, and which of ``KINDS`` the conversion is."""

    model: ModelProto
    layouts: Mapping[str, Layout]
    kind: str

    def stored(self, name: str, value: Any) -> Any:
        """The value of a graph input or output as this model has it."""
        return self.layouts[name].apply(value) if name in self.layouts else value


def convert(model: ModelProto, mode: str, seed: int) -> Converted:
    """The model converted in one of ``MODES``; ``seed`` decides what ``forced`` forces."""
    if mode in WAYS:
        to, dialect = WAYS[mode]
        result = rewrite(model, to, dialect=dialect)
        layouts = {name: permuted(p) for name, p in result.layouts.items()}
        return Converted(result.model, layouts, _kind(result.report.changed, len(result.report.remaining)))
    return forced(model, dialects.make(mode.removeprefix("forced ")), seed)


def forced(model: ModelProto, dialect: Dialect, seed: int) -> Converted:
    """Every input and output of rank 2 or more in a random layout (by its name), no swap where the rank allows."""
    graph = normalized(model)
    asked = random_ends(graph, seed)
    program = Program(graph, asked, dialect)
    plan = make_plan(program)
    plan = widen_vectors(program.flat, as_functions(program.flat, plan))
    moved = push(*keep_calls(graph, program, plan), asked).graph
    lint(moved)
    last = tidy(add_bias(moved))
    lint(last)
    layouts = {name: layout for name, layout in asked.items() if not layout.is_natural}
    return Converted(to_model(last), layouts, _kind(bool(layouts), len(plan.relayouts)))


def random_ends(graph: gs.Graph, seed: int) -> dict[str, Layout]:
    """A layout for each input and output of a graph."""
    return {t.name: permuted(_random_perm(t, seed)) for t in (*graph.inputs, *graph.outputs)}


def _random_perm(tensor: gs.Tensor, seed: int) -> Perm:
    rank = len(tensor.shape) if tensor.type == "tensor_type" and tensor.shape is not None else 0
    rng = np.random.default_rng([seed, crc32(tensor.name.encode())])
    if rank < 2 or rank > MOST_PERMS:
        return tuple(rng.permutation(rank).tolist())
    every = list(permutations(range(rank)))[1:]
    candidates = [p for p in every if p != perm.inverse(p)] or every
    return candidates[int(rng.integers(len(candidates)))]


def _kind(changed: bool, remaining: int) -> str:
    return KINDS[2] if not changed else KINDS[1] if remaining else KINDS[0]


def check_valid(converted: Converted, original: ModelProto) -> None:
    """onnx's checker and its strict shape inference find no fault that the original has not."""
    for fault in (checker_fault, onnx_fault):
        found = fault(converted.model)
        if found is not None and fault(original) is None:
            raise Wrong(f"not valid: {found}")


def checker_fault(model: ModelProto) -> str | None:
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        return str(error).splitlines()[0]
    return None


def check_same(found: Any, expected: Any, name: str, rtol: float, atol: float) -> None:
    """Raise Wrong unless the results are of one type and shape, and close (floats) or equal (anything else)."""
    if isinstance(expected, list | tuple):
        if not isinstance(found, list | tuple) or len(found) != len(expected):
            raise Wrong(f"{name} is not a sequence of {len(expected)}")
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            check_same(one, other, f"{name}[{i}]", rtol, atol)
        return
    if expected is None or found is None:
        if found is not expected:
            raise Wrong(f"{name}: {found} instead of {expected}")
        return
    one, other = np.asarray(found), np.asarray(expected)
    if (one.dtype.kind in "OUST") != (other.dtype.kind in "OUST") or one.shape != other.shape:
        raise Wrong(f"{name} is {one.dtype}{one.shape} instead of {other.dtype}{other.shape}")
    if one.dtype != other.dtype and one.dtype.kind not in "OUST":
        raise Wrong(f"{name} is {one.dtype} instead of {other.dtype}")
    if not _close(one, other, rtol, atol):
        raise Wrong(f"{name} has other values")


def _close(found: Array, expected: Array, rtol: float, atol: float) -> bool:
    if expected.dtype.kind in "fV":
        wide, other = found.astype(np.float64), expected.astype(np.float64)
        return np.allclose(wide, other, max(rtol, 2**-6) if "bfloat" in expected.dtype.name else rtol, atol, True)
    if expected.dtype.kind == "c":
        return np.allclose(found, expected, rtol, atol, equal_nan=True)
    return bool(np.array_equal(found, expected))


def names_and_results(model: ModelProto, results: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    yield from zip((value.name for value in model.graph.output), results, strict=True)
