"""Shapes that a model declares of values and that a run of it refutes, asked only where the rewriter fails on it."""

from collections.abc import Sequence

from passes.ir.declared import Shape, shape_of
from rewriter.files.light import LightModel
from rewriter.validation.inputs import InputRequest
from rewriter.validation.measure import measure


def declared_fault(light: LightModel, request: InputRequest) -> str | None:
    """The first value of the main graph that is declared with another shape than onnxruntime makes.

    Plans are made by declared shapes, and onnxruntime does not mind them. ``None`` where nothing is refuted, as of a
    model that does not run.
    """
    model = light.proto
    made = {name for node in model.graph.node for name in node.output}
    values = ((value.name, shape_of(value)) for value in (*model.graph.value_info, *model.graph.output))
    declared = {name: shape for name, shape in values if name in made and shape is not None}
    for name, shape in measure(light, request, [*declared]).items():
        if not _fits(shape, declared[name]):
            return f"value {name!r} is declared with shape {declared[name]}, and has shape {[*shape]} when it runs"
    return None


def _fits(shape: Sequence[int], declared: Shape) -> bool:
    """Whether a value of this shape may be declared so; symbols stand for any size."""
    pairs = zip(shape, declared, strict=False)
    return len(shape) == len(declared) and all(size == told or not isinstance(told, int) for size, told in pairs)
