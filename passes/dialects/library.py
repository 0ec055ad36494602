"""The functions that a written model brings, and the domains of dialects that it calls."""

from onnx import ModelProto, helper

from passes import dialects
from passes.ir.declared import every_node_proto, opset_of

FUNCTION_IR_VERSION = 8


def bring_functions(model: ModelProto) -> None:
    """Give a model the functions and domains of dialects that it calls, and no other functions of these."""
    opset = opset_of(model)
    nodes = {(node.domain, node.op_type) for node in every_node_proto(model.graph)}
    called = sorted((domain, op) for domain, op in nodes if dialects.read(domain, op, opset))
    functions = [function for function in model.functions if not dialects.owns(function.domain)]
    functions += [dialects.function(domain, op, opset) for domain, op in called if dialects.owns(domain)]
    opsets = [other for other in model.opset_import if not dialects.owns(other.domain)]
    domains = {domain for domain, _ in called} - {other.domain for other in opsets}
    del model.functions[:], model.opset_import[:]
    model.functions.extend(functions)
    model.opset_import.extend([*opsets, *(helper.make_opsetid(domain, 1) for domain in sorted(domains))])
    model.ir_version = max(model.ir_version, FUNCTION_IR_VERSION if model.functions else 0)
