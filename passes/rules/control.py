"""The couplings of If, Loop and Scan (see passes/ir/control_flow.py): values stored alike in bodies and outside."""

from passes.ir.control_flow import DOMAIN
from passes.rules.api import IN, OUT, Labels, LabelsFn, Layout, Move, Node, Refusal, Rule, RuleFn, Slot, register, whole


def joined(node: Node, layout: Layout) -> Move:
    """All values of the coupling have one layout: each is the other at another time, or in another case."""
    n_in, n_out = node.arity
    shapes = [node.shape(slot) for slot in (*map(IN, range(n_in)), *map(OUT, range(n_out)))]
    if any(len(shape) != layout.rank for shape in shapes):
        raise Refusal("inside and outside of the body, values differ in rank")
    for axis in layout.lengths():
        if any(shape[axis] != shapes[0][axis] or not isinstance(shape[axis], int) for shape in shapes):
            raise Refusal(f"inside and outside of the body, the sizes of axis {axis} differ")
    return node.move(dict.fromkeys(range(n_in), layout), dict.fromkeys(range(n_out), layout))


def sliced(whole: Slot, first: bool = False) -> RuleFn:
    """A sequence and a slice of it. ``first``: the axis of the sequence stays the first one."""

    def rule(node: Node, layout: Layout) -> Move:
        axis = node.attr("axis") % layout.rank
        place, part = layout.place(axis), layout.require_natural(axis).drop({axis})
        if first and place != 0:
            raise Refusal("a Loop joins what its body gives along the first axis")
        if node.rank(other_end(whole)) != part.rank:
            raise Refusal("the slices have another rank than those of the sequence")
        ends = {whole: layout, other_end(whole): part}
        return node.move({0: ends[IN(0)]}, {0: ends[OUT(0)]}, attrs={"axis": place} if place != axis else {})

    return rule


def other_end(slot: Slot) -> Slot:
    return OUT(0) if slot == IN(0) else IN(0)


def whole_of(node: Node, layout: Layout) -> list[Layout]:
    """The sequence's layout when slices have ``layout``: its axis stays at its place."""
    return [layout.insert([node.attr("axis") % (layout.rank + 1)])]


def sliced_axes(whole_slot: Slot) -> LabelsFn:
    """A slice has the sequence's axes but the one that is cut."""

    def labels(node: Node) -> Labels:
        rank = node.rank(whole_slot)
        axis = node.attr("axis") % rank
        return {whole_slot: whole(range(rank)), other_end(whole_slot): whole(a for a in range(rank) if a != axis)}

    return labels


def slices(whole_slot: Slot, first: bool = False) -> Rule:
    return Rule(sliced(whole_slot, first), (whole_slot,), inverse=whole_of, labels=sliced_axes(whole_slot))


register(["If output", "Loop state", "Scan state"], Rule(joined), domain=DOMAIN)
register(["Loop output"], slices(OUT(0), first=True), domain=DOMAIN)
register(["Scan output"], slices(OUT(0)), domain=DOMAIN)
register(["Scan input"], slices(IN(0)), domain=DOMAIN)
