"""What a file says of its values, wherever they are."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from onnx import GraphProto, TensorProto, ValueInfoProto

from passes.ir.declared import every_graph_proto, shape_of


class Fact(NamedTuple):
    """What is known of a value: the number of its type, its dims, whether it is a constant."""

    type: int = TensorProto.UNDEFINED
    dims: list[Any] | None = None
    is_constant: bool = False


Facts = Mapping[str, Fact]


def facts_of(graph: GraphProto) -> Facts:
    """Of values in a graph and its bodies, by name."""
    facts = dict[str, Fact]()
    for each in every_graph_proto(graph):
        open_names = {value.name for value in each.input}  # a caller may give another value for these
        facts |= {t.name: Fact(t.data_type, [*t.dims], t.name not in open_names) for t in each.initializer}
        values = (*each.input, *each.output, *each.value_info)
        facts |= {value.name: _fact(value) for value in values if value.name not in facts}
    return facts


def _fact(value: ValueInfoProto) -> Fact:
    return Fact(value.type.tensor_type.elem_type, shape_of(value))
