"""The model's own functions: none that calls itself, none that make more operators than anyone could run."""

from collections import Counter
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from onnx import FunctionProto, ModelProto, NodeProto
from onnx.defs import SchemaError

from passes import dialects
from passes.dialects.attributes import is_one_of
from passes.ir.declared import body_protos
from passes.ir.functions import Key, called_by, functions_of
from passes.ir.graph import is_standard

MOST_NODES = 1_000_000  # operators of a model whose functions are taken apart; onnx and onnxruntime do that
MOST_NESTED = 200  # functions in one another: each costs onnx some of its stack


def functions_fault(model: ModelProto) -> str | None:
    """A function without a name, that calls itself, or is not what its name says; or too many operators in all."""
    if not model.functions:
        return None
    if any(not function.name for function in model.functions):
        return "a function has no name"
    calls = dialects.calls_of(model)
    faults = (_meaning_fault(function, calls.get((function.domain, function.name), [])) for function in model.functions)
    if fault := next(filter(None, faults), None):
        return fault
    known = {key: _calls(function.node) for key, function in functions_of(model).items()}
    try:
        order = [
            *TopologicalSorter({name: calls.keys() & known.keys() for name, calls in known.items()}).static_order()
        ]
    except CycleError as error:
        return f"function {error.args[1][0][1]!r} calls itself"
    sizes: dict[Key, int] = {}
    depths: dict[Key, int] = {}
    for name in order:
        sizes[name] = _size(known[name], sizes)
        depths[name] = 1 + max((depths.get(called, 0) for called in known[name]), default=0)
    size, deepest = _size(_calls(model.graph.node), sizes), max(depths.values())
    if size > MOST_NODES:
        return f"its functions, one in another, stand for more than {MOST_NODES:,} operators"
    return (
        f"its functions are {deepest} deep in one another, more than {MOST_NESTED}" if deepest > MOST_NESTED else None
    )


def _meaning_fault(function: FunctionProto, calls: list[NodeProto]) -> str | None:
    """A function in one of our domains that means something else than what this tool writes for its calls."""
    if function.domain not in dialects.domains():
        return None
    opset = next((used.version for used in function.opset_import if is_standard(used)), 0)
    try:
        meant = dialects.meaning(function.domain, function.name, opset)
    except SchemaError:
        meant = None
    if meant is not None and is_one_of(function, meant, calls):
        return None
    return f"function {function.name!r} of the domain {function.domain} is not what is meant by that name there"


def _calls(nodes: Iterable[NodeProto]) -> Counter[Key]:
    """Which operators nodes and their bodies are, and how often."""
    found: Counter[Key] = Counter()
    for node in nodes:
        found[called_by(node)] += 1
        for body in body_protos(node):
            found += _calls(body.node)
    return found


def _size(calls: Counter[Key], sizes: dict[Key, int]) -> int:
    return sum(times * sizes.get(name, 1) for name, times in calls.items())
