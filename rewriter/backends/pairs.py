"""QuantizeLinear and DequantizeLinear of a model as ranges that TensorFlow's converter reads.

A pair becomes ``FakeQuantize`` (domain ``RANGES``), and so do weights behind a DequantizeLinear. What cannot be kept is
told, and left for the converter to measure.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from passes import dialects
from passes.ir.declared import held_tensors, opset_of
from passes.layout.edit import Array
from rewriter.backends.ranges import HIGHEST, LARGEST, LOWEST, RANGES, SMALLEST, Range, as_int8

FAKE = "FakeQuantize"
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
INT8 = (np.int8, np.uint8)
MOVES = {"Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}  # no number changes
ONE_SCALE = {"Concat", "Max", "Min", "Where"}  # TFLite's kernels have one for all that they read and give
WEIGHTS = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}  # the input that is
BIASES = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2}
SAME = 1e-5  # how far the scale of a bias may be from the product, relatively; both are float32


class Lost(Exception):
    """A pair or weight that cannot be kept; the text says why, after the node's name."""


@dataclass(frozen=True)
class Ranged:
    """A model with ranges, all of them by the names of the nodes that they are of; ``lost``: why others are not."""

    model: ModelProto
    kept: Mapping[str, Range] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)


class _Pairs:
    """What is found in a graph, and what its nodes become."""

    def __init__(self, model: ModelProto) -> None:
        graph, self.opset = model.graph, opset_of(model)
        self.nodes = list(graph.node)
        self.held = held_tensors(graph)
        self.outputs = {value.name for value in graph.output}
        self.makers = {name: node for node in graph.node for name in node.output}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in dict.fromkeys(node.input):
                self.readers.setdefault(name, []).append(node)
        self.kept: dict[str, Range] = {}
        self.lost: dict[str, str] = {}
        self.instead: dict[str, list[NodeProto]] = {}  # by the first output of the node that is replaced
        self.ranges: dict[str, Range] = {}  # of values

    def op(self, node: NodeProto) -> str:
        """The operator, whatever dialect it is spelled in."""
        return dialects.operator_of(node, self.opset)

    def array(self, name: str) -> Array | None:
        """A constant."""
        return numpy_helper.to_array(self.held[name]) if name in self.held else None

    def read(self) -> None:
        """Each node in order, so that the ranges of what it reads are known."""
        for node in self.nodes:
            try:
                if node.op_type == QUANTIZE:
                    self._pair(node)
                elif node.op_type == DEQUANTIZE and node.input[0] in self.held:
                    self._constant(node)
                elif node.input and self.op(node) in {*MOVES, "MaxPool"}:
                    self._pass_on(node)
            except Lost as reason:
                self.lost[_name(node)] = str(reason)
        self._agree()
        self._biases()

    def parameters(self, node: NodeProto) -> tuple[Array, Array]:
        """Scales and zero points as constants. Raises Lost."""
        scale, given = self.array(node.input[1]), any(node.input[2:])
        if scale is None or (given and node.input[2] not in self.held):
            raise Lost("its scale or zero point is computed")
        zero = self.array(node.input[2]) if given else None
        return scale, self._no_zero(node, scale.shape) if zero is None else zero

    def _no_zero(self, node: NodeProto, shape: tuple[int, ...]) -> Array:
        """0, of the type of the integers."""
        integers = self.array(node.input[0])
        asked = next((a.i for a in node.attribute if a.name == "output_dtype"), 0)
        kind = helper.tensor_dtype_to_np_dtype(asked) if asked else np.dtype(np.uint8)
        return np.zeros(shape, kind if integers is None else integers.dtype)

    def _pair(self, node: NodeProto) -> None:
        """A range for a QuantizeLinear, and nothing for those that dequantise what it gives. Raises Lost.

        Of a pair that TFLite cannot have its limits are left, as quantisers let them stand for a Relu: as arithmetic it
        would be quantised itself.
        """
        if node.input[0] in self.held:
            raise Lost("what it quantises is a constant in floats")
        scale, zero = self.parameters(node)
        if scale.ndim > 1 or zero.dtype.kind not in "iu":
            raise Lost(f"it is in blocks, or {zero.dtype}")
        ends = [*self._dequantized(node.output[0], (scale, zero))]
        for end in ends:
            self.instead[end.output[0]] = [helper.make_node("Identity", end.input[:1], end.output)]
        self.instead[node.output[0]] = [_saturated(node, scale, zero)]
        found = _range(scale, zero)
        again = self.ranges.get(node.input[0], found) != found
        self.instead[node.output[0]] = [fake(node.input[0], node.output[0], found, again)]
        self.kept[_name(node)] = found
        self.ranges |= dict.fromkeys((node.output[0], *(end.output[0] for end in ends)), found)

    def _dequantized(self, value: str, as_is: tuple[Array, Array]) -> Iterator[NodeProto]:
        """The nodes that dequantise a value, moved or not, as it was quantised. Raises Lost where others read it."""
        if value in self.outputs:
            raise Lost("its integers are an output")
        for reader in self.readers.get(value, []):
            if reader.op_type == DEQUANTIZE and reader.input[0] == value:
                if not all(map(np.array_equal, self.parameters(reader), as_is)):
                    raise Lost("what it gives is dequantised by another scale or zero point")
                yield reader
            elif reader.op_type in MOVES and list(reader.input).index(value) == 0:
                for moved in reader.output:
                    yield from self._dequantized(moved, as_is)
            else:
                raise Lost(f"its integers are read by {reader.op_type} {_name(reader)!r}")

    def _constant(self, node: NodeProto) -> None:
        """A range for a constant that is dequantised: of a weight, or of any other operand. Raises Lost."""
        integers = self.array(node.input[0])
        readers = [(reader, [*reader.input].index(node.output[0])) for reader in self._readers(node)]
        assert integers is not None
        if all(BIASES.get(self.op(reader)) == place for reader, place in readers):
            return
        scale, zero = self.parameters(node)
        if any(WEIGHTS.get(self.op(reader)) != place for reader, place in readers):
            self._mark(node, _range(scale, zero))
            return
        found = _weight(node, integers, scale, zero)
        axes = {_channels(self.op(reader), reader, integers.ndim) for reader, _ in readers}
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1) % integers.ndim
        if scale.size > 1 and axes != {axis}:
            raise Lost("its scales are not those of the channels that it makes")
        operators = {self.op(reader) for reader, _ in readers}
        if operators == {"Conv"} or (scale.size == 1 and "ConvTranspose" not in operators):
            self._mark(node, found)
        elif scale.size == 1 or not _is_full(integers, axis):
            raise Lost("of such weights the converter only takes the scales that it measures, by channel")
        else:
            self.kept[_name(node)] = found

    def _readers(self, node: NodeProto) -> list[NodeProto]:
        return self.readers.get(node.output[0], []) if node.output else []

    def _mark(self, node: NodeProto, found: Range) -> None:
        bare = f"{node.output[0]}/real"
        plain = helper.make_node(DEQUANTIZE, node.input, [bare], node.name, node.doc_string)
        plain.attribute.extend(node.attribute)
        self.instead[node.output[0]] = [plain, fake(bare, node.output[0], found)]
        self.kept[_name(node)] = self.ranges[node.output[0]] = found

    def _pass_on(self, node: NodeProto) -> None:
        if node.input[0] in self.ranges:
            self.ranges |= dict.fromkeys(node.output, self.ranges[node.input[0]])

    def _agree(self) -> None:
        """What is joined gets the range of the result first: else the converter puts that in the place of its own."""
        for node in self.nodes:
            found = {self.ranges.get(r.output[0]) for r in self._readers(node) if r.op_type == QUANTIZE} - {None}
            if self.op(node) not in ONE_SCALE or len(found) != 1:
                continue
            (result,), joined, before = found, deepcopy(node), []
            assert result is not None
            for place, name in enumerate(node.input):
                if self.ranges.get(name, result) != result:
                    joined.input[place] = f"{node.output[0]}/{place}"
                    before.append(fake(name, joined.input[place], result, again=True))
            self.instead[node.output[0]] = [*before, joined]

    def _biases(self) -> None:
        """Tells of those whose scale TFLite, which has the product of the others', does not keep."""
        for node in self.nodes:
            place = BIASES.get(self.op(node), len(node.input))
            bias = self.makers.get(node.input[place]) if place < len(node.input) else None
            data, weight = (self._scales(name) for name in node.input[:2]) if bias is not None else (None, None)
            if bias is None or bias.op_type != DEQUANTIZE or data is None or weight is None:
                continue
            scale, zero = self.parameters(bias)
            if zero.any() or not np.allclose(scale, np.multiply(data, weight), rtol=SAME, atol=0):
                self.lost[_name(bias)] = "TFLite's biases have the product of the other two scales, and zero point 0"

    def _scales(self, name: str) -> Array | None:
        maker = self.makers.get(name)
        found = self.ranges.get(name) or (self.kept.get(_name(maker)) if maker is not None else None)
        return None if found is None else np.asarray(found.scales)


def _range(scale: Array, zero: Array) -> Range:
    """One for all elements. Raises Lost."""
    if zero.dtype not in INT8:
        raise Lost(f"TFLite's int8 has no {zero.dtype}")
    if scale.size > 1:
        raise Lost("TFLite has several scales for weights only")
    return Range(_positive(scale), int(as_int8(zero).item()))


def _weight(node: NodeProto, integers: Array, scale: Array, zero: Array) -> Range:
    """For a weight, one for all or for each place along the last axis. Raises Lost."""
    if integers.dtype not in INT8:
        raise Lost(f"TFLite's int8 has no {integers.dtype}")
    if any(a.name == "block_size" and a.i for a in node.attribute):
        raise Lost("it is quantised in blocks")
    if as_int8(zero).any():
        raise Lost("TFLite's weights have the zero point 0")
    if as_int8(integers).min() == LOWEST:
        raise Lost(f"TFLite's weights have no {LOWEST}")
    return Range(_positive(scale), 0, is_narrow=True)


def _positive(scale: Array) -> tuple[float, ...]:
    scales = tuple(float(one) for one in scale.ravel())
    if not all(SMALLEST < one < LARGEST for one in scales):
        raise Lost("TFLite takes no such scale")
    return scales


def _channels(op: str, node: NodeProto, rank: int) -> int:
    """The axis of a weight along which its reader's output channels are; kernels come as ``HWIO``."""
    turned = op == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if turned else rank - 1


def _is_full(integers: Array, axis: int) -> bool:
    """Whether the largest integer of each channel is the largest there is, so that the scale is what is measured."""
    others = tuple(place for place in range(integers.ndim) if place != axis)
    return bool((np.abs(as_int8(integers)).max(others) == HIGHEST).all())


def _saturated(node: NodeProto, scale: Array, zero: Array) -> NodeProto:
    """What is left of a pair that is not kept: its lowest and highest numbers, along ``axis`` where they differ."""
    kind: Any = zero.dtype
    limits, factor = np.iinfo(kind), scale.astype(np.float64).ravel()
    low, high = ((end - zero.astype(np.int64).ravel()) * factor for end in (limits.min, limits.max))
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    about: dict[str, Any] = {"low": low.tolist(), "high": high.tolist(), "axis": axis}
    return helper.make_node("Saturate", node.input[:1], node.output[:1], domain=RANGES, **about)


def fake(value: str, result: str, found: Range, again: bool = False) -> NodeProto:
    """A node that says which range a value has; ``again``: it has another one before."""
    low, high = found.ends
    about: dict[str, Any] = {"low": low, "high": high, "narrow": int(found.is_narrow), "again": int(again)}
    return helper.make_node(FAKE, [value], [result], domain=RANGES, **about)


def _name(node: NodeProto) -> str:
    return str(node.name or node.output[0])


def with_ranges(model: ModelProto) -> Ranged:
    """The model with ranges in the place of its pairs, and before weights; bodies are left as they are."""
    pairs = _Pairs(model)
    pairs.read()
    nodes = [new for node in model.graph.node for new in pairs.instead.get("".join(node.output[:1]), [node])]
    return Ranged(with_nodes(model, nodes), pairs.kept, pairs.lost)


def without_ranges(ranged: Ranged) -> ModelProto:
    """The model as if its pairs were not there: a smooth function, so that another's results are near."""
    nodes = ranged.model.graph.node
    bare = (helper.make_node("Identity", n.input, n.output) if n.domain == RANGES else n for n in nodes)
    return with_nodes(ranged.model, bare)


def with_nodes(model: ModelProto, nodes: Iterable[NodeProto]) -> ModelProto:
    """The model with other nodes."""
    made = deepcopy(model)
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made
