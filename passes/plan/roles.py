"""Roles of axes: what tells which values are images (docs/interface.md).

The roles of a value are a string, axis by axis: ``B`` batch, or what is as good as one (frames merged into it, steps of
a loop); ``C`` channels; ``S`` a spatial position; ``P`` positions in a row (height and width merged, steps of a
sequence of features); ``?`` unknown; ``!`` disputed. They start where operators tell them (``evidence``) and travel
both ways along the labels of axes, one node at a time, so that the nearest evidence counts; where two are equally near
and disagree, that axis is disputed, and nothing is told further.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import onnx_graphsurgeon as gs

from passes.dialects.functions import FunctionDialect
from passes.layout.formats import FORMATS
from passes.plan.evidence import BATCH, CHANNELS, POSITIONS, SPATIAL, UNKNOWN, is_norm, told_by
from passes.plan.flat_graph import FlatGraph
from passes.rules.api import Labels, Perm, perm
from passes.rules.labels import Broadcast, labels_of

Roles = str
DISPUTED = "!"
MOST_BATCHES = 2


def find_roles(graph: gs.Graph, told: Mapping[str, Roles]) -> dict[str, Roles]:
    """The roles of the axes of each value of which any is known.

    ``told``: those of graph inputs and outputs that the file's own record tells.
    """
    return _Search(graph).run(told)


def image(roles: Roles) -> Roles | None:
    """The roles if they are those of an image: one axis of channels, one to three spatial ones, else batches, none of
    which stands behind all positions.

    Beside two positions one axis may be told by what it is not: beside a batch it is the channels (as the queries of a
    mask are), beside channels a batch. ``None`` if it is no image.
    """
    others = [role for role in roles if role not in SPATIAL]
    if roles.count(SPATIAL) >= 2 and sorted(others) in ([UNKNOWN, BATCH], [BATCH, POSITIONS], [UNKNOWN, BATCH, BATCH]):
        roles = roles.replace(UNKNOWN, CHANNELS).replace(POSITIONS, CHANNELS)
    elif roles.count(SPATIAL) >= 2 and sorted(others) in ([UNKNOWN, CHANNELS], [UNKNOWN, BATCH, CHANNELS]):
        roles = roles.replace(UNKNOWN, BATCH)
    batches, spatial = roles.count(BATCH), roles.count(SPATIAL)
    if len(roles) not in FORMATS or roles.count(CHANNELS) != 1 or batches + 1 + spatial != len(roles):
        return None
    fits = batches <= MOST_BATCHES and spatial and (batches or spatial == 2)
    return roles if fits and roles.rfind(BATCH) < roles.rfind(SPATIAL) else None


def channels_last_perm(roles: Roles) -> Perm:
    """The perm that stores an image with its channels last: as it is, or batches, positions, channels."""
    return _in_order(roles, BATCH + SPATIAL + CHANNELS, roles.endswith(CHANNELS))


def channels_first_perm(roles: Roles) -> Perm:
    """The perm that stores an image with these roles with its channels before its positions: as it is, if they stand
    before some (frames that are read by a 3-D convolution may come first), or batches, channels, positions."""
    return _in_order(roles, BATCH + CHANNELS + SPATIAL, roles.index(CHANNELS) < roles.rindex(SPATIAL))


def _in_order(roles: Roles, order: str, is_so: bool) -> Perm:
    if is_so and (roles.startswith(BATCH) or BATCH not in roles):
        return perm.identity(len(roles))
    return tuple(sorted(range(len(roles)), key=lambda axis: order.index(roles[axis])))


class _Search:
    """Level by level: first what is told, then what follows for the values of nodes that touch these, and so on.

    Norms speak when all others have: their channels are whatever is normalised.
    """

    def __init__(self, graph: gs.Graph) -> None:
        self.graph = FlatGraph(graph, FunctionDialect())
        self.ranks = {name: len(t.shape) for name, t in self.graph.tensors.items() if t.shape is not None}
        self.roles: dict[str, list[str]] = {}

    @cached_property
    def labels(self) -> list[Labels]:
        return [labels_of(n.node, n.rule.labels) if n.rule is not None else {} for n in self.graph.nodes]

    def run(self, told: Mapping[str, Roles]) -> dict[str, Roles]:
        changed = self._learn(told.items())
        for wave in (False, True):
            operators = (n for n in self.graph.nodes if is_norm(n.node) == wave)
            changed |= self._learn((n.value(slot), roles) for n in operators for slot, roles in told_by(n))
            while changed:
                touched = {i for name in changed for i, _ in self.graph.touching.get(name, ())}
                changed = self._learn(found for i in sorted(touched) for found in self._follows(i))
        return {name: self._with_batch(name, "".join(roles)) for name, roles in self.roles.items()}

    def _with_batch(self, name: str, roles: Roles) -> Roles:
        """A first axis of size 1 before a batch, of which nothing is known, is a batch too."""
        is_batch = roles.startswith(UNKNOWN + BATCH) and self.graph.tensors[name].shape[0] == 1
        return BATCH + roles[1:] if is_batch else roles

    def _learn(self, found: Iterable[tuple[str, Roles]]) -> set[str]:
        """Note roles of axes that had none; the names of values that are better known now."""
        opinions: dict[tuple[str, int], set[str]] = defaultdict(set)
        for name, roles in found:
            if self.ranks.get(name) != len(roles):
                continue
            have = self.roles.get(name, UNKNOWN * len(roles))
            for axis, role in enumerate(roles):
                if role != UNKNOWN and have[axis] == UNKNOWN:
                    opinions[name, axis].add(role)
        for (name, axis), roles_of_axis in opinions.items():
            have_roles = self.roles.setdefault(name, [UNKNOWN] * self.ranks[name])
            have_roles[axis] = roles_of_axis.pop() if len(roles_of_axis) == 1 else DISPUTED
        return {name for name, _ in opinions}

    def _follows(self, i: int) -> Iterator[tuple[str, Roles]]:
        """What the roles known at a node say of the axes of its values."""
        ruled = self.graph.nodes[i]
        labels = {slot: axes for slot, axes in self.labels[i].items() if slot in ruled.live}
        wanting = [slot for slot in labels if UNKNOWN in self.roles.get(ruled.value(slot), UNKNOWN)]
        if not wanting:
            return
        opinions: dict[Hashable, set[str]] = defaultdict(set)
        for slot, axes in labels.items():
            for factors, role in zip(axes, self.roles.get(ruled.value(slot), ()), strict=False):
                for label, part in split(role, factors):
                    opinions[label].add(part)
        for slot in wanting:
            found = (
                [opinions[label.along if isinstance(label, Broadcast) else label] for label in factors]
                for factors in labels[slot]
            )
            yield ruled.value(slot), "".join(map(merged, found))


def split(role: str, factors: Sequence[Hashable]) -> Iterator[tuple[Hashable, str]]:
    """The roles of the factors of an axis, as far as its own tells them."""
    if role in BATCH + CHANNELS or len(factors) == 1:
        yield from ((label, role) for label in factors if role not in UNKNOWN + DISPUTED)
    elif role == SPATIAL and factors:
        yield factors[0], role
    elif role == POSITIONS:
        yield from ((label, SPATIAL) for label in factors)


def merged(opinions: Sequence[set[str]]) -> str:
    """The role of an axis by the opinions on its factors, outermost first.

    Positions with something smaller within (blocks, as a pixel shuffle has them) are positions.
    """
    if len(opinions) == 1 and len(opinions[0]) > 1:
        return DISPUTED
    if not opinions or any(len(roles) != 1 for roles in opinions):
        return UNKNOWN
    first, *inner = (next(iter(roles)) for roles in opinions)
    if not inner or (first in BATCH + CHANNELS and set(inner) == {first}):
        return first
    if first != SPATIAL:
        return UNKNOWN
    return POSITIONS if SPATIAL in inner else SPATIAL
