"""Inputs that take frames: what a model wants of them, as nodes in front of it, as far as kernels cannot hold it.

The model's input is ``gain * (frame - shift)``, its channels in another order perhaps. A Conv that reads it takes order
and gain into its kernel, whatever it pads: zero stays zero. The shift goes into its bias where it pads nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import onnx_graphsurgeon as gs
from onnx import TensorProto, helper

from passes.ir.constants import of_array
from passes.ir.graph import all_names, assemble, copied, unused, with_nodes
from passes.layout.edit import Array
from passes.normalize.frame_kernels import GAIN, ORDER, SHIFT, with_frames
from passes.normalize.frame_readers import Axis, Readers, readers_of, title
from passes.normalize.frames import Frames

FLOAT = np.dtype(np.float32)
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
    operand: Array | None = None
    attrs: Mapping[str, Any] = {}
    dtype: "np.dtype[Any]" = FLOAT


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
    graph, value = _rewired(graph, tensor, frames, steps, folded, readers)
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
    if tensor.dtype != FLOAT:
        return Readers(
            (), (), f"input {tensor.name} is {np.dtype(tensor.dtype).name}, in which kernels would be rounded"
        )
    return readers_of(graph, tensor.name, axis)


def _steps(tensor: gs.Tensor, frames: Frames, axis: Axis, apart: Collection[str]) -> Iterator[_Step]:
    """The nodes in front; what they read by channel is in the order that channels have there."""
    reverse = frames.bgr and ORDER not in apart  # for the Convs have it

    def vector(values: tuple[float, ...]) -> Array:
        if axis is None or len({*values}) == 1:
            return np.asarray(values[0], np.float32)
        by_channel = values[::-1] if reverse else values
        return np.asarray(by_channel, np.float32).reshape([-1, *[1] * (len(tensor.shape) - axis - 1)])

    if ORDER in apart:
        yield _Step("Gather", np.arange(COLOURS)[::-1].copy(), {"axis": axis}, np.dtype(frames.dtype))
    if np.dtype(frames.dtype) != FLOAT:
        yield _Step("Cast", attrs={"to": TensorProto.FLOAT})
    if SHIFT in apart:
        yield _Step("Sub", vector(frames.shift))
    if GAIN in apart:
        yield _Step("Mul", vector(frames.gain))
    if tensor.dtype != FLOAT:
        wanted = np.dtype(tensor.dtype)
        yield _Step("Cast", None, {"to": helper.np_dtype_to_tensor_dtype(wanted)}, wanted)


def _rewired(
    graph: gs.Graph, tensor: gs.Tensor, frames: Frames, steps: Sequence[_Step], folded: Sequence[str], readers: Readers
) -> tuple[gs.Graph, str]:
    """The graph with the nodes in front of the input and with other Convs; the name of what the model reads now.

    Values get other names where they hold other numbers.
    """
    names, convs = all_names(graph), {id(conv) for conv in readers.convs}
    results = [unused(f"{tensor.name}_{step.op.lower()}", names) for step in steps]
    value = results[-1] if results else tensor.name
    moved = [name for name in readers.values if folded and name != tensor.name]
    called = {**{name: unused(f"{name}_of_frames", names) for name in moved}, tensor.name: value}
    nodes = [with_frames(n, frames, folded, names) if folded and id(n) in convs else n for n in graph.nodes]

    def renamed(one: gs.Tensor) -> gs.Tensor:
        return copied(one, called[one.name]) if one.name in called else one

    inner = assemble(graph, nodes, graph.inputs, graph.outputs, renamed)
    if not steps:
        return inner, value
    own = next(one for one in inner.inputs if one.name == value)
    frame = gs.Variable(tensor.name, np.dtype(frames.dtype), tensor.shape)
    made = [*(gs.Variable(r, s.dtype, tensor.shape) for r, s in zip(results[:-1], steps, strict=False)), own]
    front = []
    for step, source, result in zip(steps, [frame, *made], made, strict=False):
        operands = [] if step.operand is None else [of_array(unused(f"{result.name}_by", names), step.operand)]
        front.append(gs.Node(step.op, result.name, dict(step.attrs), [source, *operands], [result]))
    heads = [frame if one is own else one for one in inner.inputs]
    return with_nodes(inner, [*front, *inner.nodes], heads, inner.outputs), value
