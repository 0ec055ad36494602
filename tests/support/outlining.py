"""Models with some of their nodes in functions: what inlining must undo."""

from random import Random

from onnx import ModelProto, helper

from tests.support.growing import reads

DOMAIN, FUNCTION_IR_VERSION = "own.parts", 8
MOST = 6  # nodes in a function


def outlined(model: ModelProto, seed: int, functions: int = 3) -> ModelProto:
    """The same model with calls of functions in the place of some of its nodes, one perhaps in another."""
    made, rng = ModelProto(), Random(seed)
    made.CopyFrom(model)
    made.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    made.ir_version = max(made.ir_version, FUNCTION_IR_VERSION)
    for i in range(functions):
        _outline(made, rng, f"Part{i}")
    return made


def _outline(model: ModelProto, rng: Random, name: str) -> None:
    nodes = list(model.graph.node)
    begin = rng.randrange(len(nodes))
    part = nodes[begin : begin + rng.randint(1, MOST)]
    later = nodes[begin + len(part) :]
    made = dict.fromkeys(name for node in part for name in node.output if name)
    inputs = dict.fromkeys(name for node in part for name in sorted(reads(node)) if name and name not in made)
    needed = {value.name for value in model.graph.output}.union(*map(reads, later))
    outputs = [name for name in made if name in needed]
    if not outputs:
        return
    model.functions.append(helper.make_function(DOMAIN, name, [*inputs], outputs, part, model.opset_import))
    call = helper.make_node(name, [*inputs], outputs, f"call of {name}", domain=DOMAIN)
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:begin], call, *later])
