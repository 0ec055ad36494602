"""Models broken at random in what they mean: weights, sizes, versions, functions."""

import json
from random import Random
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, SparseTensorProto, TensorProto, TypeProto, helper, numpy_helper

from rewriter.interface import LAYOUTS_KEY
from tests.support.spoiling import INTS, NAMES, Spoil, messages, one_of

# Weights and sizes


def small_integers(model: ModelProto, rng: Random) -> None:
    """A constant that is a shape, or an index."""
    found = [t for t in messages(model)[TensorProto] if t.data_type == TensorProto.INT64 and t.raw_data]
    tensor = rng.choice(found)
    numbers = numpy_helper.to_array(tensor).copy()
    numbers.reshape(-1)[rng.randrange(numbers.size)] = rng.choice(INTS)
    tensor.raw_data = numbers.tobytes()


def weight_dims(model: ModelProto, rng: Random) -> None:
    """Other dims, with or without data for them."""
    tensor = one_of(model, TensorProto, rng)
    new = [*tensor.dims] or [1]
    what = rng.randrange(4)
    if what == 0:
        rng.shuffle(new)
    elif what == 1:
        new = [int(np.prod(new)), *[1] * rng.randrange(4)]
    else:
        new[rng.randrange(len(new))] = rng.choice(INTS)
    del tensor.dims[:]
    tensor.dims.extend(new)
    size = int(np.prod(new)) * 4
    if 0 <= size < 2**20 and tensor.data_type == TensorProto.FLOAT and rng.random() < 0.7:
        tensor.raw_data = bytes(size)


def weight_type(model: ModelProto, rng: Random) -> None:
    """Another type, with data for it."""
    tensor = one_of(model, TensorProto, rng)
    kinds = (TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.BFLOAT16, TensorProto.BOOL,
             TensorProto.COMPLEX64, TensorProto.INT4, TensorProto.FLOAT8E4M3FN, TensorProto.STRING)  # fmt: skip
    kind = rng.choice(kinds)
    zeros = np.zeros([*tensor.dims], object if kind == TensorProto.STRING else helper.tensor_dtype_to_np_dtype(kind))
    if kind == TensorProto.STRING:
        zeros[...] = b"a"
    tensor.CopyFrom(numpy_helper.from_array(zeros, tensor.name))


def weight_values(model: ModelProto, rng: Random) -> None:
    """Zeros, NaN, infinities, denormals."""
    tensor = rng.choice([t for t in messages(model)[TensorProto] if t.data_type == TensorProto.FLOAT and t.raw_data])
    value = rng.choice([0, np.nan, np.inf, -np.inf, 1e-45, 3e38])
    tensor.raw_data = np.full(len(tensor.raw_data) // 4, value, np.float32).tobytes()


def declared_shape(model: ModelProto, rng: Random) -> None:
    """Of an input, an output or a value inside."""
    dims = one_of(model, TypeProto.Tensor, rng).shape.dim
    what = rng.randrange(5)
    if what == 0:
        dims.add().dim_value = rng.choice(INTS)
    elif what == 1:
        del dims[-1]
    elif what == 2:
        rng.choice(dims).dim_param = rng.choice([*NAMES, "N", "batch"])
    elif what == 3:
        rng.choice(dims).Clear()
    else:
        rng.choice(dims).dim_value = rng.choice(INTS)


def sparse_weight(model: ModelProto, rng: Random) -> None:
    """An initializer written as a sparse one, sound or not."""
    place = rng.randrange(len(model.graph.initializer))
    tensor = model.graph.initializer.pop(place)
    flat = numpy_helper.to_array(tensor).ravel()
    places = np.flatnonzero(flat)[: rng.choice([0, 1, 10_000])]
    values = numpy_helper.from_array(flat[places], tensor.name)
    indices = numpy_helper.from_array((places + rng.choice([0, 0, -1, 1, 2**40])).astype(np.int64), "indices")
    dims = [*tensor.dims] if rng.random() < 0.8 else [rng.choice(INTS)]
    model.graph.sparse_initializer.append(SparseTensorProto(values=values, indices=indices, dims=dims))


def quantized(model: ModelProto, rng: Random) -> None:
    """Annotations of values that there are, or not, by values that there are, or not."""
    names = [tensor.name for tensor in model.graph.initializer] + ["nowhere", rng.choice(NAMES)]
    note = model.graph.quantization_annotation.add(tensor_name=rng.choice(names))
    for key in rng.choices(["SCALE_TENSOR", "ZERO_POINT_TENSOR", "AXIS", ""], k=2):
        note.quant_parameter_tensor_names.add(key=key, value=rng.choice(names))


# The whole


def opsets(model: ModelProto, rng: Random) -> None:
    """Dropped, doubled, too old, too new, or another of those that there are."""
    what = rng.randrange(4)
    if what == 0:
        del model.opset_import[:]
    elif what == 1:
        model.opset_import.add(domain=rng.choice(["", "ai.onnx", "d", "rewriter.nhwc"]), version=rng.choice([1, 99]))
    else:
        rng.choice(model.opset_import).version = rng.choice([0, -1, 99, 2**40, *range(1, 27)])


def interface(model: ModelProto, rng: Random) -> None:
    """Inputs and outputs: doubled, crossed, unknown, weights."""
    graph = model.graph
    ends = [*graph.input, *graph.output]
    side, name = rng.choice([graph.input, graph.output]), rng.choice([*graph.input, *graph.output]).name
    names = [name, "nowhere", *[t.name for t in graph.initializer], *[n.output[0] for n in graph.node if n.output]]
    kind = rng.choice(ends)
    new = side.add()
    new.CopyFrom(kind)
    new.name = rng.choice(names)
    if rng.random() < 0.3:
        del side[0]


def value_type(model: ModelProto, rng: Random) -> None:
    """A sequence, an optional, a map, nothing."""
    value = rng.choice([*model.graph.input, *model.graph.output])
    inner = TypeProto.FromString(value.type.SerializeToString())
    kinds = [
        helper.make_sequence_type_proto(inner),
        helper.make_optional_type_proto(inner),
        helper.make_map_type_proto(7, inner),
        helper.make_sparse_tensor_type_proto(1, [1, 3]),
        TypeProto(),
    ]
    value.type.CopyFrom(rng.choice(kinds))


def record(model: ModelProto, rng: Random) -> None:
    """The metadata of layouts."""
    name = rng.choice([*model.graph.input, *model.graph.output]).name
    entries: list[Any] = [
        {}, [], 1, None, "x", {"perm": [0, 2, 3, 1]}, {"from": "NCHW", "to": "NHWC", "perm": [0, 2, 3, 1]},
        {"from": "NCHW", "to": "NHWC", "perm": [0, 3, 1, 2]}, {"from": 1, "to": [], "perm": [0, 1]},
        {"from": "NCHW", "to": "NHWC", "perm": [0, 0, 0, 0]}, {"from": "X" * 9, "perm": [0, 1.5, 2, 3]},
        {"from": None, "to": None, "perm": []}, {"from": "[red]", "to": "NCHW", "perm": [1, 0]},
        {"from": "N", "perm": [True, False]}, {"from": "N" * 4, "perm": [float("nan")] * 4},
    ]  # fmt: skip
    text = json.dumps({rng.choice([name, name, "nowhere"]): rng.choice(entries)})
    model.metadata_props.add(key=LAYOUTS_KEY, value=rng.choice([text, text, text, text[:-2], "", "null", "[]"]))


def function(model: ModelProto, rng: Random) -> None:
    """A node becomes a call of a function, which is it, calls itself, or lacks something."""
    node = rng.choice(model.graph.node)
    inner = NodeProto.FromString(node.SerializeToString())
    domain, name = rng.choice([("d", "F"), ("", node.op_type), ("rewriter.nhwc", "Conv"), ("com.microsoft", "Gelu")])
    inputs, outputs = [[*dict.fromkeys(filter(None, names))] for names in (node.input, node.output)]
    nodes = [inner] if rng.random() < 0.8 else [helper.make_node(name, inputs, outputs, domain=domain)]
    imports = [*model.opset_import, helper.make_opsetid(domain, 1)][: rng.choice([0, 1, 9, 9, 9])]
    model.functions.append(helper.make_function(domain, name, inputs, outputs, nodes, imports))
    node.CopyFrom(helper.make_node(name, inputs[: rng.choice([0, 9, 9, 9])], outputs, "call", domain=domain))
    model.opset_import.append(helper.make_opsetid(domain, 1))


def ir_version(model: ModelProto, rng: Random) -> None:
    model.ir_version = rng.choice([0, -1, 1, 2, 3, 4, 7, 8, 99, 2**40])


VALUES: tuple[Spoil, ...] = (
    small_integers, small_integers, weight_dims, weight_type, weight_values, declared_shape, declared_shape,
    sparse_weight, quantized, opsets, interface, value_type, record, function, ir_version,
)  # fmt: skip
