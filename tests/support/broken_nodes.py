"""Models broken in their names and nodes; all begin as ``net``."""

from collections.abc import Callable, Sequence

import numpy as np
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from tests.support.graphs import graph, ints, model, node, random, value

Spoil = Callable[[ModelProto], None]
MARK = "@@@@"  # stands for what is no text


def net() -> ModelProto:
    """One Conv and a Reshape by a constant."""
    conv = node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1])
    reshape = node("Reshape", ["c", "s"], ["y"], "reshape")
    constants = {"w": random(64, 16, 3, 3), "s": ints(1, 64, 8, 8)}
    return model([conv, reshape], {"x": [1, 16, 8, 8]}, {"y": [1, 64, 8, 8]}, constants)


# Text that is not UTF-8


def set_text(path: str) -> Spoil:
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
    m.graph.initializer.append(numpy_helper.from_array(np.asarray([MARK], object), "words"))


TEXTS = [
    set_text("graph.node.0.name"), set_text("graph.node.0.op_type"), set_text("graph.node.0.domain"),
    set_text("graph.node.0.doc_string"), set_text("graph.node.0.input.0"), set_text("graph.node.0.output.0"),
    set_text("graph.node.0.attribute.0.name"), set_text("graph.input.0.name"), set_text("graph.output.0.name"),
    set_text("graph.initializer.0.name"), set_text("graph.initializer.0.doc_string"), set_text("graph.name"),
    set_text("producer_name"), set_text("domain"), set_text("opset_import.0.domain"), metadata, symbol,
    string_attribute, in_a_body, in_a_function, string_data,
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
        m.graph.node.append(node("Transpose", ["x"], ["t"], "transpose", perm=perm))
        m.graph.output.append(value("t", None))

    return spoil


def pooled(**attrs: object) -> Spoil:
    def spoil(m: ModelProto) -> None:
        m.graph.node.append(node("MaxPool", ["x"], ["p"], "pool", **attrs))
        m.graph.output.append(value("p", None))

    return spoil


def deformed(m: ModelProto) -> None:
    """A DeformConv whose kernel has an axis too few, its offsets as many as they should."""
    m.opset_import[0].version = 19
    m.graph.initializer[0].CopyFrom(numpy_helper.from_array(random(64, 16, 9), "w"))
    m.graph.input.append(value("offsets", [1, 18, 8, 8]))
    m.graph.node[0].CopyFrom(node("DeformConv", ["x", "w", "offsets"], ["c"], "deform", pads=[1, 1, 1, 1]))


def inner_perm(m: ModelProto) -> None:
    """A Transpose of a value whose rank only inference tells; onnx does not mind."""
    m.graph.node.append(node("Transpose", ["c"], ["t"], "transpose", perm=[0, 1, 2]))
    m.graph.output.append(value("t", None))


def inner_rank(m: ModelProto) -> None:
    """A Conv on what a Reshape has made of rank 3."""
    m.graph.initializer[1].CopyFrom(numpy_helper.from_array(ints(1, 16, 256), "s"))
    m.graph.node.append(node("Conv", ["y", "w"], ["z"], "second"))
    del m.graph.output[:]
    m.graph.output.append(value("z", None))


RANKS = [
    *(attribute("pads", [1] * size) for size in (0, 2, 3, 6)), *(attribute("strides", [1] * size) for size in (1, 3)),
    *(attribute("dilations", [1] * size) for size in (1, 5)), *(attribute("kernel_shape", [3] * n) for n in (1, 3)),
    *(kernel_of_rank(rank) for rank in (1, 2, 3, 5)), *(input_of_rank(rank) for rank in (0, 1, 2, 3, 5)),
]  # fmt: skip
PERMS = [transposed(*perm) for perm in ([0, 0, 1, 2], [0, 1, 2], [0, 1, 2, 9], [0, 1, 2, -1], [0, 1, 2, 3, 4])]
POOLS = [
    pooled(kernel_shape=[2]), pooled(kernel_shape=[2, 2, 2]), pooled(kernel_shape=[2, 2], strides=[1]),
    pooled(kernel_shape=[2, 2], pads=[0, 0, 0]), pooled(),
]  # fmt: skip
