"""Whether a model is valid ONNX, and the result what its interface says."""

import re
from collections.abc import Mapping
from copy import deepcopy
from math import prod

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

from passes.ir.constants import dense
from passes.ir.declared import SMALL, Shape, shape_of, values_of
from passes.ir.exporter import FREE_INITIALIZERS_IR_VERSION
from passes.normalize.frames import Frames
from rewriter.errors import refused
from rewriter.shapes.stand_ins import with_stand_ins

# onnx has no inference for some operators (GroupNormalization): it says so of their readers, which are not at fault
UNTYPED = "expected to have type but instead is null"
LIST = "Inference error(s):"  # what nodes in a body say is told behind this


def verify_model(
    model: ModelProto,
    inputs: Mapping[str, Shape | None],
    outputs: Mapping[str, Shape | None],
    original: ModelProto | None = None,
    frames: Mapping[str, Frames] | None = None,
) -> None:
    """The model is valid ONNX, its operators' shapes agree with the declared ones, its interface is as contracted.

    ``inputs`` and ``outputs`` give the contracted shapes by name, in order; where they give none, that of the
    ``original`` stays. What onnx already finds wrong with it is not held against the result. Types are the original's,
    but of inputs that take ``frames``.
    Raises VerificationError.
    """
    fault = onnx_fault(model)
    if fault is not None and (original is None or onnx_fault(original) is None):
        raise refused(f"the rewritten model is not valid: {fault}")
    held = {tensor.name for tensor in model.graph.initializer}
    free = [value for value in model.graph.input if value.name not in held]
    declared = values_of(original.graph) if original is not None else {}
    for values, contract, kind in ((free, inputs, "input"), (model.graph.output, outputs, "output")):
        found = {value.name: shape_of(value) for value in values}
        if list(found) != list(contract):
            raise refused(f"the rewritten model's {kind}s are {list(found)}, not {list(contract)}")
        for name, contracted in contract.items():
            shape = shape_of(declared.get(name)) if contracted is None else contracted
            if found[name] != shape:
                raise refused(f"{kind} {name!r} has shape {found[name]}, the contract says {shape}")
    if original is not None:
        _verify_types(model, original, frames or {})


def _verify_types(model: ModelProto, original: ModelProto, frames: Mapping[str, Frames]) -> None:
    found, types = (
        {value.name: value.type.tensor_type.elem_type for value in (*one.graph.input, *one.graph.output)}
        for one in (model, original)
    )
    types |= {name: helper.np_dtype_to_tensor_dtype(np.dtype(one.dtype)) for name, one in frames.items()}
    for name, elem_type in found.items():
        if types.get(name, elem_type) not in (elem_type, TensorProto.UNDEFINED):
            said = TensorProto.DataType.Name
            raise refused(f"{name!r} is of type {said(elem_type)}, the contract says {said(types[name])}")


def onnx_fault(model: ModelProto) -> str | None:
    """What onnx's checker or its strict shape inference says first against the model, in one line.

    ``None`` where values have no types, too: see ``masked_fault``.
    """
    said = _said(model)
    return None if UNTYPED in said else _first_fault(said)


def masked_fault(model: ModelProto) -> str | None:
    """What they say first beside that values have no types, if they say so; inference has gaps, but none there."""
    return _first_fault(_said(model))


def _said(model: ModelProto) -> str:
    """All that onnx says against a model."""
    bare = skeleton(model)
    try:
        onnx.checker.check_model(_with_shapes(bare))
        onnx.shape_inference.infer_shapes(with_stand_ins(bare), strict_mode=True, data_prop=True)
    except Exception as error:  # the checker raises ValidationError, inference InferenceError or RuntimeError
        return str(error).partition("==>")[0]
    return ""


def _first_fault(said: str) -> str | None:
    """The first fault of several, a node (or a node around others) in each entry."""
    head, *entries = re.split(r"(?=\(op_type:)", said)
    faults = (entry for entry in entries or [head] if UNTYPED not in entry and not entry.rstrip().endswith(LIST))
    return next((" ".join(fault.split()) for fault in faults), None) or None


def _with_shapes(bare: ModelProto) -> ModelProto:
    """The skeleton with some shape for every output, which the checker insists on before it looks at anything else."""
    if all(shape_of(value) is not None for value in bare.graph.output):
        return bare
    shaped = deepcopy(bare)
    for value in (value for value in shaped.graph.output if value.type.HasField("tensor_type")):
        value.type.tensor_type.shape.SetInParent()
    return shaped


def skeleton(model: ModelProto) -> ModelProto:
    """The model without the data of its weights, which become inputs: all that checks need, however large it is."""
    bare = ModelProto(ir_version=max(model.ir_version, FREE_INITIALIZERS_IR_VERSION))
    bare.opset_import.extend(model.opset_import)
    bare.functions.extend(model.functions)
    graph = bare.graph
    graph.name = model.graph.name or "graph"
    graph.node.extend(model.graph.node)
    graph.output.extend(model.graph.output)
    held = {tensor.name for tensor in model.graph.initializer}
    ends = {
        value.name for value in (*model.graph.input, *model.graph.output)
    } | held  # which say their shapes themselves
    graph.value_info.extend(value for value in model.graph.value_info if value.name not in ends)
    graph.input.extend(value for value in model.graph.input if value.name not in held)
    for tensor in (*model.graph.initializer, *map(dense, model.graph.sparse_initializer)):
        if prod(tensor.dims) <= SMALL:
            graph.initializer.append(tensor)
        else:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    return bare
