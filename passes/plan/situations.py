"""What makes a node cheap or dear: where the axes are stored that it works on, and how long its runs are.

A run is the elements next to each other that an operator handles as one: it works fast inside of one, and does
something besides for each.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from math import prod
from typing import NamedTuple

import onnx_graphsurgeon as gs

from passes.layout.matrices import as_matrices
from passes.rules.api import IN, OUT, Layout, Move, Node, Perm, Slot

ALONG_AXIS_SINCE = 13  # before, Softmax and its like see the tensor as a matrix, whose rows stay together


class Situation(NamedTuple):
    """The ``name`` of the price that holds, and the elements of a run; the price is for the value at ``slot``."""

    name: str
    run: float = 1
    slot: Slot = OUT(0)


Dims = Callable[[gs.Tensor], list[int]]  # the sizes of a value
See = Callable[[Node, Move, Dims], Situation | None]


def along(node: Node, move: Move, dims: Dims) -> Situation | None:
    """Softmax and its like: ``last`` or ``off_last``, as their axis is stored; a run is that axis."""
    if node.opset < ALONG_AXIS_SINCE:
        return None
    shape, layout = dims(node.tensor(IN(0))), move.inputs[0]
    place = layout.place(node.attr("axis", -1))
    return Situation("last" if place == len(shape) - 1 else "off_last", stored(layout, shape)[place])


def spelling(node: Node, move: Move, dims: Dims) -> Situation | None:
    """``respelled``: BatchNormalization as a chain of other operators; a run is what lies within a channel."""
    if not move.steps or node.rank(IN(0)) < 2:
        return None
    layout = move.inputs[0]
    return Situation("respelled", prod(stored(layout, dims(node.tensor(IN(0))))[layout.place(1) + 1 :]))


def product(node: Node, move: Move, dims: Dims) -> Situation | None:
    """``exchanged``, for the left operand, with a run for each element of the right one: a constant comes to stand on
    the left, and what is on the right is laid out block by block, a constant once, other values on each run.
    ``turned``, with a run for each multiplication: the operand that comes first is computed, and read transposed;
    ``turned_first``: it came second before."""
    exchanges, first = bool(move.operands), move.first
    left, right, made = (dims(node.tensor(slot)) for slot in (IN(0), IN(1), OUT(0)))
    if exchanges and node.is_constant(1):
        return Situation("exchanged", prod(left) / prod(right), IN(0))
    if node.is_constant(first) or not move.attrs.get("transA", node.attr("transA", 0)):
        return None
    multiplications = prod(made) * left[-2 if node.attr("transA", 0) else -1]
    name = "turned_first" if exchanges else "turned"
    return Situation(name, prod((left, right)[first]) / multiplications, IN(first))


def equation(node: Node, move: Move, dims: Dims) -> Situation | None:
    """``transposed``: a product written as Einsum, with a run for each element that it transposes inside.

    These are the left operand's, unless that is batches, rows and what it sums over, and the result's, if columns come
    first; the order of the right operand matters little.
    """
    left, *others = _terms(node, move)
    if len(others) != 2 or "." in left:
        return None
    right, result = others
    places = {(True, True): 0, (False, True): 1}  # batches, rows; then what is summed over; by (in right, in result)
    operand = [places.get((letter in right, letter in result), 2) for letter in left]
    sides = [letter in right for letter in result if (letter in left) != (letter in right)]
    read, made = (prod(dims(node.tensor(slot))) for slot in (IN(0), OUT(0)))
    moved = (operand != sorted(operand)) * read + (sides != sorted(sides)) * made
    return Situation("transposed", made / moved) if moved else None


def matrices(node: Node, move: Move, dims: Dims) -> Situation | None:
    """``transposed``: an Einsum whose axes are not as a product of batches of matrices has them, with a run for each
    element of the operands and the result that is moved for that."""
    constant = {i for i in range(node.arity[0]) if node.is_constant(i)}
    found = as_matrices(_terms(node, move), constant)
    slots = [(IN(0), IN(1), OUT(0))[i] for i in found.moved - constant] if found else []
    moved = sum(prod(dims(node.tensor(slot))) for slot in slots)
    return Situation("transposed", prod(dims(node.tensor(OUT(0)))) / moved) if moved else None


def _terms(node: Node, move: Move) -> list[str]:
    """The letters of each operand and of the result, as the new node has them."""
    return re.split(",|->", move.attrs.get("equation", node.attr("equation")).replace(" ", ""))


def shuffle(node: Node, move: Move, dims: Dims) -> Situation | None:
    """``MODE`` of a DepthToSpace, as the new node has it, where there are several channels to come out."""
    channels, block = dims(node.tensor(IN(0)))[1], node.attr("blocksize")
    return Situation(move.attrs.get("mode", node.attr("mode", "DCR"))) if channels > block**2 else None


def broadcast(node: Node, move: Move, dims: Dims) -> Situation | None:
    """``spread``: some operand is repeated; a run is as long as each operand either goes on or stands still."""
    layout = move.outputs[0]
    if layout.is_divided:
        return None
    every = [[*[1] * (layout.rank - len(d)), *d] for d in (dims(t) for t in operands(node))]
    result = [max(sizes) for sizes in zip(*every, strict=True)]
    if all(sizes == result or prod(sizes) == 1 for sizes in every):
        return None
    run, before = 1, None
    for axis in (axis for axis in reversed(layout.perm) if result[axis] != 1):
        moving = [sizes[axis] != 1 for sizes in every]
        if before not in (None, moving):
            break
        run, before = run * result[axis], moving
    return Situation("spread", run)


def operands(node: Node) -> list[gs.Tensor]:
    """The inputs that are given."""
    return [node.tensor(slot) for slot in node.slots if slot.side == "in"]


def pieces(node: Node, move: Move, dims: Dims) -> Situation | None:
    """Concat, Split, Slice, Pad, Tile: a run is what is next to each other both before and after."""
    whole = max((slot for slot in (IN(0), OUT(0))), key=lambda slot: prod(dims(node.tensor(slot))))
    layout, part = (move.at(slot) for slot in (whole, OUT(0) if whole.side == "in" else IN(0)))
    if layout.is_divided or part.is_divided or layout.rank != part.rank:
        return None
    sizes = [stored(move.at(slot), dims(node.tensor(slot))) for slot in (IN(0), OUT(0))]
    changed = [place for place, (one, other) in enumerate(zip(*sizes, strict=True)) if one != other]
    if not changed:
        return None
    return Situation("cut", min(prod(side[changed[-1] :]) for side in sizes), whole)


def gather(node: Node, move: Move, dims: Dims) -> Situation | None:
    """Gather: a run is what lies within the axis."""
    layout = move.inputs[0]
    if layout.is_divided or not node.rank(IN(0)):
        return None
    return Situation("picked", prod(stored(layout, dims(node.tensor(IN(0))))[layout.place(node.attr("axis", 0)) + 1 :]))


def per_axis(node: Node, move: Move, dims: Dims) -> Situation | None:
    """Quantisation with a scale for each entry of an axis: a run is what lies within that axis."""
    layout = move.inputs[0]
    if layout.is_divided or not node.tensor(IN(1)).shape or node.attr("block_size"):
        return None
    return Situation(
        "per_axis", prod(stored(layout, dims(node.tensor(IN(0))))[layout.place(node.attr("axis", 1)) + 1 :])
    )


def reduction(node: Node, move: Move, dims: Dims) -> Situation | None:
    """``inner`` where the axes that are summed up are stored last, then a run is these; else ``outer``, and what lies
    within them."""
    layout = move.inputs[0]
    axes = node.ints(1) if node.has(IN(1)) and node.is_constant(1) else node.attr("axes")
    if not axes or layout.is_divided:
        return None
    sizes = stored(layout, dims(node.tensor(IN(0))))
    return inner_or_outer(sizes, layout.places(axes), "inner", "outer", IN(0))


def resize(node: Node, move: Move, dims: Dims) -> Situation | None:
    """``MODE_first`` where the last axis is resized, ``MODE_last`` where others are: a run is what lies within these;
    ``MODE_function`` for one that is a function."""
    layout, mode = move.outputs[0], node.attr("mode", "nearest")
    if layout.is_divided:
        return None
    if move.domain:
        return Situation(f"{mode}_function")
    sizes = [stored(layout, dims(node.tensor(slot))) for slot in (IN(0), OUT(0))]
    changed = [place for place, (one, other) in enumerate(zip(*sizes, strict=True)) if one != other]
    return inner_or_outer(sizes[1], changed, f"{mode}_first", f"{mode}_last", OUT(0)) if changed else None


def positions(node: Node, move: Move, dims: Dims) -> Situation | None:
    """As ``resize``, for runtimes that store images channels last inside, however they are given: a run is always what
    lies at one position."""
    seen = resize(node, move, dims)
    if seen is None or move.domain:
        return seen
    sizes = zip(*(dims(node.tensor(slot)) for slot in (IN(0), OUT(0))), strict=True)
    return seen._replace(run=prod(after for before, after in sizes if before == after))


def change(source: Layout, target: Layout, sizes: Sequence[int]) -> Situation:
    """A Transpose: ``blocks`` where the last axis stays the last, a run is then what stays together; ``inward`` or
    ``outward`` where else one axis, or some that stay together, goes past others; ``scattered`` otherwise."""
    if source.is_divided or target.is_divided:
        return Situation("inward")
    axes = [axis for axis in source.axis_perm if sizes[axis] != 1]
    name, together = way(tuple([axes.index(axis) for axis in target.axis_perm if sizes[axis] != 1]))
    return Situation(name, prod([sizes[axes[place]] for place in together]))


@cache
def way(places: Perm) -> tuple[str, Sequence[int]]:
    """What a perm of axes is called as a change, and which places come last and stay together, if this is a price."""
    groups: list[list[int]] = []  # axes that stay together
    for place in places:
        if groups and place == groups[-1][-1] + 1:
            groups[-1].append(place)
        else:
            groups.append([place])
    order = [group[0] for group in groups]
    if not order or order[-1] == max(order):
        return "blocks", groups[-1] if groups else []
    moved = [i for i in range(len(order)) if (rest := order[:i] + order[i + 1 :]) == sorted(rest)]
    single = [i for i in moved if len(groups[i]) == 1] or moved
    if not moved:
        return "scattered", []
    return "inward" if single[0] > sorted(order).index(order[single[0]]) else "outward", []


def inner_or_outer(sizes: Sequence[int], places: Iterable[int], inner: str, outer: str, slot: Slot) -> Situation:
    """Whether the axes at these places, as stored, are the last that are not of size 1; what a run is then."""
    within = prod(sizes[max(places) + 1 :])
    if within > 1:
        return Situation(outer, within, slot)
    return Situation(inner, prod(sizes[place] for place in places), slot)


def stored(layout: Layout, sizes: Sequence[int]) -> list[int]:
    """The sizes of the axes as stored; of an axis in another order, whole."""
    return [sizes[axis] for axis in layout.axis_perm]


SEEN: dict[str, See] = {
    "along": along,
    "spelling": spelling,
    "product": product,
    "equation": equation,
    "matrices": matrices,
    "shuffled": shuffle,
    "spread": broadcast,
    "cut": pieces,
    "picked": gather,
    "per_axis": per_axis,
    "reduced": reduction,
    "resized": resize,
    "resized_positions": positions,
}
