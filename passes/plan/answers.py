"""What rules answer, asked once for all nodes that look alike: operator, attributes, ranks, and wherever a rule looked,
sizes and constants."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import numpy as np
import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.layout.edit import Array
from passes.rules.api import IN, OUT, Node, Slot

T = TypeVar("T")
Look = tuple[str, Slot]  # a question that a rule may ask about a value, and where the node has that


class WatchedNode(Node):
    """A node that notes what rules have looked at: ``looks``."""

    def __init__(self, node: gs.Node, opset: int, dialect: Dialect) -> None:
        super().__init__(node, opset, dialect)
        self.looks: dict[Look, Hashable] = {}
        sides = (IN, self._inputs), (OUT, self._outputs)
        self._whole, self._slots = self, {id(t): side(i) for side, some in sides for i, t in enumerate(some)}

    def tensor(self, slot: Slot) -> gs.Tensor:
        self._note("dims", slot)
        return super().tensor(slot)

    def weights(self, index: int) -> Array:
        if self.is_constant(index):
            self._note("weights", IN(index))
        return super().weights(index)

    def may_hold_zero(self, index: int) -> bool:
        self._note("may_hold_zero", IN(index))
        return super().may_hold_zero(index)

    def is_left_out(self, index: int) -> bool:
        if self.has(IN(index)):
            self._note("is_left_out", IN(index))
        return super().is_left_out(index)

    def _note(self, question: str, slot: Slot) -> None:
        """By the value's slot in the whole node."""
        look = (question, self._slots[id(self._at(slot))])
        if look not in self.looks:
            self.looks[look] = self._whole.see(look)

    def see(self, look: Look) -> Hashable:
        """What a rule sees that looks there."""
        question, slot = look
        if question == "dims":
            return _dims(self._at(slot))
        return _frozen(getattr(Node, question)(self, slot.number))

    @property
    def dims(self) -> Hashable:
        """The shapes of all inputs and outputs."""
        return tuple([_dims(tensor) for tensor in (*self._inputs, *self._outputs)])

    @property
    def appearance(self) -> Hashable:
        """What rules see of the node without looking at its values."""
        tensors = [*self._inputs, *self._outputs]
        numbers = {tensor.name: i for i, tensor in reversed([*enumerate(tensors)])}
        seen = (
            (numbers[t.name], isinstance(t, gs.Constant), t.dtype, None if t.shape is None else len(t.shape))
            if t.name else None for t in tensors
        )  # fmt: skip
        attrs = tuple((name, _frozen(value)) for name, value in sorted(self.attrs.items()))
        return self.domain, self.op, self.opset, self.dialect, self.arity, attrs, tuple(seen)


class Answers:
    """Answers by question and appearance of the node asked, with what was looked at to give them."""

    def __init__(self) -> None:
        self._given: dict[Hashable, dict[tuple[Look, ...], dict[Hashable, Any]]] = {}

    def of(self, node: WatchedNode, question: Hashable, ask: Callable[[], T]) -> T:
        """What ``ask`` gives for the node, or gave for one that looks the same wherever it looked."""
        given = self._given.setdefault(question, {})
        for looks, answers in given.items():
            seen = tuple(map(node.see, looks))
            if seen in answers:
                return cast(T, answers[seen])
        node.looks = {}
        answer = ask()
        given.setdefault(tuple(node.looks), {})[tuple(node.looks.values())] = answer
        return answer


def _dims(tensor: gs.Tensor) -> Hashable:
    return None if tensor.shape is None else tuple(tensor.shape)


def _frozen(value: Any) -> Hashable:
    """An attribute or constant as something to compare; what cannot be, is only itself."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return value if isinstance(value, int | float | str | bytes | None) else id(value)
