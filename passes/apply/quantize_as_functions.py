"""DynamicQuantizeLinear in front of channels-last functions as one of them.

It treats all elements alike, and needs no function. But onnxruntime, which takes functions apart, moves no Transposes
past it: as a function it has its own, which cancel with those of its neighbours (a quantised MobileNetV2: 31 Transposes
and 1.15 times the naive conversion's time without, 1 and 1.00 with).
"""

from dataclasses import replace

from passes.plan.flat_graph import FlatGraph, RuledNode
from passes.plan.plan import Plan
from passes.rules.api import OUT, Move
from passes.rules.image import placed, says_last


def as_functions(flat: FlatGraph, plan: Plan) -> Plan:
    """The plan with functions for those whose readers are all functions."""

    def move(ruled: RuledNode, planned: Move) -> Move:
        node = ruled.node
        if node.op != "DynamicQuantizeLinear" or not node.has(OUT(2)) or planned.outputs[0].is_divided:
            return planned
        readers = [plan.moves[i] for i, _ in flat.readers(ruled.value(OUT(0)))]
        are_functions = readers and all(node.dialect.demands(reader.domain, reader.op) for reader in readers)
        p = planned.outputs[0].perm
        return placed(node, p) if are_functions and says_last(node, p) else planned

    return replace(plan, moves=[move(*pair) for pair in zip(flat.nodes, plan.moves, strict=True)])
