"""Tensors whose data has the type and the size that they say, and sizes that can be."""

from collections.abc import Sequence
from math import prod

import numpy as np
from onnx import SparseTensorProto, TensorProto, helper, numpy_helper

from passes.ir.constants import BITS, raw_bytes
from rewriter.faults.walk import Found

MOST_ELEMENTS = 2**63 - 1  # what fits the type of a dimension, and of their product
MOST_DENSE_BYTES = 2**31 - 1  # of a tensor in a protobuf; a sparse one is written densely
KNOWN = {number: name for name, number in TensorProto.DataType.items() if number != TensorProto.UNDEFINED}
COMPLEX = (TensorProto.COMPLEX64, TensorProto.COMPLEX128)  # two numbers for each element


def tensor_fault(found: Found) -> str | None:
    """What is wrong with the type, dims or data of a tensor."""
    return fault_of(found.message, found.name)


def fault_of(tensor: TensorProto, name: str) -> str | None:
    if tensor.data_type not in KNOWN:
        return f"{name} has element type {tensor.data_type}, which ONNX does not have"
    if tensor.HasField("segment"):
        return f"{name} is a segment of a tensor, which no reader of ONNX supports"
    if fault := dims_fault(tensor.dims, name):
        return fault
    size, type_name = prod(tensor.dims), KNOWN[tensor.data_type]
    is_outside = tensor.data_location == TensorProto.EXTERNAL
    if tensor.data_type == TensorProto.STRING and (is_outside or tensor.HasField("raw_data")):
        return f"{name} holds strings as raw data, which ONNX does not allow"
    if is_outside:
        there, needed, unit = external_length(tensor), raw_bytes(tensor.data_type, size), "bytes"
    elif tensor.HasField("raw_data"):
        there, needed, unit = len(tensor.raw_data), raw_bytes(tensor.data_type, size), "bytes"
    else:
        field = helper.tensor_dtype_to_field(tensor.data_type)
        there, needed, unit = len(getattr(tensor, field)), _entries(tensor.data_type, size), f"entries of {field}"
    if there == needed:
        return None
    return f"{name} has {there} {unit}, {list(tensor.dims)} of type {type_name} needs {needed}"


def external_length(tensor: TensorProto) -> int:
    """How many bytes a tensor has elsewhere, as the reader of its file has noted."""
    return next((int(entry.value) for entry in tensor.external_data if entry.key == "length"), 0)


def dims_fault(dims: Sequence[int], name: str) -> str | None:
    """A negative size, or more elements than can be counted."""
    if any(size < 0 for size in dims):
        return f"{name} has a negative size: {list(dims)}"
    if prod(size for size in dims if size) > MOST_ELEMENTS:
        return f"{name} has more elements than can be counted: {list(dims)}"
    return None


def sparse_fault(found: Found) -> str | None:
    """Indices that are not those of elements, or more elements than can be written."""
    sparse: SparseTensorProto = found.message
    values, indices, name = sparse.values, sparse.indices, found.name
    fault = fault_of(values, f"values of {name}") or fault_of(indices, f"indices of {name}")
    if fault := fault or dims_fault(sparse.dims, name):
        return fault
    if not sparse.dims:
        return f"{name} has no axes, which its indices could speak of"
    size = prod(sparse.dims)
    if raw_bytes(values.data_type, size) > MOST_DENSE_BYTES:
        return f"{name} has {list(sparse.dims)} elements, too many to be written densely"
    count, rank = prod(values.dims), len(sparse.dims)
    if list(indices.dims) not in ([count], [count, rank]) or indices.data_type != TensorProto.INT64:
        return f"{name} has {count} values and {rank} axes, but indices of shape {list(indices.dims)}"
    bounds = np.asarray(sparse.dims if len(indices.dims) == 2 else size)
    places = numpy_helper.to_array(indices)
    if np.any((places < 0) | (places >= bounds)):
        return f"{name} has an index beyond its dims {list(sparse.dims)}"
    return None


def type_fault(found: Found) -> str | None:
    """An element type that ONNX does not have, or too many elements, of a value."""
    kind = found.message
    if kind.elem_type and kind.elem_type not in KNOWN:
        return f"{found.name} has element type {kind.elem_type}, which ONNX does not have"
    sizes = [dim.dim_value for dim in kind.shape.dim]
    return dims_fault([size for size in sizes if size > 0], found.name)  # others stand for any size, some writers say


def _entries(data_type: int, size: int) -> int:
    """How many numbers a typed field of a tensor holds: one with several elements in a byte has one for each byte."""
    if KNOWN[data_type] in BITS:
        return raw_bytes(data_type, size)
    return 2 * size if data_type in COMPLEX else size
