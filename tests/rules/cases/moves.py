"""Rows for passes/rules/moves.py."""

import numpy as np

from tests.rules.cases.case import O3, O4, X3, X4, Fed, case, scalar

WORDS = np.asarray([["a", "b c", "ab d e", "a b", "", "c"], ["ab", "", "c c", "d", "a e", "ba"]], dtype=object)

ROWS = [
    case("StringSplit", 20, Fed(WORDS), outputs=2),
    case("StringSplit", 20, Fed(WORDS.reshape(2, 3, 2)), outputs=2, maxsplit=1, delimiter="b"),
    case("Squeeze", 11, (2, 1, 6, 1, 5), axes=[1, -2]),
    case("Squeeze", 11, (2, 1, 5), axes=[1]),
    case("Squeeze", 13, (1, 6, 1, 5), [2, 0]),
    case("Squeeze", 13, (2, 3, 1, 5), [-2]),
    case("Squeeze", 13, (1, 6, 1, 5)),
    case("Squeeze", 11, (2, 1, 6)),
    case("Squeeze", 13, ("n2", 3, 1), out=("n2", 3), accepts="none"),
    case("Unsqueeze", 11, X3, axes=[1]),
    case("Unsqueeze", 11, (6, 5), axes=[0, -1]),
    case("Unsqueeze", 13, (6, 5), [3, 0]),
    case("Unsqueeze", 13, X3, [-2]),
    case("Unsqueeze", 13, (), [0, 1]),
    case("Unsqueeze", 13, (1, 3), [], accepts="none"),
    case("Transpose", 13, O3, perm=[2, 0, 1]),
    case("Transpose", 13, X4, perm=[0, 2, 3, 1]),
    case("Transpose", 13, O4, perm=[3, 1, 0, 2]),
    case("Transpose", 1, O3),
    case("Shape", 21, O4),
    case("Shape", 1, ("n2", 3, "h5")),
    case("Shape", 15, X4, start=1),
    case("Shape", 15, X4, start=-3, end=-1),
    case("Shape", 15, X4, start=0, end=2),
    case("Shape", 15, X4, start=3, end=1),
    case("Size", 21, O4),
    case("Gather", 21, (6, 3, 7), np.asarray([[1, 0], [2, 2], [0, 1]]), axis=1),
    case("Gather", 21, X4, [4, 0], axis=-2),
    case("Gather", 21, X4, scalar(2, np.int64), axis=1),
    case("Gather", 1, (5, 6), Fed(np.asarray([[1, 0, 4]]))),
    case("Gather", 21, X4, Fed(np.asarray(1)), axis=3),
]
