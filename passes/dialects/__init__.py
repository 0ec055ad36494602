"""The dialects by name: how channels-last operators are written in a file. A new one is a file, and a row here."""

from collections import defaultdict

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, helper

from passes.dialects.attributes import add, implied, names_of, trim
from passes.dialects.base import Dialect, Spelling
from passes.dialects.facts import facts_of
from passes.dialects.functions import FunctionDialect
from passes.dialects.onnxruntime import OnnxRuntimeDialect
from passes.dialects.onnxruntime_cuda import OnnxRuntimeCudaDialect
from passes.dialects.qonnx import QonnxDialect
from passes.dialects.standard import StandardDialect
from passes.ir.declared import every_node_proto, opset_of

DIALECTS: dict[str, type[Dialect]] = {
    dialect.name: dialect
    for dialect in (FunctionDialect, StandardDialect, OnnxRuntimeDialect, OnnxRuntimeCudaDialect, QonnxDialect)
}
DEFAULTS = {"nhwc": FunctionDialect.name, "nchw": StandardDialect.name}  # by target
FUNCTION_IR_VERSION = 8

Key = tuple[str, str]  # domain, name


def domains() -> set[str]:
    """The domains of the operators of all dialects."""
    return {domain for dialect in DIALECTS.values() for domain in dialect.domains}


def make(name: str, weight_layout: str = "ohwi") -> Dialect:
    """The dialect with this name, a key of ``DIALECTS``."""
    return DIALECTS[name](weight_layout)


def read(domain: str, op: str, opset: int) -> Spelling | None:
    """What a node of a file stands for, if it is a channels-last one of some dialect."""
    readings = (dialect.read(domain, op, opset) for dialect in DIALECTS.values())
    return next((reading for reading in readings if reading is not None), None)


def operator_of(node: NodeProto, opset: int) -> str:
    """The name of the operator that a node of a file is, in whatever words."""
    spelling = read(node.domain, node.op_type, opset)
    return str(node.op_type if spelling is None else spelling.form.op)


def meaning(domain: str, op: str, opset: int) -> FunctionProto | None:
    """A channels-last operator of some dialect in standard operators of an opset, if it is a function."""
    made = (dialect.function(domain, op, opset) for dialect in DIALECTS.values())
    return next((function for function in made if function is not None), None)


def calls_of(model: ModelProto) -> dict[Key, list[NodeProto]]:
    """The nodes in domains of dialects, by domain and name, in bodies and in the model's own functions, too."""
    ours, found = domains(), defaultdict[Key, list[NodeProto]](list)
    for node in (node for part in _parts(model) for node in every_node_proto(part) if node.domain in ours):
        found[node.domain, node.op_type].append(node)
    return found


def align_calls(model: ModelProto) -> None:
    """Give each call of a dialect's function the attributes that others have, as what it means without them."""
    opset, attributes = opset_of(model), {key: names_of(calls) for key, calls in calls_of(model).items()}
    functions = {key for key in attributes if meaning(*key, opset)}
    for part in _parts(model):
        facts = facts_of(part) if isinstance(part, GraphProto) else {}
        for node in (node for node in every_node_proto(part) if (node.domain, node.op_type) in functions):
            spelling = read(node.domain, node.op_type, opset)
            assert spelling is not None
            given = implied(node, spelling.form, spelling.kernel, facts, opset)
            add(node, given, attributes[node.domain, node.op_type])


def _parts(model: ModelProto) -> list[GraphProto | FunctionProto]:
    """The model's graph, and its own functions."""
    ours = domains()
    return [model.graph, *(function for function in model.functions if function.domain not in ours)]


def bring_functions(model: ModelProto) -> None:
    """Give a model the functions and domains of dialects that its nodes call, and no others of these.

    They come first, since onnx's evaluator wants functions before those that call them, with the attributes of calls.
    """
    ours, calls = domains(), calls_of(model)
    made = {key: meaning(*key, opset_of(model)) for key in sorted(calls)}
    functions = [function for function in made.values() if function is not None]
    for function in functions:
        trim(function, names_of(calls[function.domain, function.name]))
    functions += [function for function in model.functions if function.domain not in ours]
    needed = {domain for domain, _ in calls}
    opsets = [other for other in model.opset_import if other.domain not in ours - needed]
    new = needed - {other.domain for other in opsets}
    del model.functions[:], model.opset_import[:]
    model.functions.extend(functions)
    model.opset_import.extend([*opsets, *(helper.make_opsetid(domain, 1) for domain in sorted(new))])
    if functions:
        model.ir_version = max(model.ir_version, FUNCTION_IR_VERSION)
