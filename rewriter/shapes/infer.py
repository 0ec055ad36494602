"""Types and shapes of all values of a skeleton: onnx's inference, and what is known where that gives up."""

from copy import deepcopy

import onnx
from onnx import GraphProto, ModelProto, ValueInfoProto, helper

from passes.ir.declared import body_protos, is_static, shape_of, standard_opset, values_of
from passes.ir.graph import unused
from passes.ir.importer import UNKNOWN
from rewriter.errors import UsageError
from rewriter.shapes.branches import of_several_ranks
from rewriter.shapes.computed_sizes import INVENTED, resolve
from rewriter.shapes.ranks import tell_ranks
from rewriter.shapes.stand_ins import with_stand_ins

MOST_ROUNDS = 32  # of inference; each resolves the Reshapes whose inputs the one before it found


def infer(bare: ModelProto) -> dict[str, ValueInfoProto]:
    """The types and shapes of all values, in bodies too, by name; symbols that stand for nothing begin with "?".

    Where declared shapes contradict the operators', those are left out. Raises UsageError if an output's rank does.
    """
    declared = {dim.dim_param for value in every_value(bare.graph) for dim in value.type.tensor_type.shape.dim}
    bare = with_stand_ins(bare)
    model = infer_once(bare)
    if _declare_slices(bare, model) | _undeclare(bare, of_several_ranks(model.graph)):
        model = infer_once(bare)
    for _ in range(MOST_ROUNDS):
        if not (resolve(model) | tell_ranks(model.graph)):
            break
        model = onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=True)
    values = every_value(model.graph)
    symbols = {symbol: symbol for symbol in declared}
    for dim in (dim for value in values for dim in value.type.tensor_type.shape.dim):
        if dim.dim_param.startswith(INVENTED):
            if dim.dim_param not in symbols:
                symbols[dim.dim_param] = unused(UNKNOWN + dim.dim_param, declared)
            dim.dim_param = symbols[dim.dim_param]
    return {value.name: value for value in values}


def infer_once(bare: ModelProto) -> ModelProto:
    """A skeleton with shapes by onnx's inference; where declared shapes contradict the operators', without those."""
    try:
        return onnx.shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True)
    except Exception:  # onnx raises several types, among them RuntimeError; the second try raises nothing
        free = deepcopy(bare)
        del free.graph.value_info[:]
        _check_ranks(free)
        return onnx.shape_inference.infer_shapes(free, strict_mode=False, data_prop=True)


def _check_ranks(bare: ModelProto) -> None:
    free = deepcopy(bare)
    for value in (value for value in free.graph.output if value.type.HasField("tensor_type")):
        value.type.tensor_type.ClearField("shape")
    found = onnx.shape_inference.infer_shapes(free, strict_mode=False, data_prop=True)
    for value, told in zip(bare.graph.output, found.graph.output, strict=True):
        declared, shape = shape_of(value), shape_of(told)
        if declared is not None and shape is not None and len(declared) != len(shape):
            raise UsageError(
                f"the model is not valid ONNX: output {value.name!r} is declared with {len(declared)} axes, its"
                f" operators give {len(shape)}; declare its true shape"
            )


def _undeclare(bare: ModelProto, names: set[str]) -> bool:
    """Leave out the declared shapes of these values; whether there were any."""
    declared = [value for value in every_value(bare.graph) if value.name in names and shape_of(value) is not None]
    for value in declared:
        value.type.tensor_type.ClearField("shape")
    return bool(declared)


def every_value(graph: GraphProto) -> list[ValueInfoProto]:
    """All that is declared of the values of a graph and of all bodies in it."""
    inner = (value for node in graph.node for body in body_protos(node) for value in every_value(body))
    return [*graph.input, *graph.output, *graph.value_info, *inner]


def _declare_slices(bare: ModelProto, model: ModelProto) -> bool:
    """Declare that a dynamic axis has another size when it is sliced: for opset 10 onnx infers the same one."""
    if standard_opset(bare) != 10:
        return False
    values, before = values_of(model.graph), {value.name for value in bare.graph.value_info}
    for i, node in enumerate(node for node in model.graph.node if node.op_type == "Slice"):
        shape, result = shape_of(values.get(node.input[0])), values.get(node.output[0])
        if shape is not None and result is not None and not is_static(shape) and result.name not in before:
            sliced = [size if isinstance(size, int) else f"{INVENTED}{i}_{axis}" for axis, size in enumerate(shape)]
            both = zip(shape_of(result) or [], sliced, strict=True)
            dims = [new if isinstance(new, int) else other for new, other in both]
            elem_type = result.type.tensor_type.elem_type
            bare.graph.value_info.append(helper.make_tensor_value_info(node.output[0], elem_type, dims))
    return len(bare.graph.value_info) > len(before)
