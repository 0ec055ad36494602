"""Which perms of its independent slots a rule must accept, by kind of case: defined by numpy, apart from any rule."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import permutations, product
from math import prod

import numpy as np

from passes.dialects.base import Dialect
from passes.layout import perm
from passes.layout.perm import Perm
from tests.rules.cases.case import Array, Case, Dim, shape_of, sizes
from tests.support.engines import disabled

Perms = tuple[Perm, ...]
Accepts = Callable[[Case, Perms, Dialect], bool]
DATA = {"QLinearMatMul": (0, 3)}  # which operands are multiplied, if not the first two


def says_last(dialect: Dialect) -> bool:
    return dialect.spells("Conv")


def is_last(p: Perm, dialect: Dialect) -> bool:
    """Channels last, with the spatial axes in any order, in a dialect that can say it."""
    return says_last(dialect) and p[0] == 0 and p[-1] == 1


def is_sorted(axes: Perm) -> bool:
    return list(axes) == sorted(axes)


def first_axes(row: Case, p: Perm) -> set[int]:
    """The axes before the attribute ``axis``."""
    return set(range(row.attrs.get("axis", 1) % len(p)))


@cache
def products(row: Case, exchanged: bool, turned: bool = False) -> set[Perms]:
    """How a computed operand and the result may be stored, so that some product of the operands, stored in any way and
    with axes of size 1 put in, is the result; ``exchanged``: also of the operands in the other order; ``turned``: also
    with the last two axes of each read in the other order.

    Two things are possible but not wanted: operands that change places where that makes many products of one (or where
    one is a vector), and batches that become rows or columns where the other operand has batches, too.
    """
    numbers = np.random.default_rng(0)
    left, right = (numbers.integers(0, 99, sizes(shape_of(row.operands[i]))) for i in DATA.get(row.op, (0, 1)))
    y = read(left, row.attrs.get("transA")) @ read(right, row.attrs.get("transB"))
    side, ranks = isinstance(row.operands[0], np.ndarray), (left.ndim, right.ndim)
    batches = set(range(y.ndim - 2)) if min(ranks) > 2 else set()
    named = {key(y.transpose(r)): r for r in permutations(range(y.ndim)) if batches <= {*r[:-2]}}
    many = ranks[0] != ranks[1] and prod(max(left, right, key=np.ndim).shape[:-2]) > 1
    found: set[Perms] = set()
    stored = (forms(operand, max(ranks), turned) for operand in (left, right))
    for (p, a), (q, b) in product(*stored):
        pairs = [(a, b), (b, a)] if exchanged and not many and min(ranks) > 1 else [(a, b)]
        results = [named.get(key(one @ other)) for one, other in pairs if multiply(one, other)]
        found |= {(q if side else p, r) for r in results if r is not None}
    return found


def key(array: Array) -> tuple[tuple[int, ...], bytes]:
    return array.shape, array.tobytes()


def multiply(one: Array, other: Array) -> bool:
    """Whether MatMul takes two arrays."""
    contracted = one.shape[-1] == other.shape[-2 if other.ndim > 1 else 0]
    batches = zip(one.shape[:-2][::-1], other.shape[:-2][::-1], strict=False)
    return contracted and all(a == b or 1 in (a, b) for a, b in batches)


def read(array: Array, flag: int | None) -> Array:
    """An operand as a product reads it."""
    return array.swapaxes(-1, -2) if flag else array


def forms(array: Array, rank: int, turned: bool) -> Iterator[tuple[Perm, Array]]:
    """An array in every order of its axes, as a product reads it, which may be with the last two turned, and with axes
    of size 1 before or between these, up to ``rank``."""
    for p, flag in product(permutations(range(array.ndim)), (0, 1) if turned else (0,)):
        yield p, read(array.transpose(p), flag)
        for more in range(array.ndim + 1, rank + 1 if array.ndim > 1 else 0):
            for places in product((0, 1), repeat=more - 2):
                if sum(places) == more - array.ndim:
                    at = tuple(i for i, here in enumerate(places) if here)
                    yield p, np.expand_dims(read(array.transpose(p), flag), at)


@cache
def reshapes(row: Case) -> set[Perm]:
    """How the side of more axes may be stored, so that the other side can be without a byte moving: its axes in some
    order, and the elements along each in some order, of which a size is known."""
    (result,) = disabled(row.model(), row.feeds())
    ends = tuple(shape_of(row.operands[0])), tuple(declared_result(row))
    known = tuple(tuple(11 if size == 0 else size for size in shape) for shape in (sizes(ends[0]), result.shape))
    pivot = 1 if row.op == "Reshape" and len(known[1]) > len(known[0]) else 0
    numbers = np.arange(prod(known[0])).reshape(known[pivot])
    found = set()
    for p in permutations(range(numbers.ndim)):
        for q in permutations(range(len(known[1 - pivot]))):
            stored = (p, q) if pivot == 0 else (q, p)
            if in_axes(numbers.transpose(p), known[1 - pivot], q, ends[1 - pivot]) and is_writable(row, ends, stored):
                found.add(p)
                break
    return found


def declared_result(row: Case) -> list[Dim]:
    """The shape of the result as far as shapes tell: an open size has a name, or none."""
    from tests.support.stages import to_graph

    shape = to_graph(row.model()).outputs[0].shape
    return [size if isinstance(size, int) else str(size) for size in shape]


def in_axes(stored: Array, shape: tuple[int, ...], q: Perm, dims: tuple[Dim, ...] = ()) -> bool:
    """Whether numbers lie as an array of all numbers from 0 does that is stored as ``q``, but for an order along each
    axis (the original's, where its size is open)."""
    positions = np.unravel_index(stored.reshape([shape[a] for a in q]), shape)
    for place, axis in enumerate(q):
        along = np.moveaxis(positions[axis], place, 0).reshape(shape[axis], -1)
        is_open = bool(dims) and isinstance(dims[axis], str)
        if (along != along[:, :1]).any() or (is_open and (np.diff(along[:, 0]) < 0).any()):
            return False
    return True


def is_writable(row: Case, ends: tuple[tuple[Dim, ...], ...], stored: tuple[Perm, Perm]) -> bool:
    """Whether the target of a Reshape says the same in the stored order: its 0 copies an open size in place."""
    target = row.operands[1] if row.op == "Reshape" else None
    if not isinstance(target, list):
        return True
    before, after = ([dims[a] for a in p] for dims, p in zip(ends, stored, strict=True))
    copied = [i for i, axis in enumerate(stored[1]) if target[axis] == 0 and isinstance(after[i], str)]
    return all(after[i] in before[i : i + 1] for i in copied)


# Kinds of cases where all slots are stored alike
ALIKE: dict[str, Callable[[Case, Perm, Dialect], bool]] = {
    "all": lambda row, p, dialect: True,
    "none": lambda row, p, dialect: is_sorted(p),
    "spatial": lambda row, p, dialect: p[:2] == (0, 1) or is_last(p, dialect),
    "still": lambda row, p, dialect: is_sorted(p) or (says_last(dialect) and p == perm.channels_last(len(p))),
    "neighbours": lambda row, p, dialect: (
        p[:2] == (0, 1) or is_last(p, dialect) or {p.index(2), p.index(3)} in ({1, 2}, {2, 3})
    ),
    "last two": lambda row, p, dialect: p[:2] == (0, 1) or is_last(p, dialect) or {p.index(2), p.index(3)} == {2, 3},
    "region": lambda row, p, dialect: p[:2] == (0, 1) or (says_last(dialect) and p == perm.channels_last(len(p))),
    "channels": lambda row, p, dialect: p[1] == 1 or is_last(p, dialect),
    "first": lambda row, p, dialect: p[:2] == (0, 1),
    "last": lambda row, p, dialect: p[-1] == len(p) - 1,
    "either": lambda row, p, dialect: p[0] == 0 and 1 in (p[1], p[-1]),
    "last channels": lambda row, p, dialect: p[0] == 0 and len(p) - 1 in (p[1], p[-1]),
    "batch": lambda row, p, dialect: p[0] == 0,
    "pair": lambda row, p, dialect: set(p[:2]) == {0, 1},
    "matrix": lambda row, p, dialect: set(p[-2:]) == {len(p) - 2, len(p) - 1},
    "classes": lambda row, p, dialect: p[1] == 1,
    "together": lambda row, p, dialect: {p.index(1), p.index(2)} in ({1, 2}, {2, 3}),
    "parts": lambda row, p, dialect: set(p[: len(first_axes(row, p))]) == first_axes(row, p),
    "ordered part": lambda row, p, dialect: is_sorted(p[len(first_axes(row, p)) :]) and ALIKE["parts"](row, p, dialect),
    "sorted slices": lambda row, p, dialect: is_sorted(perm.drop(p, {row.attrs["axis"] % len(p)})),
    "sorted": lambda row, p, dialect: is_sorted(tuple(a for a in p if sizes(shape_of(row.operands[0]))[a] != 1)),
    "reshape": lambda row, p, dialect: p in reshapes(row),
    "heads": lambda row, p, dialect: p[3] == 3 and (is_sorted(p) or 2 in p[:2]),
    "heads of batches": lambda row, p, dialect: p in ((0, 1, 2, 3), (0, 2, 1, 3)),
}
# and where each may be stored in a way of its own
APART: dict[str, Accepts] = {
    "every": lambda row, perms, dialect: True,
    "left": lambda row, perms, dialect: perms[1] == (0, 1),
    "product": lambda row, perms, dialect: perms in products(row, exchanged=True),
    "product of turned": lambda row, perms, dialect: perms in products(row, exchanged=True, turned=True),
    "product in order": lambda row, perms, dialect: perms in products(row, exchanged=False),
}


def accepts(kind: str, row: Case, perms: Perms, dialect: Dialect) -> bool:
    """Whether the rule of a case must accept its slots stored so."""
    if kind in APART:
        return APART[kind](row, perms, dialect)
    return len(set(perms)) == 1 and ALIKE[kind](row, perms[0], dialect)
