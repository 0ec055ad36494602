"""Models broken at random, by the structure of their protobuf: any field of any message, whatever it means."""

from collections import defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from onnx import ModelProto

from tests.support.broken_nodes import MARK

Spoil = Callable[[ModelProto, Random], None]  # raises LookupError or ValueError where there is nothing of the kind

NAMES = ("", " ", "0", MARK, "a" * 10_000, "<script>alert(1)</script>", "[/red]", "[bold]", "a\nb", "a\0b", "\u2603",
         "a/b", "..", '"', "'", "\\", "%s", "{x}", "x", "y", "Conv", "rewriter.nhwc", "ai.onnx", "\u202e", "__",
         "?")  # fmt: skip
INTS = (0, 1, -1, 2, 3, 4, 7, 99, 255, 256, 2**31 - 1, 2**31, -(2**31), 2**32, 2**40, 2**62, 2**63 - 1, -(2**63))
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e38, float("inf"), float("-inf"), float("nan"))
BITS_32 = (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_ENUM)


def messages(model: ModelProto) -> dict[type, list[Any]]:
    """All messages of a model by their type."""
    found: dict[type, list[Any]] = defaultdict(list)
    left: list[Message] = [model]
    while left:
        message = left.pop()
        found[type(message)].append(message)
        for field, value in message.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                left.extend([value] if isinstance(value, Message) else value)
    return found


def any_message(model: ModelProto, rng: Random) -> Any:
    """One of any type: as many of each, however many there are."""
    found = messages(model)
    return rng.choice(found[rng.choice(list(found))])


def one_of(model: ModelProto, kind: type, rng: Random) -> Any:
    """A message of this type."""
    return rng.choice(messages(model)[kind])


def scalar(field: FieldDescriptor, old: Any, rng: Random) -> Any:
    """Another value for a field that is no message."""
    if field.type == FieldDescriptor.TYPE_STRING:
        return rng.choice([*NAMES, str(old) + "x", str(old)[:-1]])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.choice([b"", old[:-1], old + b"\0", old[: len(old) // 2], b"\xff\xfe" + old, old * 2])
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return rng.choice(FLOATS)
    number: int = rng.choice([*INTS, old + 1, old - 1])
    return (number + 2**31) % 2**32 - 2**31 if field.type in BITS_32 else (number + 2**63) % 2**64 - 2**63


def is_repeated(value: Any) -> bool:
    return hasattr(value, "append")


def set_scalar(model: ModelProto, rng: Random) -> None:
    """Any number, name or data."""
    message = any_message(model, rng)
    known = [(f, v) for f, v in message.ListFields() if f.type != FieldDescriptor.TYPE_MESSAGE]
    field, value = rng.choice(known)
    if is_repeated(value):
        place = rng.randrange(len(value))
        value[place] = scalar(field, value[place], rng)
    else:
        setattr(message, field.name, scalar(field, value, rng))


def set_new(model: ModelProto, rng: Random) -> None:
    """A field that was not set."""
    message = any_message(model, rng)
    held = {field.name for field, _ in message.ListFields()}
    field = rng.choice([field for field in message.DESCRIPTOR.fields if field.name not in held])
    value = getattr(message, field.name)
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        value.add() if is_repeated(value) else value.SetInParent()
    elif is_repeated(value):
        empty: Any = {FieldDescriptor.TYPE_STRING: "", FieldDescriptor.TYPE_BYTES: b""}.get(field.type, 0)
        value.append(scalar(field, empty, rng))
    else:
        setattr(message, field.name, scalar(field, value, rng))


def clear(model: ModelProto, rng: Random) -> None:
    message = any_message(model, rng)
    message.ClearField(rng.choice(message.ListFields())[0].name)


def _several(model: ModelProto, rng: Random) -> Any:
    """A field with several entries."""
    message = any_message(model, rng)
    return rng.choice([value for _, value in message.ListFields() if is_repeated(value)])


def drop(model: ModelProto, rng: Random) -> None:
    values = _several(model, rng)
    del values[rng.randrange(len(values))]


def duplicate(model: ModelProto, rng: Random) -> None:
    values = _several(model, rng)
    copied = [*values]
    copied.insert(rng.randrange(len(copied) + 1), rng.choice(copied))
    _refill(values, copied)


def shuffle(model: ModelProto, rng: Random) -> None:
    values = _several(model, rng)
    copied = [*values]
    rng.shuffle(copied)
    _refill(values, copied)


def empty(model: ModelProto, rng: Random) -> None:
    del _several(model, rng)[:]


def grow(model: ModelProto, rng: Random) -> None:
    values = _several(model, rng)
    _refill(values, [*values] * rng.choice([2, 3, 50]))


def _refill(values: Any, new: list[Any]) -> None:
    held = [type(one).FromString(one.SerializeToString()) if isinstance(one, Message) else one for one in new]
    del values[:]
    values.extend(held)


def replace(model: ModelProto, rng: Random) -> None:
    """A message by another of its type."""
    found = messages(model)
    alike = found[rng.choice([kind for kind, several in found.items() if len(several) > 1])]
    one, other = rng.sample(alike, 2)
    one.CopyFrom(type(other).FromString(other.SerializeToString()))


def swap(model: ModelProto, rng: Random) -> None:
    """Two values of a field of two messages."""
    found = messages(model)
    alike = found[rng.choice([kind for kind, several in found.items() if len(several) > 1])]
    one, other = rng.sample(alike, 2)
    name = rng.choice([field.name for field, _ in one.ListFields() if other.HasField(field.name)])
    first, second = getattr(one, name), getattr(other, name)
    if isinstance(first, Message):
        held = type(first).FromString(first.SerializeToString())
        first.CopyFrom(second)
        second.CopyFrom(held)
    else:
        setattr(one, name, second)
        setattr(other, name, first)


FIELDS: tuple[Spoil, ...] = (
    set_scalar, set_scalar, set_scalar, set_new, set_new, clear, clear, drop, duplicate, shuffle, empty, grow,
    replace, swap,
)  # fmt: skip
