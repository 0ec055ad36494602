"""What a Reshape does to axes: both shapes as lists of the same *atoms*, the factors neither side splits further.

``[N, C*G, H, W] -> [N, C, G, H*W]`` has atoms N, C, G, H, W; an input axis holds one or more of them, an output axis
too, always in row-major order. A layout then is an order of the atoms, and passes if each axis on the other side finds
its own atoms next to each other (IREE and tinygrad see Reshape the same way).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from passes.layout import perm
from passes.layout.layout import Layout
from passes.layout.order import AxisOrder, Order
from passes.layout.perm import Perm
from passes.refusal import Refusal

Dim = int | str | None


@dataclass(frozen=True)
class Atom:
    """One factor of a shape."""

    number: int
    size: Dim


@dataclass(frozen=True)
class Factors:
    """Atoms per axis, of one side (``source``) and of the other (``target``); axes of size 1 have none."""

    source: tuple[tuple[Atom, ...], ...]
    target: tuple[tuple[Atom, ...], ...]

    def reversed(self) -> "Factors":
        return Factors(self.target, self.source)

    def carry(self, layout: Layout) -> list[Layout]:
        """The target's layouts when the source has ``layout`` (perm spelled out) and no element moves.

        They differ in where axes of size 1 are stored, which is free: of many places, those in ``_with_units``.
        """
        sequence = self._stored_atoms(layout)
        owner = {atom: axis for axis, atoms in enumerate(self.target) for atom in atoms}
        runs: list[tuple[int, list[Atom]]] = []
        for atom in sequence:
            if runs and runs[-1][0] == owner[atom]:
                runs[-1][1].append(atom)
            else:
                runs.append((owner[atom], [atom]))
        stored_axes = [axis for axis, _ in runs]
        for axis in stored_axes:
            if stored_axes.count(axis) > 1:
                raise Refusal(f"the parts of output axis {axis} are not next to each other in this layout")
        orders: dict[int, AxisOrder | None] = {axis: _order(self.target[axis], run) for axis, run in runs}
        orders.update(self._whole_orders(layout))
        kept = tuple(sorted((a, o) for a, o in orders.items() if o is not None))
        return [Layout(p, kept) for p in _with_units(stored_axes, len(self.target))]

    def _stored_atoms(self, layout: Layout) -> list[Atom]:
        sequence: list[Atom] = []
        for axis in layout.perm:
            atoms, order = self.source[axis], layout.order(axis)
            if order is None or len(atoms) == 1:
                sequence.extend(atoms)
            elif isinstance(order, Order) and tuple(atom.size for atom in atoms) == order.sizes:
                sequence.extend(atoms[i] for i in order.perm)
            else:
                raise Refusal(f"axis {axis} is split across the order of its elements")
        return sequence

    def _whole_orders(self, layout: Layout) -> list[tuple[int, AxisOrder]]:
        """Orders along source axes that are one atom: they pass if the target axis is the same atom alone."""
        passed = []
        for axis, order in layout.orders:
            if len(self.source[axis]) != 1:
                continue
            if self.source[axis] not in self.target:
                raise Refusal(f"axis {axis}, whose elements are in another order, is merged with others")
            passed.append((self.target.index(self.source[axis]), order))
        return passed


def _order(atoms: tuple[Atom, ...], run: list[Atom]) -> Order | None:
    """The order along an axis of ``atoms`` that is stored as ``run``."""
    if tuple(run) == atoms:
        return None
    sizes = tuple(atom.size for atom in atoms if isinstance(atom.size, int))
    if len(sizes) != len(atoms):
        raise Refusal("an axis is merged from dynamic dims in another order")
    return Order(sizes, tuple(atoms.index(atom) for atom in run))


def _with_units(stored: list[int], rank: int) -> list[Perm]:
    """Perms with ``stored`` axes in that order: the missing axes, of size 1, behind the axis before them; and, where
    that is the same order, as in the original, channels-last and channels-first."""
    near = list(stored)
    for axis in (a for a in range(rank) if a not in stored):
        near.insert(near.index(axis - 1) + 1 if axis else 0, axis)
    usual = [perm.identity(rank)]
    usual += [perm.channels_last(rank), perm.channels_first(rank)] if rank > 2 else []
    fitting = [p for p in usual if [a for a in p if a in stored] == stored]
    return list(dict.fromkeys([tuple(near), *fitting]))


def of_flatten(dims: Sequence[Dim], axis: int) -> Factors:
    """Flatten: axes before ``axis`` become output axis 0, the others output axis 1."""
    source = tuple((Atom(a, d),) if d != 1 else () for a, d in enumerate(dims))
    return Factors(source, (sum(source[:axis], ()), sum(source[axis:], ())))


def of_reshape(before: Sequence[Dim], after: Sequence[Dim]) -> Factors:
    """Factors of a Reshape. Refuses where the shapes have no common factors that can be told."""
    source: list[list[Atom]] = [[] for _ in before]
    target: list[list[Atom]] = [[] for _ in after]
    number = 0
    for left, right in _groups(before, after):
        for size, i, j in _common(before, after, left, right):
            atom = Atom(number, size)
            number += 1
            source[i].append(atom)
            target[j].append(atom)
    return Factors(tuple(map(tuple, source)), tuple(map(tuple, target)))


def _groups(before: Sequence[Dim], after: Sequence[Dim]) -> list[tuple[list[int], list[int]]]:
    """Runs of axes of either side with provably equal products; axes of size 1 are left out."""
    left = [i for i, d in enumerate(before) if d != 1]
    right = [j for j, d in enumerate(after) if d != 1]
    head, left, right = _matched(before, left, after, right)
    tail, left, right = _matched(before, left[::-1], after, right[::-1])
    middle = [(left[::-1], right[::-1])] if left or right else []
    return head + middle + [(ins[::-1], outs[::-1]) for ins, outs in tail[::-1]]


def _matched(
    before: Sequence[Dim], left: list[int], after: Sequence[Dim], right: list[int]
) -> tuple[list[tuple[list[int], list[int]]], list[int], list[int]]:
    """Groups from the front of two lists of axes, and what is left of each where an unknown dim ends it."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 1
    while i <= len(left) and j <= len(right):
        ins, outs = left[:i], right[:j]
        if _equal(before, ins, after, outs):
            groups.append((ins, outs))
            left, right, i, j = left[i:], right[j:], 1, 1
        elif j < len(right) and (i == len(left) or _behind(before, ins, after, outs)):
            j += 1
        else:
            i += 1
    return groups, left, right


def _product(dims: Sequence[Dim], axes: list[int]) -> tuple[int, list[Dim]]:
    sizes = [dims[a] for a in axes]
    return prod(d for d in sizes if isinstance(d, int)), [d for d in sizes if not isinstance(d, int)]


def _equal(before: Sequence[Dim], ins: list[int], after: Sequence[Dim], outs: list[int]) -> bool:
    (a, symbols), (b, others) = _product(before, ins), _product(after, outs)
    return a == b and None not in symbols and sorted(map(str, symbols)) == sorted(map(str, others))


def _behind(before: Sequence[Dim], ins: list[int], after: Sequence[Dim], outs: list[int]) -> bool:
    """Whether the output side has the smaller product so far, as far as can be told."""
    (a, symbols), (b, others) = _product(before, ins), _product(after, outs)
    return len(others) < len(symbols) if len(others) != len(symbols) else b < a


def _common(before: Sequence[Dim], after: Sequence[Dim], ins: list[int], outs: list[int]) -> list[tuple[Dim, int, int]]:
    """The atoms of one group: size, input axis, output axis."""
    if not ins or not outs:
        raise Refusal(f"dims {list(before)} and {list(after)} have no known factors")
    if len(ins) == 1:
        return [(after[j] if len(outs) > 1 else before[ins[0]], ins[0], j) for j in outs]
    if len(outs) == 1:
        return [(before[i], i, outs[0]) for i in ins]
    atoms: list[tuple[Dim, int, int]] = []
    rest_in, rest_out = list(ins), list(outs)
    a, b = before[ins[0]], after[outs[0]]
    while rest_in and rest_out:
        if not isinstance(a, int) or not isinstance(b, int):
            if a != b or a is None:
                raise Refusal(f"dims {[before[i] for i in ins]} and {[after[j] for j in outs]} have no known factors")
            size: Dim = a
        else:
            size = min(a, b)
            if not size or a % size or b % size:
                raise Refusal(f"dims {[before[i] for i in ins]} and {[after[j] for j in outs]} have no common factors")
        atoms.append((size, rest_in[0], rest_out[0]))
        a, b = _left(a, size), _left(b, size)
        if a == 1:
            rest_in.pop(0)
            a = before[rest_in[0]] if rest_in else 1
        if b == 1:
            rest_out.pop(0)
            b = after[rest_out[0]] if rest_out else 1
    return atoms


def _left(dim: Dim, size: Dim) -> Dim:
    """What is left of ``dim`` without its factor ``size``."""
    return dim // size if isinstance(dim, int) and isinstance(size, int) else 1
