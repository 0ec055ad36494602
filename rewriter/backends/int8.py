"""Int8 TFLite files: with the scales and zero points that the model has of its own, and measured ones for the rest."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rewriter.backends.converter import converted
from rewriter.backends.graph import MOST_NAMES, Lack, traced
from rewriter.backends.guards import without_guards
from rewriter.backends.pairs import Ranged, without_ranges
from rewriter.backends.ranges import Range
from rewriter.errors import UsageError
from rewriter.validation.session import Feed

Samples = Callable[[], Iterable[Feed]]
Traced = tuple[Any, Any]  # a tf.Module, and its function
NEAR = 1e-6  # relatively: the scales of some weights are measured again, in float32
AT_ENDS = {"QUANTIZE", "DEQUANTIZE"}


@dataclass(frozen=True)
class Quantized:
    """A file; ``is_measured``: whether it has ranges besides the model's own. ``told``: a sentence on these."""

    file: bytes
    is_measured: bool = True
    told: list[str] = field(default_factory=list)


def quantized(ranged: Ranged, bare: Traced, source: str, samples: Samples, lack: Lack) -> Quantized:
    """The model in int8. Raises UsageError where the converter refuses it.

    ``bare``: the same without ranges. ``samples``: inputs that ranges are measured on where an operator is left in
    float32 without.
    """
    if (unguarded := without_guards(ranged.model)) is not ranged.model:
        ranged = replace(ranged, model=unguarded)
        bare = traced(without_ranges(ranged), source, lack)[:2]
    if not ranged.kept:
        return Quantized(converted(*bare, source, "int8", samples()), told=[*told(ranged, {})])
    try:
        module, concrete, _ = traced(ranged.model, source, lack)
        file = converted(module, concrete, source, "int8")
        is_measured = computes_floats(file)
        if is_measured:
            file = converted(module, concrete, source, "int8", samples())
    except UsageError as error:
        sentence = f"None of the file's own scales and zero points is kept: with them {error}."
        return Quantized(converted(*bare, source, "int8", samples()), told=[sentence])
    return Quantized(file, is_measured, [*told(ranged, in_file(file, ranged.kept))])


def told(ranged: Ranged, kept: Mapping[str, Range]) -> Iterator[str]:
    """How many are kept, and which are not, with reasons, those of one reason together."""
    other = {name: "the converter has another for it" for name in ranged.kept if name not in kept}
    groups: dict[str, list[str]] = {}
    for name, reason in {**ranged.lost, **other}.items():
        groups.setdefault(reason, []).append(name)
    if not groups and not ranged.kept:
        return
    lines = [f"{', '.join(names[:MOST_NAMES])}{_more(names)} ({reason})" for reason, names in groups.items()]
    but = f"; measured: {'; '.join(lines)}" if lines else ""
    yield f"Scales and zero points of {len(kept)} QuantizeLinear and weights are the file's own{but}."


def _more(names: list[str]) -> str:
    return f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""


def _tensors(file: bytes) -> Iterator[tuple[str, list[tuple[Any, int]]]]:
    """The operators of a file with the tensors that each reads and gives: quantisation and element type."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    model = schema.ModelT.InitFromPackedBuf(file, 0)
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            places = [place for place in (*operator.inputs, *operator.outputs) if place >= 0]
            tensors = [(graph.tensors[place].quantization, graph.tensors[place].type) for place in places]
            yield names[max(code.builtinCode, code.deprecatedBuiltinCode)], tensors


def computes_floats(file: bytes) -> bool:
    """Whether an operator is left in float32: where the range of a value was missing."""
    from tensorflow.lite.python import schema_py_generated as schema

    floats = schema.TensorType.FLOAT32
    return any(op not in AT_ENDS and floats in [kind for _, kind in tensors] for op, tensors in _tensors(file))


def in_file(file: bytes, wanted: Mapping[str, Range]) -> dict[str, Range]:
    """Those of the ranges that a tensor of the file has."""
    abouts = (about for _, tensors in _tensors(file) for about, _ in tensors)
    found = {
        (tuple(about.scale), frozenset(about.zeroPoint))
        for about in abouts
        if about is not None and about.scale is not None
    }
    return {name: one for name, one in wanted.items() if any(_is(one, *quantisation) for quantisation in found)}


def _is(one: Range, scales: tuple[float, ...], zeros: frozenset[int]) -> bool:
    alike = len(scales) == len(one.scales) and zeros == {one.zero}
    return alike and np.allclose(scales, one.scales, rtol=NEAR, atol=0)
