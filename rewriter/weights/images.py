"""What of a plan concerns images: channels from first to last or back, of whole images, of operands without a batch
axis, and of flattened maps.

A plan may move other axes too, to spare a Transpose in an attention, say. No framework's model has its weights so: they
are left as they are.
"""

from collections.abc import Collection

from passes.layout.order import AxisOrder, Order

from passes.layout import layout as lay
from passes.layout import perm
from passes.layout.layout import Layout, of_rank
from passes.layout.perm import Perm
from rewriter.interface import SPATIAL_LETTERS

LETTERS = {n + 2: f"NC{letters}" for n, letters in SPATIAL_LETTERS.items()}


def image_part(layout: Layout, rank: int, shuffles: Collection[Order] = ()) -> Layout:
    """The layout without what concerns no images; ``shuffles`` are orders of channels, not of flattened maps."""
    p = of_rank(layout, rank).perm
    kept = [(axis, order) for axis, order in layout.orders if is_map(order, shuffles)]
    return lay.make(p if is_image(p) else perm.identity(rank), kept)


def is_image(p: Perm) -> bool:
    """Whether a perm takes the channels of an image, or of one without its batch axis, from one end to the other."""
    rank = len(p)
    last = [perm.channels_last(rank)] if rank in LETTERS else []
    last += [perm.suffix(perm.channels_last(rank + 1), rank)] if rank + 1 in LETTERS else []
    return p in last or perm.inverse(p) in last


def is_map(order: AxisOrder, shuffles: Collection[Order]) -> bool:
    """Whether an order is that of flattened maps of the other layout."""
    return all(is_image(part.perm) and part not in shuffles for part in orders_in(order))


def orders_in(order: AxisOrder) -> list[Order]:
    """The order, or those of the parts that a Concat puts one after the other."""
    return [order] if isinstance(order, Order) else [part for _, part in order.parts if part is not None]


def letters_of(p: Perm) -> tuple[str, str] | None:
    """The axes of an image before and after a perm that takes its channels last; else ``None``."""
    rank = len(p)
    for size, start in ((rank, 0), (rank + 1, 1)):
        if size in LETTERS and p == perm.suffix(perm.channels_last(size), rank):
            old = LETTERS[size][start:]
            return old, "".join(perm.reorder(p, old))
    return None
