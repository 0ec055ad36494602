"""What a rewrite did, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypedDict

from rewriter.interface import InterfaceValue


@dataclass(frozen=True)
class Remaining:
    """A Transpose (or a Reshape that moves nothing) in the result. ``bytes`` move per inference (``None``: unknown)."""

    value: str
    op: str
    stored: str
    needed: str
    bytes: int | None
    made_by: str
    readers: tuple[str, ...]
    reason: str
    blocker: str  # the node that is the reason, if one is

    @property
    def blocked_by(self) -> str:
        """Who is the reason, and why."""
        return f"{self.blocker}: {self.reason}" if self.blocker else self.reason


@dataclass(frozen=True)
class Cause:
    """Changes of layout that stay for one reason, ``count`` of them, and what would help.

    ``bytes`` move per inference, but for ``unsized`` changes, of which nobody knows; ``example`` is a value.
    ``changes``: which of what remains these are.
    """

    cause: str
    help: str
    count: int
    bytes: int
    unsized: int
    example: str
    made_by: str
    changes: Sequence[int]


class NodeValue(TypedDict):
    """A value that a node makes; ``layout`` is empty where it is the original's, and not known to be an image."""

    name: str
    shape: list[int | str | None] | None
    layout: str


class GraphNode(TypedDict):
    """A node of a graph or of a body, ``body`` saying of which; ``remaining``: which of what remains it is."""

    name: str
    op: str
    inputs: list[str]
    outputs: list[NodeValue]
    body: str
    remaining: int | None


@dataclass(frozen=True)
class Graphs:
    """The nodes of the model and of the result, in the order of the files; constants are left out."""

    before: Sequence[GraphNode]
    after: Sequence[GraphNode]


@dataclass(frozen=True)
class Explained:
    """Why a value is stored as it is (see `passes.plan.explain`), in words."""

    value: str
    made_by: str
    stored: str
    alternatives: Sequence[str]
    readings: Sequence[str]


@dataclass(frozen=True)
class Preprocessing:
    """What became of an input that takes ``frames``, in words: parts ``folded`` into kernels and biases of ``into``,
    those ``apart``, and the ``reason``; ``nodes`` are in front of the model. ``text`` says all of this."""

    name: str
    frames: str
    folded: Sequence[str]
    into: Sequence[str]
    apart: Sequence[str]
    reason: str
    nodes: Sequence[str]
    text: str


@dataclass(frozen=True)
class Report:
    """``ops`` counts operators before and after; ``seconds`` are by stage; ``held`` Transposes are written as Einsum.

    All per inference: ``bytes_before`` and ``bytes`` are those of Transposes. ``cost``, in the ``unit`` of the prices
    of ``runtime``, is of these and of what is dearer or cheaper because of how values are stored, ``cost_before`` that
    of the original; ``guessed`` is the number of values whose sizes were guessed for that. ``bound`` is proven: no plan
    costs less, but for combinations of layouts of ``limited`` operators that were not tried.
    """

    to: str
    dialect: str
    changed: bool
    inputs: Sequence[InterfaceValue]
    outputs: Sequence[InterfaceValue]
    ops: Mapping[str, tuple[int, int]]
    preprocessed: Sequence[Preprocessing]
    remaining: Sequence[Remaining]
    causes: Sequence[Cause]
    barriers: Mapping[str, int]
    bytes_before: int
    bytes: int
    held: int
    runtime: str
    unit: str
    cost_before: float
    cost: float
    guessed: int
    bound: float
    optimal: bool
    limited: Sequence[str]
    explained: Sequence[Explained]
    seconds: Mapping[str, float]
    notes: Sequence[str]
    graphs: Graphs

    @property
    def transposes(self) -> tuple[int, int]:
        """Transpose nodes in the main graph, before and after, those written as Einsum among them."""
        before, after = self.ops.get("Transpose", (0, 0))
        return before, after + self.held

    def to_json(self) -> dict[str, Any]:
        """The report as plain dicts, lists, strings and numbers."""
        plain = asdict(replace(self, graphs=NO_GRAPHS))
        return {**plain, "transposes": self.transposes, "graphs": vars(self.graphs)}


NO_GRAPHS = Graphs([], [])  # which hold nothing but such, and are too large to be copied
