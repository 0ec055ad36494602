"""Models that are broken: refused in one sentence that names the node or value, nothing written.

All begin as one Conv whose kernel is a weight, too large for shape inference to be shown.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
import pytest
from onnx import AttributeProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, helper, numpy_helper

from rewriter.interface import LAYOUTS_KEY
from tests.support.command import NOT_VALIDATED, USAGE, convert, error, folder
from tests.support.graphs import INT64, graph, ints, model, node, random, value

Spoil = Callable[[ModelProto], ModelProto | None]
MARK = "@@@@"


def net(**attrs: object) -> ModelProto:
    """One Conv and a Reshape by a constant."""
    conv = node("Conv", ["x", "w"], ["c"], "conv", **{"pads": [1, 1, 1, 1], **attrs})
    reshape = node("Reshape", ["c", "s"], ["y"], "reshape")
    constants = {"w": random(64, 16, 3, 3), "s": ints(1, 64, 8, 8)}
    return model([conv, reshape], {"x": [1, 16, 8, 8]}, {"y": [1, 64, 8, 8]}, constants)


def attr(m: ModelProto, name: str) -> AttributeProto:
    return next(a for a in m.graph.node[0].attribute if a.name == name)


# Text that is not UTF-8


def text(place: Callable[[ModelProto], object]) -> Callable[[ModelProto], bytes]:
    """The file of a model in which ``place`` has put MARK, which becomes what is no text."""

    def spoil(m: ModelProto) -> bytes:
        place(m)
        data = m.SerializeToString()
        assert MARK.encode() in data
        return data.replace(MARK.encode(), b"\xff\xfe\xc0\x80")

    return spoil


def set_text(path: str) -> Callable[[ModelProto], None]:
    """Set the field ``graph.node.0.name`` and the like."""

    def place(m: ModelProto) -> None:
        *steps, last = path.split(".")
        target: object = m
        for step in steps:
            target = target[int(step)] if step.isdigit() else getattr(target, step)  # type: ignore[index]
        if last.isdigit():
            target[int(last)] = MARK  # type: ignore[index]
        else:
            setattr(target, last, MARK)

    return place


def metadata(m: ModelProto) -> None:
    m.metadata_props.add(key="k", value=MARK)


def symbol(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.shape.dim[0].dim_param = MARK


def string_attribute(m: ModelProto) -> None:
    m.graph.node[0].attribute.append(helper.make_attribute("auto_pad", MARK))


def in_a_body(m: ModelProto) -> None:
    body = graph([node("Neg", ["c"], [MARK])], {}, {MARK: None})
    m.graph.node.append(node("If", ["flag"], ["o"], "if", then_branch=body, else_branch=body))
    m.graph.initializer.append(helper.make_tensor("flag", TensorProto.BOOL, [], [True]))


def in_a_function(m: ModelProto) -> None:
    m.functions.append(helper.make_function("d", "F", ["a"], [MARK], [node("Neg", ["a"], [MARK])], m.opset_import))


def string_data(m: ModelProto) -> None:
    m.graph.initializer.append(helper.make_tensor("words", TensorProto.STRING, [1], [MARK]))


TEXTS = [
    set_text("graph.node.0.name"), set_text("graph.node.0.op_type"), set_text("graph.node.0.domain"),
    set_text("graph.node.0.doc_string"), set_text("graph.node.0.input.0"), set_text("graph.node.0.output.0"),
    set_text("graph.node.0.attribute.0.name"), set_text("graph.input.0.name"), set_text("graph.output.0.name"),
    set_text("graph.initializer.0.name"), set_text("graph.initializer.0.doc_string"), set_text("graph.name"),
    set_text("producer_name"), set_text("domain"), set_text("opset_import.0.domain"), metadata, symbol, string_attribute,
    in_a_body, in_a_function, string_data,
]  # fmt: skip

# Wrong numbers of axes


def attribute(name: str, ints: Sequence[int]) -> Spoil:
    def spoil(m: ModelProto) -> None:
        kept = [a for a in m.graph.node[0].attribute if a.name != name]
        del m.graph.node[0].attribute[:]
        m.graph.node[0].attribute.extend([*kept, AttributeProto(name=name, type=AttributeProto.INTS, ints=ints)])

    return spoil


def kernel_of_rank(rank: int) -> Spoil:
    def spoil(m: ModelProto) -> None:
        m.graph.initializer[0].CopyFrom(numpy_helper.from_array(random(*[9216, 1, 1, 1, 1, 1][:rank]), "w"))

    return spoil


def input_of_rank(rank: int) -> Spoil:
    def spoil(m: ModelProto) -> None:
        m.graph.input[0].CopyFrom(value("x", [1, 16, 8, 8, 8, 8][:rank]))

    return spoil


def transposed(*perm: int) -> Spoil:
    def spoil(m: ModelProto) -> None:
        m.graph.node.append(node("Transpose", ["c"], ["t"], "transpose", perm=perm))
        m.graph.output.append(value("t", None))

    return spoil


def pooled(**attrs: object) -> Spoil:
    def spoil(m: ModelProto) -> None:
        m.graph.node.append(node("MaxPool", ["c"], ["p"], "pool", **attrs))
        m.graph.output.append(value("p", None))

    return spoil


RANKS = [
    attribute("pads", [1, 1, 1]), attribute("pads", [1, 1]), attribute("pads", [1] * 6), attribute("pads", []),
    attribute("strides", [1]), attribute("strides", [1, 1, 1]), attribute("dilations", [1]),
    attribute("dilations", [2] * 5), attribute("kernel_shape", [3]), attribute("kernel_shape", [3, 3, 3]),
    *(kernel_of_rank(rank) for rank in (1, 2, 3, 5)), *(input_of_rank(rank) for rank in (0, 1, 2, 3, 5)),
    transposed(0, 0, 1, 2), transposed(0, 1, 2), transposed(0, 1, 2, 9), transposed(0, 1, 2, -1),
    transposed(0, 1, 2, 3, 4), pooled(kernel_shape=[2]), pooled(kernel_shape=[2, 2], strides=[1]),
    pooled(kernel_shape=[2, 2], pads=[0, 0, 0]), pooled(kernel_shape=[2, 2, 2]), pooled(),
]  # fmt: skip

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


def constant_node(m: ModelProto) -> None:
    m.graph.node.append(node("Constant", [], ["k"], "const", value=TensorProto(dims=[5], data_type=1, raw_data=b"12")))


def constant_in_a_body(m: ModelProto) -> None:
    body = graph([node("Identity", ["k"], ["o"])], {}, {"o": None})
    body.initializer.append(TensorProto(name="k", dims=[5], data_type=1, raw_data=b"12"))
    m.graph.node.append(node("If", ["flag"], ["o"], "if", then_branch=body, else_branch=body))
    m.graph.initializer.append(helper.make_tensor("flag", TensorProto.BOOL, [], [True]))


DATA = [
    initializer(raw_data=b"\0" * (9216 * 4 - 3)), initializer(raw_data=b""), initializer(raw_data=b"\0" * 9216 * 8),
    initializer(dims=[64, 16, 3, 4]), initializer(dims=[64, 16, 3]), initializer(dims=[2**40, 2**40]),
    initializer(dims=[64, 16, -3, -3]), initializer(data_type=TensorProto.DOUBLE), initializer(data_type=99),
    initializer(data_type=0), initializer(data_type=TensorProto.STRING), initializer(data_type=TensorProto.INT4),
    initializer(dims=[2**62, 4, 3, 3]), without_data, another_field, constant_node, constant_in_a_body,
]  # fmt: skip

# Sparse weights


def sparse(indices: list[list[int]] | list[int], dims: list[int], nnz: int | None = None) -> Spoil:
    def spoil(m: ModelProto) -> None:
        values = numpy_helper.from_array(random(len(indices) if nnz is None else nnz), "sp")
        places = numpy_helper.from_array(ints(*indices) if not isinstance(indices[0], list) else
                                         __import__("numpy").asarray(indices, "int64"), "sp_indices")  # fmt: skip
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


def untyped(m: ModelProto) -> None:
    attr(m, "pads").type = AttributeProto.STRING


def functions(*calls: tuple[str, ...]) -> Spoil:
    """Functions F0, F1, ... of which each calls these."""

    def spoil(m: ModelProto) -> None:
        for i, names in enumerate(calls):
            ends = ["a", *(f"v{j}" for j in range(len(names) - 1)), "b"]
            nodes = [node(f, [ends[j]], [ends[j + 1]], domain="d") for j, f in enumerate(names)]
            nodes = nodes or [node("Neg", ["a"], ["b"])]
            imports = [*m.opset_import, helper.make_opsetid("d", 1)]
            m.functions.append(helper.make_function("d", f"F{i}", ["a"], ["b"], nodes, imports))
        m.opset_import.append(helper.make_opsetid("d", 1))
        m.graph.node.append(node("F0", ["c"], ["f"], "call", domain="d"))
        m.graph.output.append(value("f", None))

    return spoil


def bombs(n: int) -> Spoil:
    return functions(*((f"F{i + 1}", f"F{i + 1}") for i in range(n)), ())


NODES = [
    referring("pads", AttributeProto.INTS), referring("group", AttributeProto.INT), reference_of_perm, untyped,
    functions(("F0",)), functions(("F1",), ("F0",)), bombs(24), bombs(62), bombs(300),
]  # fmt: skip


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


OTHER = [
    deep_record, deep_object, unknown_function, element_type, least_shape, negative_index, dense_behind,
    declared_size(2**62), declared_size(-8), declared_size(2**40)
]  # fmt: skip
