"""What operators say of the axes that they read and make: the evidence that roles start from."""

from collections.abc import Iterator

from passes.ir.control_flow import DOMAIN
from passes.layout.formats import FORMATS
from passes.plan.flat_graph import RuledNode
from passes.rules.api import IN, OUT, Node, Slot

BATCH, CHANNELS, SPATIAL, POSITIONS, UNKNOWN = "BCSP?"
LINEAR = {"MatMul", "MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "FusedMatMul"}
LAST_AXIS_NORM = {"LayerNormalization", "RMSNormalization", "SkipLayerNormalization", "SimplifiedLayerNormalization"}
CHANNEL_NORMS = {"BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN"}
RECURRENT = {"RNN", "GRU", "LSTM"}
ATTENTION = {"Attention", "MultiHeadAttention"}
# an axis of which a loop takes one entry at a time is as good as a batch: slot of the sequence
STEPS = {"Loop output": OUT(0), "Scan output": OUT(0), "Scan input": IN(0)}


def told_by(ruled: RuledNode) -> Iterator[tuple[Slot, str]]:
    """The roles, axis by axis, of the values at some slots of a node."""
    node, rank = ruled.node, ruled.rank(IN(0))
    if ruled.rule is not None and ruled.rule.image:
        if rank in FORMATS:
            slots = (slot for slot in ruled.live if slot.number == 0 and ruled.rank(slot) == rank)
            yield from ((slot, BATCH + CHANNELS + SPATIAL * (rank - 2)) for slot in slots)
    elif node.op == "Resize":
        yield from _resized(ruled)
    elif node.domain == DOMAIN and node.op in STEPS:
        yield from _steps(ruled, STEPS[node.op], node.attr("axis"))
    elif node.op == "Gather" and ruled.rank(IN(1)) == 0 and not node.is_constant(1):
        yield from _steps(ruled, IN(0), node.attr("axis", 0))
    elif rank == 3 and is_sequence(node):
        roles = POSITIONS + BATCH + CHANNELS if node.op in RECURRENT else BATCH + POSITIONS + CHANNELS
        yield from ((slot, roles) for slot in (IN(0), OUT(0)) if slot in ruled.live and ruled.rank(slot) == rank)


def is_norm(node: Node) -> bool:
    """Whether the operator takes for channels what it normalises."""
    return node.op in CHANNEL_NORMS


def is_sequence(node: Node) -> bool:
    """Whether the operator works on features, one step after the other."""
    if node.op in LINEAR:
        return node.is_constant(1)
    return node.op in LAST_AXIS_NORM | RECURRENT | ATTENTION


def _resized(ruled: RuledNode) -> Iterator[tuple[Slot, str]]:
    """An axis that is interpolated is a position."""
    if ruled.rank(IN(0)) != ruled.rank(OUT(0)) or ruled.rank(IN(0)) not in FORMATS:
        return
    sizes = zip(ruled.node.shape(IN(0)), ruled.node.shape(OUT(0)), strict=True)
    roles = "".join(SPATIAL if isinstance(a, int) and isinstance(b, int) and a != b else UNKNOWN for a, b in sizes)
    yield from ((slot, roles) for slot in (IN(0), OUT(0)) if slot in ruled.live)


def _steps(ruled: RuledNode, slot: Slot, axis: int) -> Iterator[tuple[Slot, str]]:
    rank = ruled.rank(slot)
    if rank and slot in ruled.live:
        yield slot, "".join(BATCH if a == axis % rank else UNKNOWN for a in range(rank))
