"""Rows for passes/rules/movement.py."""

import numpy as np

from tests.rules.cases.case import O3, O4, X3, X4, Fed, case

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
]
