"""The layouts of graph inputs and outputs: what is asked for by name, else what ``--to`` makes of images."""

from collections.abc import Iterable, Mapping

import onnx_graphsurgeon as gs

from passes.ir.graph import natural_layout
from passes.layout.choice import Choice, Recorded
from passes.layout.formats import roles_of
from passes.plan.evidence import BATCH, CHANNELS, SPATIAL
from passes.plan.roles import Roles, channels_first_perm, channels_last_perm, image
from passes.rules.api import Layout, perm, permuted


def assumed_roles(graph: gs.Graph, roles: Mapping[str, Roles], choices: Mapping[str, Choice]) -> dict[str, Roles]:
    """Of inputs and outputs that the user calls images, though nothing tells their axes: that these are stored in the
    other format now."""
    tensors = {t.name: t for t in (*graph.inputs, *graph.outputs)}
    asked = {name: choice for name, choice in choices.items() if choice.to != "keep" and choice.perm is None}
    return {
        name: other_format(choice.to, roles_of(choice.letters) or usual_roles(len(tensors[name].shape)))
        for name, choice in asked.items()
        if image(roles.get(name, "")) is None
    }


def usual_roles(rank: int) -> Roles:
    """The roles of an image of a rank, channels first: of rank 3 a batch of signals."""
    return BATCH + CHANNELS + SPATIAL * (rank - 2)


def other_format(to: str, roles: Roles) -> Roles:
    """These roles channels first if the target is channels last, and the other way round."""
    p = channels_first_perm(roles) if to == "nhwc" else channels_last_perm(roles)
    return "".join(perm.reorder(p, roles))


def interface(
    tensors: Iterable[gs.Tensor],
    roles: Mapping[str, Roles],
    to: str,
    choices: Mapping[str, Choice],
    recorded: Mapping[str, Recorded],
    keep: bool,
) -> dict[str, Layout]:
    """The layouts of graph inputs and outputs when the model is converted to ``nhwc`` or ``nchw``.

    What a conversion flipped goes back to what it was, if that is the target. With ``keep`` nothing flips but what
    ``choices`` say.
    """

    def wanted(tensor: gs.Tensor) -> Layout:
        choice = choices.get(tensor.name, Choice("keep" if keep else to))
        known = image(roles.get(tensor.name, ""))
        if choice.perm is not None:
            return permuted(choice.perm)
        if choice.to == "keep" or known is None:
            return natural_layout(tensor)
        target = channels_last_perm if choice.to == "nhwc" else channels_first_perm
        entry = recorded.get(tensor.name)
        if entry is not None and image(entry.origin) and target(entry.origin) == perm.identity(len(entry.back)):
            return permuted(entry.back)
        return permuted(target(known))

    return {tensor.name: wanted(tensor) for tensor in tensors}
