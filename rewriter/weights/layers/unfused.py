"""onnxruntime's FusedConv as the operators that it stands for, so that a plan may store its image either way.

Source: com.microsoft::FusedConv in ContribOperators.md of onnxruntime, and its ``GetFusedActivationAttr``.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from onnx import AttributeProto, ModelProto, NodeProto, helper

from rewriter.weights.windows import Settings

OP, DOMAIN, SUM = "FusedConv", "com.microsoft", 3  # SUM: the input that is added
ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "Relu": (),
    "Tanh": (),
    "Sigmoid": (),
    "HardSwish": (),
    "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "Clip": ("min", "max"),  # inputs
}


def unfused(model: ModelProto) -> tuple[ModelProto, dict[str, Settings]]:
    """The model with a Conv, an Add and an activation for each FusedConv, and what to tell of these, by layer.

    A model without one is given back itself. An activation that is not known stays fused.
    """
    if not any(is_fused(node) for node in model.graph.node):
        return model, {}
    changed, told = deepcopy(model), dict[str, Settings]()
    nodes = [*changed.graph.node]
    del changed.graph.node[:]
    for node in nodes:
        if is_fused(node):
            name, activation, parameters = layer_of(node), activation_of(node), parameters_of(node)
            told[name] = {"activation": activation, **({"activation_parameters": parameters} if parameters else {})}
            changed.graph.node.extend(parts(node, name))
        else:
            changed.graph.node.append(node)
    return changed, told


def is_fused(node: NodeProto) -> bool:
    """Whether it is one with a known activation."""
    return (node.op_type, node.domain) == (OP, DOMAIN) and activation_of(node) in ACTIVATIONS


def layer_of(node: NodeProto) -> str:
    """The name of the convolution, as a manifest has it."""
    return str(node.name or node.output[0])


def parts(node: NodeProto, name: str) -> Iterator[NodeProto]:
    """Conv, Add and activation, on values with names of their own."""
    result = f"{node.output[0]}__conv"
    conv = helper.make_node("Conv", node.input[:SUM], [result], name)
    conv.attribute.extend(a for a in node.attribute if not a.name.startswith("activation"))
    yield conv
    if len(node.input) > SUM and node.input[SUM]:
        yield helper.make_node("Add", [result, node.input[SUM]], [f"{result}__sum"])
        result = f"{result}__sum"
    op, values = activation_of(node), parameters_of(node)
    if op != "Clip":
        attrs: dict[str, Any] = dict(zip(ACTIVATIONS[op], values, strict=False))
        yield helper.make_node(op, [result], node.output, **attrs)
        return
    limits = [f"{result}__{key}" for key in ACTIVATIONS[op]]
    for limit, value in zip(limits, values, strict=True):
        yield helper.make_node("Constant", [], [limit], value_float=value)
    yield helper.make_node(op, [result, *limits], node.output)


def activation_of(node: NodeProto) -> str:
    """Its operator."""
    return next((a.s.decode() for a in node.attribute if a.name == "activation"), "")


def parameters_of(node: NodeProto) -> list[float]:
    """Of the activation, in the order of ``ACTIVATIONS``."""
    known: Iterator[AttributeProto] = (a for a in node.attribute if a.name == "activation_params")
    return [float(value) for a in known for value in a.floats]
