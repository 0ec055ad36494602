"""Layouts as far as images are concerned: channels from first to last or back, of whole images and flattened maps."""

from collections.abc import Collection

from passes.layout import perm
from passes.layout.formats import FORMATS
from passes.layout.layout import Layout, arranged
from passes.layout.perm import Perm
from passes.layout.vector import parts_in, reordered, sizes_and_perm

SEQUENCE_RANK = 3  # batch, steps, features


def image_part(layout: Layout, shuffles: Collection[Layout] = ()) -> Layout:
    """The layout without what concerns no images; ``shuffles`` are orders of channels, not of flattened maps."""
    p, orders = layout.axis_perm, {axis: layout.along(axis) for axis in layout.lengths()}
    kept = {axis: order for axis, order in orders.items() if is_map(order, shuffles)}
    return arranged(p if is_image(p) else perm.identity(len(p)), kept)


def with_space_in_order(layout: Layout, to: str) -> Layout:
    """The layout, its channels where they are and the other axes in order: H and W are swapped by the target itself."""
    p, orders = layout.axis_perm, {axis: layout.along(axis) for axis in layout.lengths()}
    rest = tuple(axis - 1 for axis in p[1:])
    batched = len(p) > SEQUENCE_RANK and p[0] == 0
    kept = (0, *(axis + 1 for axis in space_in_order(rest, to))) if batched else space_in_order(p, to)
    return arranged(kept, {axis: order_of_space(order, to) for axis, order in orders.items()})


def order_of_space(order: Layout, to: str) -> Layout:
    """The same of an order along one axis; one that Concat made of several stays."""
    if order.segments:
        return order
    sizes, p = sizes_and_perm(order)
    return reordered(sizes, space_in_order(p, to))


def space_in_order(p: Perm, to: str) -> Perm:
    """Of a map without a batch axis: whether its channels change their end counts, where ``to`` has them."""
    here = -1 if to == "nhwc" else 0
    channels = p[here] if p else 0
    if is_image(p) or channels not in (0, len(p) - 1):
        return p
    space = [axis for axis in range(len(p)) if axis != channels]
    return (*space, channels) if here else (channels, *space)


def channels_last(rank: int) -> dict[Perm, str]:
    """The perms that take the channels of an image last, or of one without its batch axis, and its letters."""
    return {
        perm.suffix(perm.channels_last(size), rank): FORMATS[size].first[size - rank :]
        for size in (rank + 1, rank)
        if size in FORMATS
    }


def channels_first(rank: int) -> dict[Perm, str]:
    """The inverses of these, which take them first, and the letters before."""
    return {perm.inverse(p): "".join(perm.reorder(p, letters)) for p, letters in channels_last(rank).items()}


def is_image(p: Perm) -> bool:
    """Whether a perm takes the channels of an image from one end to the other."""
    return p in channels_last(len(p)) or p in channels_first(len(p))


def is_map(order: Layout, shuffles: Collection[Layout]) -> bool:
    """Whether an order is that of flattened maps of the other layout."""
    return all(is_image(sizes_and_perm(part)[1]) and part not in shuffles for part in parts_in(order))
