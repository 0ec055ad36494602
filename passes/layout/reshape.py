"""What a Reshape does to layouts: both shapes as axes of the same *atoms*, the factors neither side splits further.

``[N, C*G, H, W] -> [N, C, G, H*W]`` has atoms N, C, G, H, W; an axis of either side holds one or more of them, always
in row-major order. A layout then is an order of atoms, or of parts of these, and passes if each axis on the other side
finds its own next to each other (IREE and tinygrad see Reshape the same way).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from math import prod

from passes.layout import perm
from passes.layout.factor import Factor, refined
from passes.layout.layout import VECTOR, Dim, Layout, arranged
from passes.layout.perm import Perm
from passes.layout.vector import vector
from passes.refusal import Refusal


@dataclass(frozen=True)
class Regrouping:
    """The numbers of the atoms of each axis of one side (``source``) and of the other; axes of size 1 have none."""

    sizes: Sequence[Dim]
    source: tuple[tuple[int, ...], ...]
    target: tuple[tuple[int, ...], ...]

    def reversed(self) -> "Regrouping":
        return Regrouping(self.sizes, self.target, self.source)

    def carry(self, layout: Layout) -> list[Layout]:
        """The target's layouts when the source has ``layout`` and no element moves.

        They differ in where axes of size 1 are stored, which is free: of many places, those in ``_with_units``.
        """
        owner = {atom: axis for axis, atoms in enumerate(self.target) for atom in atoms}
        runs = [(axis, list(run)) for axis, run in groupby(self._stored_parts(layout), key=lambda p: owner[p.axis])]
        stored = [axis for axis, _ in runs]
        for axis in stored:
            if stored.count(axis) > 1:
                raise Refusal(f"the parts of output axis {axis} are not next to each other in this layout")
        orders = {axis: self._order(self.target[axis], run) for axis, run in runs} | self._segments(layout)
        return [arranged(p, orders) for p in _with_units(stored, len(self.target))]

    def _stored_parts(self, layout: Layout) -> list[Factor]:
        """What is stored, one after the other: atoms, and factors of atoms, whose ``axis`` is the atom's number."""
        parts: list[Factor] = []
        for f in (f for factors in layout.stored for f in factors):
            atoms = self.source[f.axis]
            if f.size is None:
                parts += map(Factor, atoms)
            elif len(atoms) == 1:
                parts.append(f._replace(axis=atoms[0]))
            else:
                parts += self._within(f, atoms)
        return parts

    def _within(self, factor: Factor, atoms: tuple[int, ...]) -> list[Factor]:
        """A factor of an axis as parts of the atoms of that axis."""
        strides = self._strides(atoms)
        parts = []
        for f in refined([factor], strides.values()):
            atom = next(a for a in atoms if strides[a] <= f.stride)
            size, inner = self._size(atom), f.stride // strides[atom]
            if f.stride % strides[atom] or size % (inner * (f.size or 1)):
                raise Refusal(f"axis {f.axis} is split across the order of its elements")
            parts.append(Factor(atom) if f.size == size else Factor(atom, inner, f.size))
        return parts

    def _order(self, atoms: tuple[int, ...], run: list[Factor]) -> Layout:
        """The order along an axis of ``atoms`` that is stored as ``run``."""
        if run == [*map(Factor, atoms)]:
            return VECTOR
        if len(atoms) == 1:
            return vector([part._replace(axis=0) for part in run])
        strides = self._strides(atoms)
        return vector([Factor(0, strides[p.axis] * p.stride, p.size or self._size(p.axis)) for p in run])

    def _segments(self, layout: Layout) -> dict[int, Layout]:
        """Axes that Concat joined: they pass where the target axis is the same atom alone."""
        passed = {}
        for axis, _ in layout.segments:
            if len(self.source[axis]) != 1 or self.source[axis] not in self.target:
                raise Refusal(f"axis {axis}, whose elements are in another order, is split or merged with others")
            passed[self.target.index(self.source[axis])] = layout.along(axis)
        return passed

    def _size(self, atom: int) -> int:
        size = self.sizes[atom]
        if not isinstance(size, int):
            raise Refusal("an axis is merged from dynamic dims in another order")
        return size

    def _strides(self, atoms: tuple[int, ...]) -> dict[int, int]:
        return {atom: prod(self._size(a) for a in atoms[i + 1 :]) for i, atom in enumerate(atoms)}


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


def of_flatten(dims: Sequence[Dim], axis: int) -> Regrouping:
    """Flatten: axes before ``axis`` become output axis 0, the others output axis 1."""
    source = tuple((a,) if d != 1 else () for a, d in enumerate(dims))
    return Regrouping(dims, source, (sum(source[:axis], ()), sum(source[axis:], ())))


def of_reshape(before: Sequence[Dim], after: Sequence[Dim]) -> Regrouping:
    """The atoms of a Reshape. Refuses where the shapes have no common factors that can be told."""
    return _of_reshape(tuple(before), tuple(after))


@lru_cache(maxsize=1024)
def _of_reshape(before: tuple[Dim, ...], after: tuple[Dim, ...]) -> Regrouping:
    source: list[tuple[int, ...]] = [()] * len(before)
    target: list[tuple[int, ...]] = [()] * len(after)
    sizes: list[Dim] = []
    for left, right in _groups(before, after):
        for size, i, j in _common(before, after, left, right):
            source[i] += (len(sizes),)
            target[j] += (len(sizes),)
            sizes.append(size)
    return Regrouping(sizes, tuple(source), tuple(target))


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
