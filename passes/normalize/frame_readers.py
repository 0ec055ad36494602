"""Who reads an input: which Convs, behind nothing that would mind other numbers, or what else does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx_graphsurgeon as gs

from passes.ir.graph import calls_of, is_standard, reads

Axis = int | None  # of channels
SHAPERS = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")  # after which channels are anywhere
BLIND = {"CastLike": 1, "Shape": 0, "Size": 0}  # inputs of which operators read types or shapes


@dataclass(frozen=True)
class Readers:
    """``values``, the input first, hold what it does, in some order of axes; ``convs`` read them, and else no one.

    ``hindrance``: why not (then ``values`` has the input alone).
    """

    convs: Sequence[gs.Node]
    values: Sequence[str]
    hindrance: str = ""

    @property
    def fixes_zero(self) -> str:
        """Why nothing can be added to what the Convs read, by adding to their biases in turn; empty if it can."""
        for conv in self.convs:
            if _pads(conv):
                return f"{title(conv)} pads with zeros, where it would need the mean"
            if len(conv.inputs) > 2 and conv.inputs[2].name and not isinstance(conv.inputs[2], gs.Constant):
                return f"the bias of {title(conv)} is no constant"
        return ""


def _transposed(node: gs.Node, axis: Axis) -> Axis:
    rank = len(node.inputs[0].shape or ())
    return None if axis is None else list(node.attrs.get("perm", range(rank)[::-1])).index(axis)


CARRIERS: dict[str, Callable[[gs.Node, Axis], Axis]] = {  # operators that give what they read: where channels are then
    "Identity": lambda _, axis: axis,
    "Transpose": _transposed,
    **dict.fromkeys(SHAPERS, lambda _, axis: axis),
}


def readers_of(graph: gs.Graph, name: str, axis: Axis) -> Readers:
    """The readers of an input whose channels are on ``axis`` (``None``: all are treated alike)."""
    axes, convs = {name: axis}, []
    for node in (node for node in graph.nodes if reads(node) & axes.keys()):
        hindrance = _hindrance(node, axes)
        if hindrance:
            return Readers((), [name], hindrance)
        if node.op in CARRIERS:
            axes[node.outputs[0].name] = CARRIERS[node.op](node, axes[node.inputs[0].name])
        elif node.op not in BLIND:
            convs.append(node)
    given = [tensor.name for tensor in graph.outputs if tensor.name in axes]
    if given or not convs:
        return Readers((), [name], f"output {given[0]} holds it" if given else "no Conv reads it")
    return Readers(convs, [*axes])


def _hindrance(node: gs.Node, axes: dict[str, Axis]) -> str:
    """Why a node minds other numbers in the values of ``axes``; empty if it does not, or may have another kernel."""
    slots = [slot for slot, tensor in enumerate(node.inputs) if tensor.name in axes]
    if not is_standard(node) or node.op not in (*CARRIERS, *BLIND, "Conv") or slots != [BLIND.get(node.op, 0)]:
        return f"{title(node)} reads it"
    if calls_of(node):
        return f"{title(node)} is in a function of the model's own"
    axis = axes[node.inputs[slots[0]].name]
    if node.op in SHAPERS and axis is not None:
        return f"{title(node)} may move channels"
    return _unfit(node, axis) if node.op == "Conv" else ""


def _unfit(node: gs.Node, axis: Axis) -> str:
    """Why the kernel of a Conv cannot change."""
    if node.attrs.get("group", 1) != 1:
        return f"{title(node)} is grouped"
    if not isinstance(node.inputs[1], gs.Constant):
        return f"the kernel of {title(node)} is no constant"
    return "" if axis in (None, 1) else f"{title(node)} reads another of its axes as channels"


def _pads(conv: gs.Node) -> bool:
    mode = conv.attrs.get("auto_pad", "NOTSET")
    return mode.startswith("SAME") or (mode == "NOTSET" and any(conv.attrs.get("pads", ())))


def title(node: gs.Node) -> str:
    """What a node is called in sentences: by its name, else by what it makes."""
    return f"{node.op} {node.name or node.outputs[0].name}"
