"""What of a plan concerns images: channels from first to last or back, of whole images, of operands without a batch
axis, and of flattened maps.

A plan may move other axes too, to spare a Transpose in an attention, say. No framework's model has its weights so: they
are left as they are.
"""

from collections.abc import Collection

from passes.layout import perm
from passes.layout.formats import FORMATS
from passes.layout.layout import VECTOR, Layout, arranged
from passes.layout.perm import Perm
from passes.layout.vector import sizes_and_perm


def image_part(layout: Layout, shuffles: Collection[Layout] = ()) -> Layout:
    """The layout without what concerns no images; ``shuffles`` are orders of channels, not of flattened maps."""
    p, orders = layout.axis_perm, {axis: layout.along(axis) for axis in layout.lengths()}
    kept = {axis: order for axis, order in orders.items() if is_map(order, shuffles)}
    return arranged(p if is_image(p) else perm.identity(len(p)), kept)


def channels_last(rank: int) -> dict[Perm, str]:
    """The perms that take the channels of an image last, or of one without its batch axis, and its letters."""
    return {
        perm.suffix(perm.channels_last(size), rank): FORMATS[size].first[size - rank :]
        for size in (rank + 1, rank)
        if size in FORMATS
    }


def is_image(p: Perm) -> bool:
    """Whether a perm takes the channels of an image from one end to the other."""
    return p in channels_last(len(p)) or perm.inverse(p) in channels_last(len(p))


def is_map(order: Layout, shuffles: Collection[Layout]) -> bool:
    """Whether an order is that of flattened maps of the other layout."""
    return all(is_image(sizes_and_perm(part)[1]) and part not in shuffles for part in orders_in(order))


def orders_in(order: Layout) -> list[Layout]:
    """The order, or those of the parts that a Concat puts one after the other."""
    return [part for _, parts in order.segments for _, part in parts if part != VECTOR] or [order]


def letters_of(p: Perm) -> tuple[str, str] | None:
    """The axes of an image before and after a perm that takes its channels last; else ``None``."""
    old = channels_last(len(p)).get(p)
    return None if old is None else (old, "".join(perm.reorder(p, old)))
