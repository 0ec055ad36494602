"""Inputs that take frames: what a model wants of them, as nodes in front of it, as far as kernels cannot hold it.

The model's input is ``gain * (frame - shift)``, its channels in another order perhaps. A Conv that reads it takes order
and gain into its kernel, whatever it pads: zero stays zero. The shift goes into its bias where it pads nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import onnx_graphsurgeon as gs
from onnx import helper

from passes.ir.constants import of_array
from passes.ir.graph import all_names, assemble, copied, unused, with_nodes
from passes.layout.edit import Array
from passes.normalize.frame_kernels import GAIN, ORDER, SHIFT, with_frames
from passes.normalize.frame_readers import Axis, Readers, readers_of, title
from passes.normalize.frames import Frames

EXACT = (np.dtype(np.float32), np.dtype(np.float64))  # types to compute in
LEAST_OPSET = 7  # from which on operators broadcast
COLOURS = 3  # that an image has which can be BGR


class FramesError(Exception):
    """An input cannot take the frames that were asked for; the message says why, as a sentence."""


@dataclass(frozen=True)
class Preprocessed:
    """What became of an input: parts ``folded`` into kernels and biases of nodes (``into``), others ``apart``, and why.

    ``axis`` is that of its channels, ``value`` what the model reads now; ``nodes`` are those in front.
    """

    name: str
    frames: Frames
    axis: Axis
    value: str
    folded: Sequence[str]
    into: Sequence[str]
    apart: Sequence[str]
    reason: str
    nodes: Sequence[str]


class WithFrames(NamedTuple):
    """A graph, and what became of its inputs."""

    graph: gs.Graph
    inputs: Sequence[Preprocessed]


class _Step(NamedTuple):
    """A node of one input and one output, and what it reads besides."""

    op: str
    dtype: "np.dtype[Any]"  # of what it makes
    operand: Array | None = None
    attrs: Mapping[str, Any] = {}


def preprocess(graph: gs.Graph, wanted: Mapping[str, Frames], axes: Mapping[str, int]) -> WithFrames:
    """The graph with inputs that take frames; ``axes``: where inputs have their channels, as far as that is known.

    Raises FramesError.
    """
    done = []
    for name, frames in wanted.items():
        graph, one = _with_frames(graph, name, frames, axes.get(name))
        done.append(one)
    return WithFrames(graph, done)


def _with_frames(graph: gs.Graph, name: str, frames: Frames, axis: Axis) -> tuple[gs.Graph, Preprocessed]:
    tensor = next(tensor for tensor in graph.inputs if tensor.name == name)
    _check(graph, tensor, frames, axis)
    readers = _readers(graph, tensor, axis if frames.tells_channels_apart else None)
    wanted = {ORDER: frames.bgr, GAIN: {*frames.gain} != {1.0}, SHIFT: any(frames.shift)}
    parts = [part for part, is_wanted in wanted.items() if is_wanted]
    foldable = () if readers.hindrance else (ORDER, GAIN) if readers.fixes_zero else (ORDER, GAIN, SHIFT)
    folded = [part for part in parts if part in foldable]
    apart = [part for part in parts if part not in foldable]
    steps = [*_steps(tensor, frames, axis, apart)]
    names, frame = all_names(graph), gs.Variable(name, np.dtype(frames.dtype), tensor.shape)
    results = [unused(f"{name}_{step.op.lower()}", names) for step in steps]
    value = results[-1] if results else name
    graph = _in_front(_inside(graph, frames, folded, readers, value), frame, steps, results)
    into = [title(conv) for conv in readers.convs] if folded else []
    reason = (readers.hindrance or readers.fixes_zero) if apart else ""
    nodes = [step.op for step in steps]
    return graph, Preprocessed(name, frames, axis, value, folded, into, apart, reason, nodes)


def _check(graph: gs.Graph, tensor: gs.Tensor, frames: Frames, axis: Axis) -> None:
    """Raises FramesError where the input has other channels than the frames, or nobody knows where."""
    if graph.opset < LEAST_OPSET:
        raise FramesError(f"the model is of opset {graph.opset}; frames need opset {LEAST_OPSET} or later")
    if any(output.name == tensor.name for output in graph.outputs):
        raise FramesError(f"input {tensor.name!r} is an output, too, and cannot take frames")
    if not frames.tells_channels_apart:
        return
    counts = frames.lengths | ({COLOURS} if frames.bgr else set())
    if axis is None:
        text = "give one number for mean and std, and no bgr, or say how it is stored (--layout)"
        raise FramesError(f"nothing tells which axis of input {tensor.name!r} holds channels; {text}")
    if counts != {tensor.shape[axis]}:
        said = " and ".join(map(str, sorted(counts)))
        raise FramesError(f"input {tensor.name!r} has {tensor.shape[axis]} channels, its frames have {said}")


def _readers(graph: gs.Graph, tensor: gs.Tensor, axis: Axis) -> Readers:
    """Who reads the input; kernels of coarser types would be rounded."""
    if tensor.dtype not in EXACT:
        coarse = np.dtype(tensor.dtype).name
        return Readers((), [tensor.name], f"input {tensor.name} is {coarse}, in which kernels would be rounded")
    return readers_of(graph, tensor.name, axis)


def _steps(tensor: gs.Tensor, frames: Frames, axis: Axis, apart: Collection[str]) -> Iterator[_Step]:
    """The nodes in front; what they read by channel is in the order that channels have there."""
    wanted, given = np.dtype(tensor.dtype), np.dtype(frames.dtype)
    exact = wanted if wanted in EXACT else EXACT[0]
    reverse = frames.bgr and ORDER not in apart  # for the Convs have it

    def cast(dtype: "np.dtype[Any]") -> _Step:
        return _Step("Cast", dtype, attrs={"to": helper.np_dtype_to_tensor_dtype(dtype)})

    def vector(values: tuple[float, ...]) -> Array:
        if axis is None or len({*values}) == 1:
            return np.asarray(values[0], exact)
        by_channel = values[::-1] if reverse else values
        return np.asarray(by_channel, exact).reshape([-1, *[1] * (len(tensor.shape) - axis - 1)])

    if ORDER in apart:
        yield _Step("Gather", given, np.arange(COLOURS)[::-1], {"axis": axis})
    if given != exact:
        yield cast(exact)
    if SHIFT in apart:
        yield _Step("Sub", exact, vector(frames.shift))
    if GAIN in apart:
        yield _Step("Mul", exact, vector(frames.gain))
    if exact != wanted:
        yield cast(wanted)


def _inside(graph: gs.Graph, frames: Frames, folded: Sequence[str], readers: Readers, value: str) -> gs.Graph:
    """The graph with the folded parts in Convs, which reads what is now of the name ``value`` in place of the input.

    What is between these and the Convs has other names, too, since it holds other numbers than it did.
    """
    names, (first, *others) = all_names(graph) | {value}, readers.values
    called = {first: value, **{name: unused(f"{name}_of_frames", names) for name in others if folded}}
    convs = {id(conv) for conv in readers.convs if folded}
    nodes = [with_frames(node, frames, folded, names) if id(node) in convs else node for node in graph.nodes]

    def renamed(tensor: gs.Tensor) -> gs.Tensor:
        return copied(tensor, called[tensor.name]) if tensor.name in called else tensor

    return assemble(graph, nodes, graph.inputs, graph.outputs, renamed)


def _in_front(graph: gs.Graph, frame: gs.Variable, steps: Sequence[_Step], results: Sequence[str]) -> gs.Graph:
    """The graph with steps from the frame to the last of their results, an input so far, which the frame is now."""
    if not steps:
        return graph
    names, last = all_names(graph) | {*results}, next(one for one in graph.inputs if one.name == results[-1])
    made = [gs.Variable(name, step.dtype, frame.shape) for name, step in zip(results, steps, strict=True)]
    made[-1] = last
    front = []
    for step, source, result in zip(steps, [frame, *made[:-1]], made, strict=True):
        operands = [] if step.operand is None else [of_array(unused(f"{result.name}_by", names), step.operand)]
        front.append(gs.Node(step.op, result.name, dict(step.attrs), [source, *operands], [result]))
    heads = [frame if one is last else one for one in graph.inputs]
    return with_nodes(graph, [*front, *graph.nodes], heads, graph.outputs)
