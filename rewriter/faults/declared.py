"""Shapes that a model declares of values and that a run of it refutes, asked only where the rewriter fails on it."""

from passes.ir.declared import shape_of
from rewriter.files.light import LightModel
from rewriter.validation.inputs import InputRequest
from rewriter.validation.measure import measure


def declared_fault(light: LightModel, request: InputRequest) -> str | None:
    """The first value of the main graph that is declared with another shape than onnxruntime makes.

    Plans are made by declared shapes, and onnxruntime does not mind them. A symbol is one size, wherever it stands.
    ``None`` where nothing is refuted, as of a model that does not run.
    """
    graph = light.proto.graph
    made = {value.name for value in graph.input} | {name for node in graph.node for name in node.output}
    values = ((value.name, shape_of(value)) for value in (*graph.input, *graph.value_info, *graph.output))
    declared = {name: shape for name, shape in values if name in made and shape is not None}
    sizes: dict[str, int] = {}
    for name, shape in measure(light, request, [*declared]).items():
        known = [_known(size, told, sizes) for size, told in zip(shape, declared[name], strict=False)]
        if len(shape) != len(declared[name]) or [*shape] != known:
            pairs = zip(declared[name], known, shape, strict=False)
            others = "".join(f" where {told} is {here}" for told, here, size in pairs if told != here != size)
            return (
                f"value {name!r} is declared with shape {declared[name]}{others}, and has shape {[*shape]} when it runs"
            )
    return None


def _known(size: int, told: int | str | None, sizes: dict[str, int]) -> int:
    """What a dim is declared to be, if it has this size; that of a symbol is noted where it is met first."""
    if isinstance(told, int):
        return told
    return size if told is None else sizes.setdefault(told, size)
