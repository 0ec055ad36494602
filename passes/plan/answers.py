"""What rules answer, asked once for all nodes that look alike: operator, attributes, shapes, and where a rule looked,
constants."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar, cast

import numpy as np
import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.layout.edit import Array
from passes.rules.api import Node

T = TypeVar("T")
Look = tuple[str, int]  # a question that a rule may ask about an input, and the number of that input


class WatchedNode(Node):
    """A node that notes which of its inputs' values rules have looked at: ``looks``."""

    def __init__(self, node: gs.Node, opset: int, dialect: Dialect) -> None:
        super().__init__(node, opset, dialect)
        self.looks: dict[Look, Any] = {}
        self._whole, self._numbers = self, {id(tensor): i for i, tensor in enumerate(self._inputs)}

    def weights(self, index: int) -> Array:
        return self._look("weights", index) if self.is_constant(index) else super().weights(index)

    def may_hold_zero(self, index: int) -> bool:
        return bool(self._look("may_hold_zero", index))

    def _look(self, question: str, index: int) -> Any:
        """The answer, noted by the input's number in the whole node."""
        look = (question, self._numbers[id(self._inputs[index])])
        if look not in self.looks:
            self.looks[look] = self.see(look)
        return self.looks[look]

    def see(self, look: Look) -> Any:
        """What a rule sees that looks there."""
        question, number = look
        return getattr(Node, question)(self._whole, number)

    @property
    def appearance(self) -> Hashable:
        """What rules see of the node without looking into its inputs' values."""
        tensors = [*self._inputs, *self._outputs]
        numbers = {tensor.name: i for i, tensor in reversed([*enumerate(tensors)])}
        seen = (
            (numbers[t.name], isinstance(t, gs.Constant), t.dtype, None if t.shape is None else tuple(t.shape))
            if t.name else None for t in tensors
        )  # fmt: skip
        attrs = tuple((name, _frozen(value)) for name, value in sorted(self.attrs.items()))
        return self.domain, self.op, self.opset, self.dialect, self.arity, attrs, tuple(seen)


class Answers:
    """Answers by question and appearance of the node asked, with what was looked at to give them."""

    def __init__(self) -> None:
        self._given: dict[Hashable, list[tuple[Mapping[Look, Any], Any]]] = {}

    def of(self, node: WatchedNode, question: Hashable, ask: Callable[[], T]) -> T:
        """What ``ask`` gives for the node, or gave for one that looks the same wherever it looked."""
        given = self._given.setdefault(question, [])
        for looks, answer in given:
            if all(_same(seen, node.see(look)) for look, seen in looks.items()):
                return cast(T, answer)
        node.looks = {}
        answer = ask()
        given.append((node.looks, answer))
        return answer


def _same(one: Any, other: Any) -> bool:
    if not isinstance(one, np.ndarray):
        return bool(one == other)
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def _frozen(value: Any) -> Hashable:
    """An attribute as something to compare; what cannot be, is only itself."""
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return value if isinstance(value, int | float | str | bytes | None) else id(value)
