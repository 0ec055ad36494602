"""The noise of an output: how the original differs from itself, and so a right rewrite may, too."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rewriter.validation.compare import RTOL, Array, Difference, difference

# Noise and error are each the largest of a few samples, so the error of a right rewrite can be the larger. Measured on
# conv nets of 40 layers against the same nets with reordered sums, 3 runs: an output of one number is off by more than
# 4 times its noise in 0.8 % of the cases (twice: 10 %), four in 0.2 %, ten in 0.1 %. In float16: the nets of models/,
# 25 in float16 with either interface and three conversions, by at most 2.7 times.
NOISE_FACTOR = 4
NOISE_LIMIT = 0.05  # of the output's scale; noise raises the tolerance no further: real mistakes would pass


@dataclass
class Noise:
    """What was heard of an output, or of an item of a sequence.

    Floats make noise up to ``NOISE_LIMIT``. Beyond it they jump, as integers and booleans always do: a tie of scores is
    broken otherwise, two boxes change places.
    """

    level: float = 0.0  # the most that it moves without a jump, as a fraction of its scale
    share: float = 0.0  # the largest share of its elements that jump at once
    others: dict[int, list[Array]] = field(default_factory=dict)  # what it was when some jumped, by run
    ties: dict[int, tuple[Array, Array]] = field(default_factory=dict)  # the least and most when some are broken

    def hear(self, run: int, value: Any, again: Any) -> None:
        """Compare another result of a run with ``value``; it may be of a wider float type."""
        self.hear_level(value, again)
        self.hear_jumps(run, value, again)

    def hear_level(self, value: Any, again: Any) -> None:
        """See how far the result moves."""
        self.level = max(self.level, _difference(value, again).within)

    def hear_jumps(self, run: int, value: Any, again: Any) -> None:
        """See where it jumps: all that can be seen if the inputs were moved by more than their last bits."""
        share = _difference(value, again).share
        self.share = max(self.share, min(1.0, share))
        if share and isinstance(again, np.ndarray):
            self.others.setdefault(run, []).append(again.astype(value.dtype))

    def hear_tie(self, run: int, value: Any, again: Any) -> None:
        """Widen what floats lie between when ties are rounded otherwise; keep what else is there of other types."""
        if not (isinstance(value, np.ndarray) and isinstance(again, np.ndarray) and value.shape == again.shape):
            return
        if value.dtype not in RTOL:
            self.others.setdefault(run, []).append(again)
            return
        low, high = self.ties.get(run, (value, value))
        self.ties[run] = np.minimum(low, again), np.maximum(high, again)

    def alternatives(self, run: int, got: Any, store: Callable[[Array], Array]) -> list[Array]:
        """What may be there besides, stored as ``got``: of what ties lead to, the nearest to that."""
        others = [store(other) for other in self.others.get(run, ())]
        if run in self.ties and store(self.ties[run][0]).shape == np.shape(got):
            others.append(np.clip(got, *map(store, self.ties[run])))
        return others


def _difference(value: Any, again: Any) -> Difference:
    if not (isinstance(value, np.ndarray) and isinstance(again, np.ndarray)):
        return difference(value, again)
    return difference(value.astype(again.dtype), again, max(NOISE_LIMIT, RTOL.get(value.dtype, 0.0)))
