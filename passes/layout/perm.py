"""The algebra of perms.

A *perm* ``p`` of a tensor says how it is stored: ``stored = np.transpose(original, p)``, so
``stored.shape[i] == original.shape[p[i]]``. Two different questions follow, and only for swaps do they have the
same answer:

* where is the original's axis ``a``?                 ``axis(p, a) == p.index(a)``  (the inverse)
* what is a per-axis vector (pads, scales, sizes)?    ``reorder(p, v)[i] == v[p[i]]``  (the perm itself)
"""

from collections.abc import Collection, Sequence
from typing import TypeVar

T = TypeVar("T")
Perm = tuple[int, ...]


def identity(rank: int) -> Perm:
    return tuple(range(rank))


def then(p: Perm, q: Perm) -> Perm:
    """The perm of ``np.transpose(np.transpose(x, p), q)``."""
    return tuple(p[i] for i in q)


def inverse(p: Perm) -> Perm:
    """The perm that takes the stored tensor back to the original."""
    return tuple(p.index(a) for a in range(len(p)))


def axis(p: Perm, a: int) -> int:
    """Where the original's axis ``a`` (which may be negative) is stored."""
    return p.index(a % len(p))


def reorder(p: Perm, vector: Sequence[T]) -> list[T]:
    """A per-axis vector of the original, as the stored tensor needs it."""
    return [vector[i] for i in p]


def reorder_pairs(p: Perm) -> Perm:
    """Indices that reorder a vector of all begins, then all ends (ONNX ``pads``, ``roi``)."""
    return p + tuple(i + len(p) for i in p)


def drop(p: Perm, gone: Collection[int]) -> Perm:
    """The perm that is left when the original loses the axes ``gone``."""
    kept = [a for a in range(len(p)) if a not in gone]
    return tuple(kept.index(a) for a in p if a not in gone)


def suffix(p: Perm, rank: int) -> Perm:
    """The perm of an operand of lower ``rank`` whose axes align with the last ones of ``p`` (broadcasting)."""
    return drop(p, range(len(p) - rank))


def channels_last(rank: int) -> Perm:
    """NCHW to NHWC, and the same for any number of spatial axes: ``(0, 2, ..., rank - 1, 1)``."""
    return (0, *range(2, rank), 1)


def channels_first(rank: int) -> Perm:
    """NHWC to NCHW, and the same for any number of spatial axes: ``(0, rank - 1, 1, ..., rank - 2)``."""
    return inverse(channels_last(rank))
