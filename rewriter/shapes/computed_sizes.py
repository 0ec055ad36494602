"""Shapes that onnx's inference does not find, from what is known of Reshape targets.

Exporters write ``x.view(x.size(0), -1)`` as ``Shape -> Gather -> Concat([.., -1]) -> Reshape``. onnx follows the sizes
but not a -1 among symbols; here both are followed, so that layouts can pass such a Reshape.
"""

from collections.abc import Callable
from itertools import zip_longest
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from passes.ir.declared import MICROSOFT, SMALL, Shape, shape_of, values_of
from passes.ir.graph import is_standard
from passes.ir.importer import UNKNOWN
from rewriter.shapes.stand_ins import DOMAIN, SAME_RANK

DOMAINS = (DOMAIN, MICROSOFT)
INVENTED = "unk__"  # prefix of the symbols that onnx's shape inference invents; tf2onnx declares such, too

Entries = NDArray[np.object_]  # an integer tensor whose elements are int, symbol (str) or None


def resolve(model: ModelProto) -> bool:
    """Declare output shapes of which more can be told than onnx does; whether there were any."""
    values = values_of(model.graph)
    declared = {v.name: v for v in model.graph.value_info}
    sizes, found = _Sizes(model, values), False
    for node in (n for n in model.graph.node if n.op_type in _RESOLVED and (is_standard(n) or n.domain in DOMAINS)):
        source, known = shape_of(values.get(node.input[0])), shape_of(values.get(node.output[0]))
        if source is None or (known is not None and (_unknowns(known) == 0 or node.output[0] not in declared)):
            continue
        shape = _RESOLVED[node.op_type](node, source, sizes)
        if shape is None or (known is not None and _unknowns(shape) >= _unknowns(known)):
            continue
        elem_type = values[node.input[0]].type.tensor_type.elem_type
        info = helper.make_tensor_value_info(node.output[0], elem_type, shape)
        (declared[node.output[0]] if known is not None else model.graph.value_info.add()).CopyFrom(info)
        found = True
    return found


def _unknowns(shape: Shape) -> int:
    return sum(d is None or (isinstance(d, str) and d.startswith((INVENTED, UNKNOWN))) for d in shape)


def _reshape(node: NodeProto, source: Shape, sizes: "_Sizes") -> Shape | None:
    """0 copies, -1 is what is left."""
    entries = None if _int_attr(node, "allowzero", 0) else sizes[node.input[1]]
    if entries is None or entries.ndim != 1:
        return None
    shape = [source[i] if entry == 0 and i < len(source) else entry for i, entry in enumerate(entries)]
    if -1 in shape:
        i = shape.index(-1)
        shape[i] = _quotient(source, shape[:i] + shape[i + 1 :])
    return shape


def _same_rank(node: NodeProto, source: Shape, sizes: "_Sizes") -> Shape:
    kept = next((list(attr.ints) for attr in node.attribute if attr.name == "kept"), [0])
    return [size if axis in kept else None for axis, size in enumerate(source)]


def _turned_product(node: NodeProto, left: Shape, sizes: "_Sizes") -> Shape | None:
    """FusedMatMul, which turns the last two axes of its operands where transA and transB say so."""
    right = sizes.shape(node.input[1])
    batches = any(_int_attr(node, name, 0) for name in ("transBatchA", "transBatchB"))
    if right is None or min(len(left), len(right)) < 2 or batches:
        return None
    rows, columns = left[-1 if _int_attr(node, "transA", 0) else -2], right[-2 if _int_attr(node, "transB", 0) else -1]
    both = zip_longest(left[-3::-1], right[-3::-1], fillvalue=1)
    return [*[b if a == 1 else a if b in (1, a) else None for a, b in both][::-1], rows, columns]


# operators whose output shape onnx does not, or not always, infer; a Conv's: of a kernel of unknown size
_RESOLVED: dict[str, Callable[..., Shape | None]] = {
    "Reshape": _reshape,
    "Conv": _same_rank,
    SAME_RANK: _same_rank,
    "FusedMatMul": _turned_product,
}


def _quotient(shape: Shape, others: Shape) -> int | str | None:
    """The one missing size, if all but a number or a symbol cancels out."""
    symbols = [d for d in shape if not isinstance(d, int)]
    for d in (d for d in others if not isinstance(d, int)):
        if d is None or d not in symbols:
            return None
        symbols.remove(d)
    whole, part = (prod(d for d in dims if isinstance(d, int)) for dims in (shape, others))
    if not part or whole % part:
        return None
    if len(symbols) == 1 and whole == part:
        return str(symbols[0]) if symbols[0] else None
    return None if symbols else whole // part


class _Sizes(dict[str, Entries | None]):
    """The elements of integer tensors made of Shapes and constants, ``None`` if they cannot be followed."""

    def __init__(self, model: ModelProto, values: dict[str, ValueInfoProto]) -> None:
        super().__init__({tensor.name: _entries(tensor) for tensor in model.graph.initializer})
        self.declared = values
        self._held: dict[str, Shape] = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
        self.makers = {name: node for node in model.graph.node for name in node.output}

    def shape(self, name: str) -> Shape | None:
        """The shape of a value, or of an initializer."""
        return self._held.get(name) or shape_of(self.declared.get(name))

    def __missing__(self, name: str) -> Entries | None:
        node = self.makers.get(name)
        self[name] = self._evaluate(node) if node is not None and is_standard(node) else None
        return self[name]

    def _evaluate(self, node: NodeProto) -> Entries | None:
        if node.op_type == "Shape":
            shape = shape_of(self.declared.get(node.input[0]))
            start, end = _int_attr(node, "start", 0), _int_attr(node, "end", None)
            return None if shape is None else np.asarray([*shape, None], dtype=object)[:-1][start:end]
        if node.op_type not in _FOLLOWED:
            return None
        operands = [self[name] for name in node.input]
        return None if any(o is None for o in operands) else _FOLLOWED[node.op_type](node, *operands)


def _entries(tensor: TensorProto) -> Entries | None:
    if prod(tensor.dims) > SMALL or tensor.data_type not in (TensorProto.INT64, TensorProto.INT32):
        return None
    return numpy_helper.to_array(tensor).astype(object)


def _gather(node: NodeProto, data: Entries, indices: Entries) -> Entries | None:
    return np.asarray(data[indices.astype(np.int64)], dtype=object) if data.ndim == 1 else None


def _slice(_: NodeProto, data: Entries, *parts: Entries) -> Entries | None:
    if data.ndim != 1 or any(part.size != 1 for part in parts):
        return None
    begin, end, step = (int(part[0]) for part in (parts[0], parts[1], parts[3] if len(parts) > 3 else np.ones(1)))
    return data[begin:end:step]


def _int_attr(node: NodeProto, name: str, default: Any) -> Any:
    return next((attr.i for attr in node.attribute if attr.name == name), default)


_FOLLOWED: dict[str, Callable[..., Entries | None]] = {
    "Identity": lambda node, data: data,
    "Cast": lambda node, data: data,
    "Unsqueeze": lambda node, data, *axes: data.reshape(1) if data.size == 1 else None,
    "Squeeze": lambda node, data, *axes: data.reshape(()) if data.size == 1 else None,
    "Concat": lambda node, *parts: np.concatenate([np.atleast_1d(part) for part in parts]),
    "Gather": _gather,
    "Slice": _slice,
}
