"""Models broken at random in what they mean: names, nodes, attributes."""

from collections.abc import Iterator
from random import Random
from typing import Any

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

from tests.support.spoiling import INTS, NAMES, Spoil, messages, one_of

# Names


def every_name(model: ModelProto) -> Iterator[tuple[Any, int]]:
    """Where names of values stand: a list of inputs or outputs of a node, and the place in it."""
    for node in messages(model)[NodeProto]:
        yield from ((names, i) for names in (node.input, node.output) for i in range(len(names)))


def rename_one(model: ModelProto, rng: Random) -> None:
    """One end of a node: another's name, or an absurd one."""
    ends = [*every_name(model)]
    names, place = rng.choice(ends)
    others, other = rng.choice(ends)
    names[place] = rng.choice([*NAMES, *[others[other]] * len(NAMES)])


def rename_all(model: ModelProto, rng: Random) -> None:
    """A value, wherever it is named: which changes nothing but the name."""
    names, place = rng.choice([*every_name(model)])
    old, new = names[place], rng.choice(NAMES)
    for many, i in every_name(model):
        many[i] = new if many[i] == old else many[i]
    for graph in messages(model)[GraphProto]:
        for named in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
            named.name = new if named.name == old else named.name


def rename_nodes(model: ModelProto, rng: Random) -> None:
    """All nodes, alike."""
    name = rng.choice(NAMES)
    for node in messages(model)[NodeProto]:
        node.name = name


# Nodes


def cycle(model: ModelProto, rng: Random) -> None:
    """A node reads what a later one makes."""
    graph = one_of(model, GraphProto, rng)
    first, last = sorted(rng.sample(range(len(graph.node)), 2))
    node = graph.node[first]
    node.input[rng.randrange(len(node.input))] = graph.node[last].output[0]


def another_operator(model: ModelProto, rng: Random) -> None:
    """With the same inputs and attributes."""
    one, other = one_of(model, NodeProto, rng), one_of(model, NodeProto, rng)
    common = ["Conv", "Transpose", "Reshape", "If", "Loop", "Scan", "Constant", "Concat", "Split", "Einsum", "Resize"]
    one.op_type = rng.choice([other.op_type, *common])


def another_domain(model: ModelProto, rng: Random) -> None:
    domains = ["", "ai.onnx", "com.microsoft", "rewriter.nhwc", "rewriter.nwc", "ai.onnx.ml", "ai.onnx.training", "d"]
    one = one_of(model, NodeProto, rng)
    one.domain = rng.choice(domains)
    if rng.random() < 0.5:
        model.opset_import.append(helper.make_opsetid(one.domain, rng.choice([1, 2, 22])))


def move_node(model: ModelProto, rng: Random) -> None:
    """Into another graph, as a body, or a function."""
    places = [*messages(model)[GraphProto], *messages(model)[FunctionProto]]
    source, target = rng.choice(places), rng.choice(places)
    node = source.node.pop(rng.randrange(len(source.node)))
    target.node.insert(rng.randrange(len(target.node) + 1), node)


def into_branches(model: ModelProto, rng: Random) -> None:
    """The node is an If's branches from now on."""
    node = rng.choice(model.graph.node)
    inner = NodeProto.FromString(node.SerializeToString())
    outputs = [helper.make_empty_tensor_value_info(name) for name in inner.output]
    inner.output[:] = [f"{name}_inner" if rng.random() < 0.8 else name for name in inner.output]
    for output, name in zip(outputs, inner.output, strict=True):
        output.name = name
    body = helper.make_graph([inner], "body", [], outputs)
    kept = [*node.output]
    node.CopyFrom(helper.make_node("If", ["yes_or_no"], kept, then_branch=body, else_branch=body))
    model.graph.initializer.append(helper.make_tensor("yes_or_no", TensorProto.BOOL, [], [rng.random() < 0.5]))


def nest(model: ModelProto, rng: Random) -> None:
    """Bodies in bodies."""
    inner = helper.make_node("Identity", [rng.choice(model.graph.node).output[0]], ["deep"])
    body = helper.make_graph([inner], "b", [], [helper.make_empty_tensor_value_info("deep")])
    for _ in range(rng.choice([2, 10, 30, 45, 60])):
        node = helper.make_node("If", ["yes_or_no"], ["deep"], then_branch=body, else_branch=body.__class__())
        body = helper.make_graph([node], "b", [], [helper.make_empty_tensor_value_info("deep")])
    model.graph.node.extend(body.node)
    model.graph.initializer.append(helper.make_tensor("yes_or_no", TensorProto.BOOL, [], [True]))


# Attributes


def ints_attribute(model: ModelProto, rng: Random) -> None:
    """Longer, shorter, or with other numbers."""
    found = [attr for attr in messages(model)[AttributeProto] if attr.ints]
    numbers = rng.choice(found).ints
    what = rng.randrange(4)
    if what == 0:
        numbers.append(rng.choice(INTS))
    elif what == 1:
        numbers.pop()
    else:
        numbers[rng.randrange(len(numbers))] = rng.choice(INTS)


def attribute_type(model: ModelProto, rng: Random) -> None:
    """Of another type, with or without a value of it."""
    attr = one_of(model, AttributeProto, rng)
    values: list[Any] = [1, 1.5, "text", [1, 2], [1.5], ["a"], helper.make_tensor("t", 1, [2], [1.0, 2.0])]
    new = helper.make_attribute(attr.name, rng.choice(values))
    if rng.random() < 0.3:
        attr.type = new.type
    else:
        attr.CopyFrom(new)


def attribute_value(model: ModelProto, rng: Random) -> None:
    """A number, or a word of another attribute."""
    attr = one_of(model, AttributeProto, rng)
    if attr.type == AttributeProto.INT:
        attr.i = rng.choice(INTS)
    elif attr.type == AttributeProto.STRING:
        words = [other.s for other in messages(model)[AttributeProto] if other.s]
        attr.s = rng.choice([*words, b"", b"SAME_UPPER", b"VALID", b"cubic", b"wrap", b"nchw", b"\xff", b"...->..."])
    else:
        raise LookupError


def new_attribute(model: ModelProto, rng: Random) -> None:
    names = ["axis", "axes", "perm", "pads", "auto_pad", "group", "keepdims", "kernel_shape", "allowzero", "mode", "to"]
    values: list[Any] = [rng.choice(INTS), [rng.choice(INTS) for _ in range(rng.randrange(1, 6))], 0.5, "SAME_UPPER"]
    one_of(model, NodeProto, rng).attribute.append(helper.make_attribute(rng.choice(names), rng.choice(values)))


NODES: tuple[Spoil, ...] = (
    rename_one, rename_one, rename_all, rename_nodes, cycle, another_operator, another_domain, move_node,
    into_branches, nest, ints_attribute, ints_attribute, attribute_type, attribute_value, new_attribute,
)  # fmt: skip
