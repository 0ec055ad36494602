"""The dialects by name: how channels-last operators are written in a file. A new one is a file, and a row here."""

from onnx import FunctionProto, ModelProto, helper

from passes.dialects.base import Dialect, Spelling
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


def meaning(domain: str, op: str, opset: int) -> FunctionProto | None:
    """A channels-last operator of some dialect in standard operators of an opset, if it is a function."""
    made = (dialect.function(domain, op, opset) for dialect in DIALECTS.values())
    return next((function for function in made if function is not None), None)


def bring_functions(model: ModelProto) -> None:
    """Give a model the functions and domains of dialects that its nodes call, and no others of these."""
    ours = domains()
    functions = [function for function in model.functions if function.domain not in ours]
    nodes = (node for part in (model.graph, *functions) for node in every_node_proto(part))
    called = sorted({(n.domain, n.op_type) for n in nodes if n.domain in ours})
    made = (meaning(domain, op, opset_of(model)) for domain, op in called)
    functions += [function for function in made if function is not None]
    needed = {domain for domain, _ in called}
    opsets = [other for other in model.opset_import if other.domain not in ours - needed]
    new = needed - {other.domain for other in opsets}
    del model.functions[:], model.opset_import[:]
    model.functions.extend(functions)
    model.opset_import.extend([*opsets, *(helper.make_opsetid(domain, 1) for domain in sorted(new))])
    if functions:
        model.ir_version = max(model.ir_version, FUNCTION_IR_VERSION)
