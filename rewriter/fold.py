"""Small constants that a file computes: exporters write static sizes as ``Shape -> Gather -> Mul -> Concat``.

Computed once here they are constants for shape inference and for all rules. onnxruntime computes them, so that no
second opinion on what the operators mean is needed.
"""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from passes.ir.graph import is_standard
from rewriter.errors import RunFailed
from rewriter.skeleton import SMALL, is_static, shape_of, values_of
from rewriter.validation.session import Session

# operators that give the same results on any machine
EXACT = """Abs Add And Cast Ceil Concat ConstantOfShape Div Equal Expand Flatten Floor Gather GatherElements GatherND
Greater GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg Not Or Range ReduceMax ReduceMin ReduceProd
Reshape ScatterElements ScatterND Shape Sign Size Slice Squeeze Sub Tile Transpose Unsqueeze Where Xor"""
FOLDED = set(EXACT.split())
GROWING = {"ConstantOfShape", "Expand", "Range", "Tile"}  # their results may be large, whatever they read
OF_SHAPE = {"Shape", "Size"}
ELEMENT_TYPES = {TensorProto.BOOL, TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT}
NUMBERS = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}

Values = Mapping[str, ValueInfoProto]


def fold(model: ModelProto) -> bool:
    """Put a Constant in the place of each node that computes a small constant; whether there were any.

    The model has the shapes of its values. Graph outputs, and the bodies of If, Loop and Scan, stay as they are; so
    does a vector that a Range reads: computed it may have one element, constant it must be a scalar for onnxruntime.
    """
    graph = model.graph
    values = values_of(graph)
    known = {tensor.name: tensor for tensor in graph.initializer}
    known |= {node.output[0]: held for node in graph.node if (held := held_by(node)) is not None}
    outputs, found = {value.name for value in graph.output}, dict[int, NodeProto]()
    computed: set[str] = set()
    for i, node in enumerate(graph.node):
        if not is_small(node, values) or node.output[0] in outputs:
            continue
        sizes = sizes_of(node, values)
        if sizes is not None or all(name in known or name in computed for name in node.input if name):
            found[i] = node if sizes is None else sizes
            computed.add(node.output[0])
    ranges = {name for node in graph.node if node.op_type == "Range" for name in node.input}
    kept = {name for name in ranges if shape_of(values.get(name)) != []}
    constants = run(list(found.values()), known, model) if found else []
    folded = [
        (i, constant)
        for i, constant in zip(found, constants, strict=bool(constants))
        if graph.node[i].output[0] not in kept
    ]
    for i, constant in folded:
        graph.node[i].CopyFrom(helper.make_node("Constant", [], list(graph.node[i].output), value=constant))
    return bool(folded)


def held_by(node: NodeProto) -> TensorProto | None:
    """The small tensor that a Constant holds."""
    if node.op_type != "Constant":
        return None
    (attr,) = node.attribute
    if attr.type == AttributeProto.TENSOR:
        return attr.t if prod(attr.t.dims) <= SMALL else None
    dtype = NUMBERS.get(attr.name)
    return None if dtype is None else numpy_helper.from_array(np.asarray(helper.get_attribute_value(attr), dtype))


def is_small(node: NodeProto, values: Values) -> bool:
    """Whether the node may be folded, were its inputs known."""
    if node.op_type not in FOLDED or not is_standard(node) or len(node.output) != 1:
        return False
    value = values.get(node.output[0])
    if value is None or value.type.tensor_type.elem_type not in ELEMENT_TYPES:
        return False
    shape = shape_of(value)
    if shape is None or not is_static(shape):
        return node.op_type not in GROWING
    return prod(shape) <= SMALL


def sizes_of(node: NodeProto, values: Values) -> NodeProto | None:
    """A Shape or Size of a value whose shape is static, as a Constant."""
    shape = shape_of(values.get(node.input[0])) if node.op_type in OF_SHAPE else None
    if shape is None or not is_static(shape):
        return None
    attrs = {attr.name: attr.i for attr in node.attribute}
    sizes = prod(shape) if node.op_type == "Size" else shape[attrs.get("start") : attrs.get("end")]
    tensor = numpy_helper.from_array(np.asarray(sizes, dtype=np.int64))
    return helper.make_node("Constant", [], list(node.output), value=tensor)


def run(nodes: Sequence[NodeProto], known: Mapping[str, TensorProto], model: ModelProto) -> list[TensorProto]:
    """The results of nodes that read nothing but each other and what is known; none if onnxruntime cannot run them."""
    read = {name for node in nodes for name in node.input}
    outputs = [ValueInfoProto(name=node.output[0]) for node in nodes]
    graph = helper.make_graph(nodes, "constants", [], outputs)
    for name in read & known.keys():
        graph.initializer.add().CopyFrom(known[name])
        graph.initializer[-1].name = name
    standard = [opset for opset in model.opset_import if is_standard(opset)]
    alone = helper.make_model(graph, opset_imports=standard, ir_version=model.ir_version)
    try:
        results = Session(alone.SerializeToString(), "cpu", "disabled").run({})
    except RunFailed:  # as for an opset that onnxruntime does not know: then these nodes are no constants here
        return []
    return [numpy_helper.from_array(np.asarray(result)) for result in results]
