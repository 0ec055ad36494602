"""Inputs, outputs and weights of the graph: where one name is declared twice, alike."""

from onnx import ModelProto

from passes.ir.declared import Shape, shape_of


def ends_fault(model: ModelProto) -> str | None:
    """A value that is declared with two shapes, as input and output, say, or twice as an output."""
    graph, known = model.graph, dict[str, Shape]()
    declared = [(value.name, shape_of(value)) for value in (*graph.input, *graph.output)]
    for name, shape in [*((tensor.name, [*tensor.dims]) for tensor in graph.initializer), *declared]:
        if shape is not None and not _agree(shape, known.setdefault(name, shape)):
            return f"value {name!r} is declared with two shapes: {known[name]} and {shape}"
    return None


def _agree(one: Shape, other: Shape) -> bool:
    """Whether a tensor can have both shapes; symbols stand for any size."""
    pairs = zip(one, other, strict=False)
    sizes = ((a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int))
    return len(one) == len(other) and all(a == b for a, b in sizes)
