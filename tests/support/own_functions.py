"""Small models that call functions of their own, and what becomes of them."""

from collections.abc import Callable, Sequence
from typing import Any

from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, helper, numpy_helper

from passes.dialects.functions import FunctionDialect
from tests.support.graphs import BOOL, INT64, conv, graph, ints, model, node, random, value
from tests.support.small import IMAGE

OWN, LAST, FIRST = "own", [0, 2, 3, 1], [0, 3, 1, 2]
W, ROWS = random(3, 3, 3, 3), [11, 13]
X, Y = {"x": IMAGE}, {"y": IMAGE}


def own(
    name: str,
    inputs: str,
    outputs: str,
    nodes: Sequence[NodeProto],
    opset: int = 17,
    overload: str = "",
    domains: Sequence[str] = (),
    **defaults: Any,
) -> FunctionProto:
    """A function; inputs and outputs are names of one letter. Of ``defaults`` those without a value are ``None``."""
    made = helper.make_function(
        OWN, name, [*inputs], [*outputs], list(nodes),
        [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in (OWN, *domains))],
        [key for key, default in defaults.items() if default is None],
        [helper.make_attribute(key, default) for key, default in defaults.items() if default is not None],
    )  # fmt: skip
    made.overload = overload
    return made


def call(name: str, inputs: Sequence[str], outputs: Sequence[str], overload: str = "", **attrs: Any) -> NodeProto:
    made = node(name, inputs, outputs, f"{name.lower()}_{outputs[0]}", domain=OWN, **attrs)
    made.overload = overload
    return made


def referring(made: NodeProto, **kinds: AttributeProto.AttributeType) -> NodeProto:
    """The node with attributes that refer to the function's of the same names."""
    for name, kind in kinds.items():
        made.attribute.add().MergeFrom(AttributeProto(name=name, ref_attr_name=name, type=kind))
    return made


def net(
    nodes: Sequence[NodeProto], functions: Sequence[FunctionProto], inputs: Any = X, outputs: Any = Y, **more: Any
) -> ModelProto:
    constants = {"w": W, **more.pop("constants", {})}
    domains = [OWN, *more.pop("domains", ())]
    return model(nodes, inputs, outputs, constants, functions=functions, domains=domains, **more)


CONV_RELU = own("ConvRelu", "xw", "y", [conv("x", "t"), node("Relu", ["t"], ["y"])])
RELU = own("Act", "x", "y", [node("Relu", ["x"], ["y"])])


def conv_inside() -> ModelProto:
    return net([call("ConvRelu", ["x", "w"], ["y"])], [CONV_RELU])


def transposes_inside() -> ModelProto:
    """One function to channels last and one back; both vanish."""
    to_last = own("ToLast", "x", "y", [node("Transpose", ["x"], ["y"], perm=LAST)])
    to_first = own("ToFirst", "x", "y", [node("Transpose", ["x"], ["y"], perm=FIRST)])
    nodes = [conv(), call("ToLast", ["c"], ["t"]), node("Relu", ["t"], ["r"]), call("ToFirst", ["r"], ["y"])]
    return net(nodes, [to_last, to_first])


def needed_transpose() -> ModelProto:
    """A Transpose that stays where it is, and so does the call."""
    nodes = [node("Relu", ["x"], ["r"]), node("Transpose", ["r"], ["t"], perm=[1, 0]), node("Neg", ["t"], ["y"])]
    function = own("Turned", "x", "y", nodes)
    return net([call("Turned", ["x"], ["y"])], [function], {"x": ROWS}, {"y": ROWS[::-1]})


def nested() -> ModelProto:
    """The function inside is called for its own as well, where nothing moves."""
    twice = own("Twice", "xw", "y", [call("ConvRelu", ["x", "w"], ["t"]), call("ConvRelu", ["t", "w"], ["y"])])
    return net([call("Twice", ["x", "w"], ["y"])], [CONV_RELU, twice])


def half_nested() -> ModelProto:
    """Of two functions inside one only the one for images moves."""
    inner = own("Rows", "x", "y", [node("Softmax", ["x"], ["y"], axis=-1)])
    both = own("Both", "xwv", "yz", [call("ConvRelu", ["x", "w"], ["y"]), call("Rows", ["v"], ["z"])])
    nodes = [call("Both", ["x", "w", "v"], ["y", "z"])]
    return net(nodes, [CONV_RELU, inner, both], {**X, "v": ROWS}, {**Y, "z": ROWS})


def attributes() -> ModelProto:
    """One given, one by default, one that neither is."""
    nodes = [
        referring(node("Concat", ["x", "w"], ["c"]), axis=AttributeProto.INT),
        referring(node("LeakyRelu", ["c"], ["l"]), alpha=AttributeProto.FLOAT),
        referring(node("Elu", ["l"], ["y"]), beta=AttributeProto.FLOAT),
    ]
    nodes[2].attribute[0].name = "alpha"
    function = own("Joined", "xw", "y", nodes, axis=1, alpha=0.3, beta=None)
    calls = [conv(), call("Joined", ["c", "x"], ["j"]), call("Joined", ["j", "j"], ["y"], axis=2, alpha=0.7)]
    return net(calls, [function], X, {"y": [1, 6, 10, 7]})


def constants_from_attributes() -> ModelProto:
    """A Constant in a function that holds what the call gives."""
    held = node("Constant", [], ["k"])
    held.attribute.append(AttributeProto(name="value_ints", ref_attr_name="pads", type=AttributeProto.INTS))
    function = own("Padded", "x", "y", [held, node("Pad", ["x", "k"], ["y"])], pads=None)
    nodes = [conv(), call("Padded", ["c"], ["y"], pads=[0, 0, 1, 0, 0, 0, 0, 2])]
    return net(nodes, [function], X, {"y": [1, 3, 6, 9]})


def in_branches() -> ModelProto:
    """Called in the branches of an If; both read what is outside."""
    bodies = [graph([call("ConvRelu", ["c", "w"], ["b"])], {}, {"b": IMAGE}) for _ in range(2)]
    choice = node("If", ["f"], ["y"], "choice", then_branch=bodies[0], else_branch=bodies[1])
    return net([conv(), choice], [CONV_RELU], [value("x", IMAGE), value("f", [], BOOL)], Y)


def branches_inside() -> ModelProto:
    """An If inside a function, whose branches read values of it; called twice."""
    bodies = [
        graph([node("Relu", ["t"], ["b"]), conv("b", "o")], {}, {"o": IMAGE}),
        graph([node("Neg", ["t"], ["b"]), call("Act", ["b"], ["o"])], {}, {"o": IMAGE}),
    ]
    choice = node("If", ["f"], ["y"], "choice", then_branch=bodies[0], else_branch=bodies[1])
    function = own("Chosen", "xwf", "y", [conv("x", "t"), choice])
    calls = [call("Chosen", ["x", "w", "f"], ["t"]), call("Chosen", ["t", "w", "f"], ["y"])]
    return net(calls, [RELU, function], [value("x", IMAGE), value("f", [], BOOL)], Y)


def in_a_loop() -> ModelProto:
    inputs = [value("i", [], INT64), value("go", [], BOOL), value("s", IMAGE)]
    nodes = [node("Identity", ["go"], ["on"]), call("ConvRelu", ["s", "w"], ["t"])]
    body = graph(nodes, inputs, [value("on", [], BOOL), value("t", IMAGE)])
    loop = node("Loop", ["n", "", "x"], ["y"], "loop", body=body)
    return net([loop], [CONV_RELU], X, Y, constants={"n": ints(3).reshape(())})


def overloads() -> ModelProto:
    """Two functions of one name."""
    neg = own("Act", "x", "y", [node("Neg", ["x"], ["y"])], overload="neg")
    abs_ = own("Act", "x", "y", [node("Abs", ["x"], ["y"])], overload="abs")
    calls = [
        conv(),
        call("Act", ["c"], ["a"], "neg"),
        call("Act", ["a"], ["y"], "abs"),
        call("Act", ["v"], ["z"], "neg"),
    ]
    return net(calls, [neg, abs_], {**X, "v": ROWS}, {**Y, "z": ROWS}, ir=10)


def optional_inputs() -> ModelProto:
    """A Conv with and without bias; one result that nobody asks for."""
    nodes = [node("Conv", ["x", "w", "b"], ["y"], pads=[1] * 4), node("Neg", ["y"], ["z"])]
    function = own("Biased", "xwb", "yz", nodes)
    calls = [
        call("Biased", ["x", "w"], ["s", ""]),
        call("Biased", ["s", "w", ""], ["t", ""]),
        call("Biased", ["t", "w", "k"], ["", "y"]),
    ]
    calls[2].name = "last"
    return net(calls, [function], constants={"k": random(3)})


def called_twice() -> ModelProto:
    """Once for an image, once for rows: the one moves, the other does not."""
    nodes = [call("ConvRelu", ["x", "w"], ["c"]), call("Act", ["c"], ["y"]), call("Act", ["v"], ["z"])]
    return net(nodes, [CONV_RELU, RELU], {**X, "v": ROWS}, {**Y, "z": ROWS})


def other_version() -> ModelProto:
    """Its operators are the same in the model's version."""
    function = own("Old", "xw", "y", [conv("x", "t"), node("Relu", ["t"], ["y"])], opset=15)
    return net([call("Old", ["x", "w"], ["y"])], [function])


def only_functions() -> ModelProto:
    """The model itself imports no operators at all."""
    made = conv_inside()
    del made.opset_import[0]
    return made


def dialect_inside() -> ModelProto:
    """A function that calls one of this tool's."""
    nodes = [
        node("Transpose", ["x"], ["l"], perm=LAST),
        node("ConvNoBias", ["l", "w"], ["c"], domain="rewriter.nhwc", pads=[1] * 4),
        node("Transpose", ["c"], ["f"], perm=FIRST),
        node("Relu", ["f"], ["y"]),
    ]
    function = own("Image", "xw", "y", nodes, domains=["rewriter.nhwc"])
    theirs = FunctionDialect.function("rewriter.nhwc", "ConvNoBias", 17)
    assert theirs is not None
    calls = [call("Image", ["x", "k"], ["y"])]
    return net(calls, [function, theirs], domains=["rewriter.nhwc"], constants={"k": W.transpose(0, 2, 3, 1)})


def names_taken() -> ModelProto:
    """The names that values inside would be given."""
    nodes = [conv("x", "one/t"), call("ConvRelu", ["one/t", "w"], ["t"]), node("Add", ["t", "one/t"], ["y"])]
    nodes[1].name = "one"
    return net(nodes, [CONV_RELU])


def group_norm_inside() -> ModelProto:
    """As exporters write it; channels first it stays."""
    nodes = [
        node("Constant", [], ["k"], value_ints=[0, 3, -1]),
        node("Reshape", ["x", "k"], ["r"]),
        node("InstanceNormalization", ["r", "s", "b"], ["i"]),
        node("Shape", ["x"], ["z"]),
        node("Reshape", ["i", "z"], ["y"]),
    ]
    function = own("Groups", "xsb", "y", nodes)
    constants = {"s": random(3), "b": random(3) + 1, "v": random(6, 3, 3, 3)}
    calls = [conv("x", "c", "v"), call("Groups", ["c", "s", "b"], ["g"]), node("Relu", ["g"], ["y"])]
    return net(calls, [function], X, {"y": [1, 6, 5, 7]}, constants=constants)


def exact_pool_inside() -> ModelProto:
    """A pool of which onnx infers a window too many: it is written in another form."""
    pool = node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, pads=[1] * 4)
    function = own("Pooled", "x", "y", [pool, node("Relu", ["p"], ["y"])])
    return net([conv(), call("Pooled", ["c"], ["y"])], [function], X, {"y": None})


def constants_inside() -> ModelProto:
    """A function that holds a kernel, called twice; one more of its constants is its result."""
    nodes = [
        node("Constant", [], ["k"], value=numpy_helper.from_array(W)),
        node("Constant", [], ["z"], value=numpy_helper.from_array(random(3))),
        conv("x", "y", "k"),
    ]
    function = own("Held", "x", "yz", nodes)
    calls = [call("Held", ["x"], ["t", ""]), call("Held", ["t"], ["y", "z"])]
    return net(calls, [function], X, {**Y, "z": [3]})


def sizes_inside() -> ModelProto:
    """What it computes of shapes is computed when the model is read; the call stays where nothing moves."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "i"], ["h"], axis=0),
        node("Mul", ["h", "h"], ["m"]),
        node("Reshape", ["x", "m"], ["y"]),
    ]
    function = own("Squared", "xi", "ym", nodes)
    calls = [node("Relu", ["x"], ["r"]), call("Squared", ["r", "i"], ["y", "m"])]
    return net(calls, [function], {"x": [6, 6]}, [value("y", [36])], constants={"i": ints(0, 1)[:1]})


# Transposes (in bodies and in the functions that are left too) and calls that are left: to nhwc with functions, to nhwc
# and to nchw in standard operators
Left = tuple[int, str]
MODELS: Sequence[tuple[Callable[[], ModelProto], tuple[Left, Left, Left]]] = (
    (conv_inside, ((0, ""), (2, "ConvRelu"), (0, "ConvRelu"))),
    (transposes_inside, ((0, ""), (2, "ToLast"), (0, ""))),
    (needed_transpose, ((1, "Turned"), (1, "Turned"), (1, "Turned"))),
    (nested, ((0, ""), (2, "Twice"), (0, "Twice"))),
    (half_nested, ((0, "Rows"), (2, "Both"), (0, "Both"))),
    (attributes, ((0, ""), (2, ""), (0, "Joined Joined"))),
    (constants_from_attributes, ((0, ""), (2, ""), (0, "Padded"))),
    (in_branches, ((0, ""), (2, "ConvRelu ConvRelu"), (0, "ConvRelu ConvRelu"))),
    (branches_inside, ((0, ""), (2, "Chosen Chosen"), (0, "Chosen Chosen"))),
    (in_a_loop, ((0, ""), (2, "ConvRelu"), (0, "ConvRelu"))),
    (overloads, ((0, "Act"), (2, "Act Act Act"), (0, "Act Act Act"))),
    (optional_inputs, ((0, ""), (2, "Biased Biased Biased"), (0, "Biased Biased Biased"))),
    (called_twice, ((0, "Act"), (2, "ConvRelu Act Act"), (0, "ConvRelu Act Act"))),
    (other_version, ((0, ""), (2, "Old"), (0, "Old"))),
    (only_functions, ((0, ""), (2, "ConvRelu"), (0, "ConvRelu"))),
    (dialect_inside, ((0, ""), (2, ""), (0, ""))),
    (names_taken, ((0, ""), (2, "ConvRelu"), (0, "ConvRelu"))),
    (group_norm_inside, ((0, ""), (2, "Groups"), (0, "Groups"))),
    (constants_inside, ((0, ""), (2, "Held Held"), (0, "Held Held"))),
    (sizes_inside, ((0, "Squared"), (0, "Squared"), (0, "Squared"))),
    (exact_pool_inside, ((0, ""), (2, ""), (0, ""))),
)
