"""What passes need of the world outside: it is handed in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from onnx import ModelProto, ValueInfoProto

from passes.layout.edit import Array


@dataclass(frozen=True)
class Engines:
    """``infer``: the types and shapes of all values of a skeleton, by name. ``evaluate``: what a model without inputs
    gives, ``None`` if it cannot be run."""

    infer: Callable[[ModelProto], Mapping[str, ValueInfoProto]]
    evaluate: Callable[[ModelProto], Sequence[Array] | None]
