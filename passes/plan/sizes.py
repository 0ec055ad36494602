"""Sizes of symbolic dims: given for graph inputs, or measured in a run; the cost model guesses the rest. For prices."""

from collections.abc import Iterator, Mapping, Sequence

import onnx_graphsurgeon as gs

from passes.ir.graph import every_tensor
from passes.ir.importer import UNKNOWN
from passes.normalize.infer_shapes import Engines

LEAST_RANK = 3  # of values whose sizes matter: those of fewer axes are small, and no images


def dims_of(tensor: gs.Tensor) -> list[int | str]:
    """Sizes and symbols of a value of known rank; a dim that has neither is called after its place."""
    return [f"{UNKNOWN}{tensor.name}[{axis}]" if dim is None else dim for axis, dim in enumerate(tensor.shape)]


def given_sizes(graph: gs.Graph, shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Sizes by symbol, from the shapes given for graph inputs."""
    given = ((dims_of(t), shapes[t.name]) for t in graph.inputs if t.name in shapes and t.shape is not None)
    return {d: n for dims, sizes in given for d, n in zip(dims, sizes, strict=False) if isinstance(d, str)}


def guessed(graph: gs.Graph, sizes: Mapping[str, int]) -> set[str]:
    """Names of the values, in bodies too, of which some size is neither in ``sizes`` nor that of a batch of inputs."""
    told = {*sizes, *(dims_of(t)[0] for t in graph.inputs if t.shape)}
    values = {t.name: dims_of(t) for t in every_tensor(graph) if len(t.shape or ()) >= LEAST_RANK}
    return {name for name, shape in values.items() if not all(isinstance(d, int) or d in told for d in shape)}


def measured_sizes(graph: gs.Graph, sizes: Mapping[str, int], engines: Engines) -> dict[str, int]:
    """Sizes by symbol in a run of the file's model, if ``sizes`` leave any to be guessed; an empty axis counts as 1."""
    if not guessed(graph, sizes):
        return {}
    wanted = dict(_first_with_each_symbol(graph))
    shapes = engines.measure([*wanted])
    found = ((d, n) for name, shape in shapes.items() for d, n in zip(wanted[name], shape, strict=True))
    return {d: max(n, 1) for d, n in found if isinstance(d, str)}


def _first_with_each_symbol(graph: gs.Graph) -> Iterator[tuple[str, Sequence[int | str]]]:
    """Values of the file's main graph, and their dims: of each symbol the first that has it."""
    proto, seen = graph.origin.proto, set[str]()
    in_file = {name for node in proto.node for name in node.output} | {value.name for value in proto.input}
    for tensor in (*graph.inputs, *(t for node in graph.nodes for t in node.outputs)):
        dims = dims_of(tensor) if tensor.shape is not None else []
        symbols = {d for d in dims if isinstance(d, str)}
        if tensor.name in in_file and not symbols <= seen:
            seen |= symbols
            yield tensor.name, dims
