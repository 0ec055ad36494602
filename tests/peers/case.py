"""A case of a peer: a model as onnx's text, with what shortens it."""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, ValueInfoProto, helper, numpy_helper

from tests.support.graphs import Array

TRANSPOSE = re.compile(r"\bT(\d*)\(")
SIZE = re.compile(r"\b(\w+)=(\d+)(?=[,\]])")  # h=6, within the brackets of a type
HIDDEN = re.compile(r"\b(\w+)\{([\d,]*)\}")  # x{2,3}, behind a type


@dataclass(frozen=True)
class Case:
    """A model in onnx's text, but Transposes are ``T0231(x)``, open dims ``h=6`` and values of unknown rank ``x{2,3}``,
    both with the sizes to run them with.

    ``feeds``: inputs where no random ones will do; ``weights``: constants by name, random ones by shape;
    ``left``: the Transposes and bytes that the peer's test expects, where the peer itself is not asked; ``options``:
    what is asked of the rewriter, if not the least of Transposes.
    """

    name: str
    text: str
    opset: int
    feeds: Mapping[str, Array] = field(default_factory=dict)
    weights: Mapping[str, Array | Sequence[int]] = field(default_factory=dict)
    left: tuple[int, int] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.name}-{self.opset}"

    @cached_property
    def model(self) -> ModelProto:
        signature, body = self.text.split("=>", 1)
        signature = HIDDEN.sub(r"\1", SIZE.sub(r"\1", signature))
        plain = TRANSPOSE.sub(_transpose, f"{signature}=>{body}")
        head = f'<ir_version: 8, opset_import: ["": {self.opset}, "com.microsoft": 1]> net '
        made = onnx.parser.parse_model(head + plain)
        for name, array in self.weights.items():
            held = array if isinstance(array, np.ndarray) else _random(name, np.dtype(np.float32), array)
            made.graph.initializer.append(numpy_helper.from_array(held, name))
        return made

    @cached_property
    def inputs(self) -> dict[str, Array]:
        """What the model is run on."""
        return {value.name: self._input(value) for value in self.model.graph.input}

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """The sizes of inputs whose rank is told."""
        ranked = [value.name for value in self.model.graph.input if value.type.tensor_type.HasField("shape")]
        return {name: self.inputs[name].shape for name in ranked}

    def _input(self, value: ValueInfoProto) -> Array:
        tensor, signature = value.type.tensor_type, self.text.split("=>", 1)[0]
        if value.name in self.feeds:
            return self.feeds[value.name]
        sizes = {name: int(size) for name, size in SIZE.findall(signature)}
        hidden = {name: [int(n) for n in dims.split(",") if n] for name, dims in HIDDEN.findall(signature)}
        shape = hidden.get(value.name) or [
            d.dim_value if d.HasField("dim_value") else sizes[d.dim_param] for d in tensor.shape.dim
        ]
        return _random(value.name, helper.tensor_dtype_to_np_dtype(tensor.elem_type), shape)


def between(
    name: str, x: str, first: str, ops: str, last: str, *, held: str = "", y: str = "float", **more: Any
) -> list[Case]:
    """Cases of the form ``x -> Transpose t -> ops -> u -> Transpose y``, by opset; without ``last`` the ops make y."""
    end = f"y = T{last}(u)" if last else ""
    return cases(name, f"({x}) => ({y}[] y) <{held}> {{ t = T{first}(x) {ops} {end} }}", **more)


def cases(name: str, text: str, opsets: Sequence[int] = (15,), **more: Any) -> list[Case]:
    """The case at each of the opsets."""
    return [Case(name, text, opset, **more) for opset in opsets]


def moved(*shapes: Sequence[int]) -> tuple[int, int]:
    """A Transpose of float32 for each shape: how many, and their bytes."""
    return len(shapes), sum(4 * prod(shape) for shape in shapes)


def _transpose(match: re.Match[str]) -> str:
    return f"Transpose<perm=[{','.join(match[1])}]>(" if match[1] else "Transpose("


def _random(name: str, dtype: np.dtype[Any], shape: Sequence[int]) -> Array:
    """As the peers' tests make them: numbers from 0 to 1, small integers, all there are of those in a byte or two."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), *shape])
    if dtype.kind == "f":
        return np.asarray(rng.random(shape), dtype=dtype)
    if dtype.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    whole = np.iinfo(dtype)
    low, high = (whole.min, whole.max) if dtype.itemsize < 4 else (0, 5)
    return np.asarray(rng.integers(low, high, shape, endpoint=True), dtype=dtype)
