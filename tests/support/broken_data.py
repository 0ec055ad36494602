"""Models broken in their data, functions, record or sizes; all begin as ``net`` of ``broken_nodes``."""

from collections.abc import Sequence

import numpy as np
from onnx import AttributeProto, ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper

from rewriter.interface import LAYOUTS_KEY
from tests.support.broken_nodes import Spoil, transposed
from tests.support.graphs import INT64, graph, ints, node, random, value

# Data that does not fit


def initializer(**fields: object) -> Spoil:
    """Fields of the kernel's protobuf."""

    def spoil(m: ModelProto) -> None:
        tensor = m.graph.initializer[0]
        for name, given in fields.items():
            if isinstance(given, list):
                del getattr(tensor, name)[:]
                getattr(tensor, name).extend(given)
            else:
                setattr(tensor, name, given)

    return spoil


def without_data(m: ModelProto) -> None:
    m.graph.initializer[0].ClearField("raw_data")


def another_field(m: ModelProto) -> None:
    tensor = m.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.int64_data.extend(range(9216))


strings = initializer(data_type=TensorProto.STRING)


def constant_node(m: ModelProto, name: str = "const_value") -> None:
    tensor = TensorProto(name=name, dims=[5], data_type=TensorProto.FLOAT, raw_data=b"12")
    m.graph.node.append(node("Constant", [], ["k"], "const", value=tensor))


def nameless_constant(m: ModelProto) -> None:
    constant_node(m, "")


def constant_in_a_body(m: ModelProto) -> None:
    body = graph([node("Identity", ["k"], ["o"])], {}, {"o": None})
    body.initializer.append(TensorProto(name="k", dims=[5], data_type=1, raw_data=b"12"))
    m.graph.node.append(node("If", ["flag"], ["o"], "if", then_branch=body, else_branch=body))
    m.graph.initializer.append(helper.make_tensor("flag", TensorProto.BOOL, [], [True]))


DATA = [
    initializer(raw_data=b"\0" * (9216 * 4 - 3)), initializer(raw_data=b""), initializer(raw_data=b"\0" * 9216 * 8),
    initializer(dims=[64, 16, 3, 4]), initializer(dims=[64, 16, 3]), initializer(dims=[2**40, 2**40]),
    initializer(dims=[64, 16, -3, -3]), initializer(data_type=TensorProto.DOUBLE), initializer(data_type=99),
    initializer(data_type=0), initializer(data_type=TensorProto.INT4),
    initializer(dims=[2**62, 4, 3, 3]), without_data, another_field,
]  # fmt: skip

# Sparse weights


def sparse(indices: list[list[int]] | list[int], dims: list[int], nnz: int | None = None) -> Spoil:
    def spoil(m: ModelProto) -> None:
        values = numpy_helper.from_array(random(len(indices) if nnz is None else nnz), "sp")
        places = numpy_helper.from_array(np.asarray(indices, dtype=np.int64), "sp_indices")
        m.graph.sparse_initializer.append(SparseTensorProto(values=values, indices=places, dims=dims))
        m.graph.node.append(node("Neg", ["sp"], ["n"], "neg"))
        m.graph.output.append(value("n", None))

    return spoil


SPARSE = [
    sparse([0, 99], [5, 7]), sparse([0, -1], [5, 7]), sparse([[0, 0], [5, 0]], [5, 7]), sparse([[0, 0, 0]], [5, 7]),
    sparse([[0, 0], [0, 7]], [5, 7]), sparse([0], [2**40]), sparse([0], [2**40, 2**40]), sparse([0], [5, -7]),
    sparse([0, 1], [5, 7], nnz=3), sparse([[0, -1]], [5, 7]),
]  # fmt: skip

# Attributes, functions


def referring(name: str, kind: int) -> Spoil:
    def spoil(m: ModelProto) -> None:
        one = m.graph.node[0]
        kept = [a for a in one.attribute if a.name != name]
        del one.attribute[:]
        one.attribute.extend([*kept, AttributeProto(name=name, type=kind, ref_attr_name="outside")])  # type: ignore[arg-type]

    return spoil


def reference_of_perm(m: ModelProto) -> None:
    transposed(0, 1, 2, 3)(m)
    del m.graph.node[2].attribute[:]
    m.graph.node[2].attribute.append(AttributeProto(name="perm", type=AttributeProto.INTS, ref_attr_name="outside"))


def of_another_type(m: ModelProto) -> None:
    m.graph.node[0].attribute[0].type = AttributeProto.STRING


def of_no_type(m: ModelProto) -> None:
    m.graph.node[0].attribute[0].ClearField("type")


def functions(*calls: Sequence[int | str]) -> Spoil:
    """Functions F0, F1, ... of which each calls those of these numbers."""

    def spoil(m: ModelProto) -> None:
        for i, numbers in enumerate(calls):
            ends = ["a", *(f"v{j}" for j in range(len(numbers) - 1)), "b"]
            nodes = [node(f"F{f}", [ends[j]], [ends[j + 1]], domain="d") for j, f in enumerate(numbers)]
            nodes = nodes or [node("Neg", ["a"], ["b"])]
            imports = [*m.opset_import, helper.make_opsetid("d", 1)]
            m.functions.append(helper.make_function("d", f"F{i}", ["a"], ["b"], nodes, imports))
        m.opset_import.append(helper.make_opsetid("d", 1))
        m.graph.node.append(node("F0", ["c"], ["f"], "call", domain="d"))
        m.graph.output.append(value("f", None))

    return spoil


def bombs(n: int) -> Spoil:
    """Each function calls the next one twice."""
    return functions(*([i + 1, i + 1] for i in range(n)), [])


def bomb_in_bodies(m: ModelProto) -> None:
    """The same, each call in the branch of an If."""
    bombs(24)(m)
    for function in m.functions[:-1]:
        calls = [graph([node(call.op_type, ["a"], ["o"], domain="d")], {}, {"o": None}) for call in function.node]
        del function.node[:]
        flag = helper.make_tensor("flag", TensorProto.BOOL, [], [True])
        function.node.append(node("Constant", [], ["flag"], value=flag))
        function.node.append(node("If", ["flag"], ["b"], then_branch=calls[0], else_branch=calls[1]))


def chain(n: int) -> Spoil:
    return functions(*([i + 1] for i in range(n)), [])


REFERENCES = [referring("pads", AttributeProto.INTS), referring("group", AttributeProto.INT), reference_of_perm]


# Other


def deep_record(m: ModelProto) -> None:
    m.metadata_props.add(key=LAYOUTS_KEY, value="[" * 100_000)


def deep_object(m: ModelProto) -> None:
    m.metadata_props.add(key=LAYOUTS_KEY, value='{"x":' * 100_000)


def unknown_function(m: ModelProto) -> None:
    m.opset_import.append(helper.make_opsetid("rewriter.nhwc", 1))
    m.graph.node.append(node("Nonsense", ["c"], ["f"], "call", domain="rewriter.nhwc"))
    m.graph.output.append(value("f", None))


def element_type(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.elem_type = 99


def least_shape(m: ModelProto) -> None:
    m.graph.initializer[1].CopyFrom(numpy_helper.from_array(ints(-(2**63), 64, 8, 8), "s"))


def negative_index(m: ModelProto) -> None:
    m.graph.initializer.append(TensorProto(name="i", dims=[-1], data_type=INT64, raw_data=b"\0" * 8))
    m.graph.node.append(node("Gather", ["c", "i"], ["g"], "gather"))
    m.graph.output.append(value("g", None))


def dense_behind(m: ModelProto) -> None:
    """The Conv's pads cleared: the Dense behind its Flatten no longer fits."""
    nodes = [node("Flatten", ["c"], ["f"], "flatten"), node("Gemm", ["f", "d"], ["o"], "dense")]
    m.graph.node.extend(nodes)
    m.graph.initializer.append(numpy_helper.from_array(random(64 * 64, 5), "d"))
    m.graph.output.append(value("o", None))
    del m.graph.node[0].attribute[:]
    m.graph.initializer[1].CopyFrom(numpy_helper.from_array(ints(1, 64, 6, 6), "s"))
    m.graph.output[0].CopyFrom(value("y", [1, 64, 6, 6]))


def declared_size(size: int) -> Spoil:
    def spoil(m: ModelProto) -> None:
        m.graph.input[0].CopyFrom(value("x", [1, 16, size, 8]))
        del m.graph.node[1:], m.graph.output[:]
        m.graph.output.append(value("c", None))

    return spoil
