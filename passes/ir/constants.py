"""Constants: read lazily, stored another way lazily, never edited in place (they may be shared)."""

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from onnx import SparseTensorProto, TensorProto, helper, numpy_helper
from onnx_graphsurgeon.ir.tensor import LazyValues

from passes.ir.declared import SMALL
from passes.layout.edit import Array, ArrayEdit
from passes.layout.layout import Dim, Layout

BITS = {"INT2": 2, "UINT2": 2, "INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4}  # of elements that share bytes
PACKED = ("STRING", *BITS)  # not stored as the bytes of a numpy array

Read = Callable[[TensorProto], Array]  # the values of an initializer, wherever they are


class Stored(LazyValues):  # type: ignore[misc]
    """An initializer of the model, brought into ``layouts``, one after the other, when it is read."""

    def __init__(self, proto: TensorProto, layouts: Sequence[Layout] = (), read: Read = numpy_helper.to_array) -> None:
        self.tensor, self.read = proto, read
        self.layouts = tuple(layouts)
        self.shape = reduce(_shape, layouts, list(proto.dims))
        self.dtype = numpy_type(proto.data_type)

    def load(self) -> Array:
        """The values as they are stored now; shares memory where it can."""
        return self.stored(self.read(self.tensor))

    def stored(self, array: Array) -> Array:
        """The values, as the model has them, in the layouts."""
        return reduce(lambda array, layout: layout.apply(array), self.layouts, array)

    @property
    def nbytes(self) -> int:
        """Its size as raw data."""
        return raw_bytes(self.tensor.data_type, prod(self.tensor.dims))


def _shape(shape: Sequence[Dim], layout: Layout) -> list[Dim]:
    """The shape as stored. Raises ValueError where the values, which are not looked at yet, cannot be stored so."""
    if not layout.fits(shape):
        raise ValueError(f"a constant of shape {list(shape)} cannot be stored as {layout}")
    return layout.shape(shape)


def numpy_type(onnx_type: int) -> "np.dtype[Any] | None":
    """The numpy (or ml_dtypes) type of an ONNX element type, ``None`` if it is not known."""
    if onnx_type == TensorProto.UNDEFINED:
        return None
    return np.dtype(helper.tensor_dtype_to_np_dtype(onnx_type))


def raw_bytes(data_type: int, size: int) -> int:
    """How long the raw data is of so many elements of an ONNX element type that is known."""
    bits = BITS.get(TensorProto.DataType.Name(data_type)) or 8 * helper.tensor_dtype_to_np_dtype(data_type).itemsize
    return (size * int(bits) + 7) // 8


def dense(sparse: SparseTensorProto) -> TensorProto:
    """What a sparse initializer holds, zeros and all."""
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    array = np.zeros(sparse.dims, values.dtype)
    array[tuple(indices.T) if indices.ndim == 2 else np.unravel_index(indices, array.shape)] = values
    return numpy_helper.from_array(array, sparse.values.name)


def of_array(name: str, array: Array) -> gs.Constant:
    return gs.Constant(name, np.asarray(array, order="C"))  # ascontiguousarray would give a scalar an axis


def changed(constant: gs.Constant, name: str, *steps: Layout | ArrayEdit) -> gs.Constant:
    """A new constant: ``constant`` changed by ``steps``, computed when it is read."""
    values = constant._values
    wanted = [step for step in steps if not isinstance(step, Layout) or not step.is_natural]
    layouts = [step for step in wanted if isinstance(step, Layout)]
    if isinstance(values, Stored) and layouts == wanted:
        return gs.Constant(name, Stored(values.tensor, (*values.layouts, *layouts), values.read))
    return gs.Constant(name, reduce(lambda array, step: step.apply(array), wanted, array_of(constant)))


def array_of(constant: gs.Constant) -> Array:
    """The values; those of the model's initializers are read now, and not kept."""
    values = constant._values
    array: Array = values.load() if isinstance(values, LazyValues) else values
    return array


def is_as_read(constant: gs.Constant) -> bool:
    """Whether the constant is an initializer of the model that nothing changed."""
    return isinstance(constant._values, Stored) and not constant._values.layouts


def is_weight(constant: gs.Constant) -> bool:
    """Whether it is a large initializer of the model, whose data may stay where it is until it is written."""
    values = constant._values
    if not isinstance(values, Stored) or prod(values.tensor.dims) <= SMALL or values.dtype == object:
        return False
    is_raw = values.tensor.HasField("raw_data") or values.tensor.data_location == TensorProto.EXTERNAL
    return is_raw or bool(values.layouts)


def declare(constant: gs.Constant, proto: TensorProto) -> None:
    """Fill an empty initializer with all but the data of a weight, which is said to be elsewhere."""
    values: Stored = constant._values
    proto.name, proto.data_location = constant.name, TensorProto.EXTERNAL
    proto.dims.extend(values.shape)
    _describe(proto, values.tensor)


def write(constant: gs.Constant, proto: TensorProto) -> None:
    """Fill an empty initializer: from the model's own where nothing changed, else of the same element type."""
    values = constant._values
    if isinstance(values, Stored) and not values.layouts and values.tensor.data_location != TensorProto.EXTERNAL:
        proto.CopyFrom(values.tensor)
    elif isinstance(values, Stored):
        array = values.load()
        if TensorProto.DataType.Name(values.tensor.data_type) in PACKED:
            proto.CopyFrom(numpy_helper.from_array(np.asarray(array, order="C")))
        else:  # spares a copy
            proto.dims.extend(array.shape)
            proto.raw_data = array.tobytes()
        _describe(proto, values.tensor)
    else:
        proto.CopyFrom(numpy_helper.from_array(np.asarray(constant.values)))
    proto.name = constant.name


def _describe(proto: TensorProto, tensor: TensorProto) -> None:
    """Element type, doc string and metadata of a tensor."""
    proto.data_type = tensor.data_type
    proto.metadata_props.extend(tensor.metadata_props)
    if tensor.HasField("doc_string"):
        proto.doc_string = tensor.doc_string
