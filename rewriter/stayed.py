"""Why an input or output that could be taken for an image did not flip, and what to type if it is one."""

import onnx_graphsurgeon as gs

from passes.layout.formats import FORMATS
from passes.layout.layout import Layout
from passes.pipeline import Request
from passes.plan.evidence import BATCH, CHANNELS, POSITIONS, SPATIAL, UNKNOWN
from passes.plan.roles import DISPUTED, image

CHANNEL_SIZES = (1, 3, 4)  # of images that come from files, or go into them


def why_it_stayed(tensor: gs.Tensor, layout: Layout, roles: str, request: Request) -> str:
    """One sentence; empty if it flipped, was asked to stay, is in the format asked for, or looks like no image.

    ``roles`` are those of its axes, ``layout`` is how it is stored.
    """
    asked = request.keep_io or tensor.name in request.choices
    if asked or not layout.is_natural or tensor.shape is None or len(tensor.shape) not in FORMATS or image(roles):
        return ""
    if not roles and not _has_channel_like_axis(tensor):
        return ""
    if not {CHANNELS, UNKNOWN, POSITIONS, DISPUTED} & set(roles or UNKNOWN):
        return "it has no axis of channels"
    return f"{_reason(roles)}; if it is an image: --layout {tensor.name}={request.to}"


def _has_channel_like_axis(tensor: gs.Tensor) -> bool:
    return any(tensor.shape[axis] in CHANNEL_SIZES for axis in (-3, 1, -1))


def _reason(roles: str) -> str:
    if DISPUTED in roles:
        return "operators disagree about its axes"
    if POSITIONS in roles:
        return "its positions are all on one axis, as in a sequence of features"
    if roles.count(CHANNELS) > 1:
        return "its channels are on several axes"
    if roles.rfind(BATCH) > roles.rfind(SPATIAL) >= 0 and UNKNOWN not in roles:
        return "a batch stands behind its positions"
    if SPATIAL not in roles and UNKNOWN not in roles and roles:
        return "it has no positions"
    return "no operator tells which of its axes are channels and which positions"
