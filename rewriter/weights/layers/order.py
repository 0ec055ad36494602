"""Which layers come before which: what reads results of which, whatever order the file lists them in."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import onnx_graphsurgeon as gs

from passes.ir.control_flow import Coupling


def nearest_before(nodes: "Iterable[gs.Node | Coupling]", names: Mapping[int, str]) -> dict[str, tuple[str, ...]]:
    """By layer (``names`` by the id of its node): the layers whose results it reads with no other layer between."""
    reach: dict[int, dict[str, None]] = {}  # by the id of a tensor; ordered as a set is not
    before: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        found = {name: None for tensor in node.inputs for name in reach.get(id(tensor), ())}
        if (name := names.get(id(node))) is not None:
            before[name], found = tuple(found), {name: None}
        reach |= {id(tensor): found for tensor in node.outputs}
    return before


def unordered(before: Mapping[str, Iterable[str]], names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of layers of which neither depends on the other: a framework may list them either way."""
    ancestors: dict[str, set[str]] = {}
    for name, near in before.items():
        known = [other for other in near if other in ancestors]
        ancestors[name] = set(known).union(*(ancestors[other] for other in known))
    yield from ((a, b) for a, b in combinations(names, 2) if a not in ancestors[b] and b not in ancestors[a])
