"""Rows for passes/rules/index.py."""

import numpy as np

from tests.rules.cases.case import O3, O4, X4, Array, Fed, I, W, case, scalar


def picked(most: int, *shape: int) -> Array:
    """Indices from 0 to ``most``."""
    return np.random.default_rng(len(shape)).integers(0, most + 1, shape)


def placed(most: int, axis: int, *shape: int) -> Array:
    """Indices from 0 to ``most``, no two alike along ``axis``."""
    return np.argsort(np.random.default_rng(3).random([*shape[:axis], most + 1, *shape[axis + 1 :]]), axis)[
        tuple(slice(size) for size in shape)
    ]


MASK = np.asarray([True, False, True])
SLICES = np.asarray([[1, 0, 1], [0, 2, 0], [1, 0, 1]], dtype=np.float32)
# slices that are sorted otherwise where their axes have changed places
TIED = np.asarray([[0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0]], dtype=np.float32).reshape(3, 3, 2)
SIX = np.asarray([[1, 0], [0, 2], [1, 1]])
HOLES = np.asarray([0, 1, 0, 2, 3, 0, 4] * 15, dtype=np.float32)

ROWS = [
    case("GatherElements", 13, X4, Fed(picked(2, 2, 2, 5, 7)), axis=1),
    case("GatherElements", 13, X4, picked(6, 2, 3, 4, 1), axis=-1),
    case("GatherElements", 11, O3, Fed(picked(1, 3, 6, 5))),
    case("ScatterElements", 18, X4, Fed(placed(2, 1, 2, 2, 5, 7)), (2, 2, 5, 7), axis=1),
    case("ScatterElements", 18, X4, picked(6, 2, 3, 5, 4), (2, 3, 5, 4), axis=-1, reduction="add"),
    case("ScatterElements", 11, (6, 5), placed(5, 0, 3, 4), W(3, 4)),
    case("Scatter", 9, (6, 5), placed(5, 0, 3, 4), W(3, 4)),
    case("TopK", 11, X4, [2], axis=1, outputs=2),
    case("TopK", 11, O3, I(2), data="ties", outputs=2),
    case("TopK", 24, X4, [3], axis=-2, largest=0, data="ties", outputs=2),
    case("TopK", 10, O4, [2], axis=2, outputs=2),
    case("TopK", 7, X4, axis=3, k=2, outputs=2),
    case("TopK", 11, X4, [2], axis=1, sorted=0, outputs=2, accepts="none"),
    case("Compress", 11, X4, Fed(MASK), axis=1),
    case("Compress", 9, O3, MASK, axis=-1),
    case("Compress", 11, O3, MASK, accepts="none"),
    case("OneHot", 11, Fed(picked(4, 2, 3, 7)), scalar(5, np.int64), np.asarray([2, 9]), axis=1),
    case("OneHot", 9, Fed(picked(4, 3, 6)), scalar(5, np.int64), np.asarray([2, 9])),
    case("OneHot", 11, Fed(picked(4, 2, 3, 7)), scalar(5, np.int64), np.asarray([2, 9]), axis=-3),
    case("Unique", 11, Fed(SLICES), axis=0, sorted=0, outputs=4),
    case("Unique", 11, Fed(SLICES[:, :, None].repeat(2, 2)), axis=0, sorted=0, outputs=4),
    case("Unique", 11, Fed(TIED), axis=0, outputs=4, accepts="sorted slices"),
    case("Unique", 11, Fed(TIED.repeat(2, 1)), axis=0, outputs=4, accepts="sorted slices"),
    case("Unique", 11, Fed(TIED.repeat(2, 1)), axis=0, sorted=0, outputs=4),
    case("Unique", 11, Fed(SLICES), axis=-1, outputs=4, accepts="sorted slices"),
    case("Unique", 11, Fed(SLICES), outputs=4, accepts="none"),
    case("TensorScatter", 24, (2, 3, 7, 5), (2, 3, 2, 5), I(1, 4), accepts="batch"),
    case("TensorScatter", 24, (2, 7, 6), (2, 4, 6), [3, 5], axis=1, mode="circular", accepts="batch"),
    case("TensorScatter", 24, (2, 3, 7), (2, 3, 2), axis=-1, accepts="batch"),
    case("GatherND", 12, X4, Fed(np.asarray([[1], [0], [1]])), accepts="batch"),
    case("GatherND", 13, (2, 3, 6, 5), SIX, accepts="first"),
    case("GatherND", 13, X4, Fed(np.asarray([[[1], [2]], [[0], [2]]])), batch_dims=1, accepts="first"),
    case("GatherND", 12, (2, 3, 5), Fed(np.asarray([[[1], [2]], [[0], [1]]])), batch_dims=1, accepts="first"),
    case("GatherND", 11, (3, 6, 5), Fed(np.asarray([2, 0])[:, None, None]), accepts="batch"),
    case("GatherND", 12, (2, 3, 5, 7), Fed(np.asarray([[1], [2]])), batch_dims=1, accepts="first"),
    case("ScatterND", 11, X4, np.asarray([[1]]), (1, 3, 5, 7), accepts="batch"),
    case("ScatterND", 18, (2, 3, 6, 5), Fed(SIX), (3, 6, 5), reduction="max", accepts="first"),
    case("ScatterND", 13, X4, Fed(SIX), W(3, 5, 7), accepts="first"),
    case("ScatterND", 16, (5, 3, 2), Fed(np.asarray([[[4], [0]]])), (1, 2, 3, 2), reduction="add", accepts="batch"),
    case("NonZero", 13, Fed(HOLES.reshape(1, 1, 15, 7)), accepts="sorted"),
    case("NonZero", 9, Fed(HOLES.reshape(1, 15, 1, 7)), accepts="sorted"),
    case("NonZero", 13, Fed(HOLES.reshape(3, 5, 7)), accepts="none"),
    case("Gather", 21, (6, 3, 7), np.asarray([[1, 0], [2, 2], [0, 1]]), axis=1),
    case("Gather", 21, X4, [4, 0], axis=-2),
    case("Gather", 21, X4, scalar(2, np.int64), axis=1),
    case("Gather", 1, (5, 6), Fed(np.asarray([[1, 0, 4]]))),
    case("Gather", 21, X4, Fed(np.asarray(1)), axis=3),
]
