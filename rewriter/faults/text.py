"""Names and other strings, which are UTF-8."""

from collections.abc import Iterable

from google.protobuf.descriptor import FieldDescriptor
from onnx import AttributeProto, TensorProto

from rewriter.faults.walk import Found


def text_fault(found: Found) -> str | None:
    """A string that is not UTF-8, among the message's own; protobuf gives such a one as bytes."""
    for field, value in found.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            for one in (value,) if isinstance(value, str | bytes) else value:
                if isinstance(one, bytes):
                    return _not_text(found, field.name, one)
    return None


def attribute_text_fault(found: Found) -> str | None:
    """A string attribute that is not UTF-8, which ONNX says that it is."""
    attr: AttributeProto = found.message
    texts = {AttributeProto.STRING: (attr.s,), AttributeProto.STRINGS: attr.strings}.get(attr.type, ())
    return _first_not_text(found, f"attribute {attr.name!r}", texts)


def string_data_fault(found: Found) -> str | None:
    """An element of a tensor of strings that is not UTF-8."""
    tensor: TensorProto = found.message
    return _first_not_text(found, "string_data", tensor.string_data if tensor.data_type == tensor.STRING else ())


def _first_not_text(found: Found, what: str, texts: Iterable[bytes]) -> str | None:
    for one in texts:
        try:
            one.decode()
        except UnicodeDecodeError:
            return _not_text(found, what, one)
    return None


def _not_text(found: Found, what: str, text: bytes) -> str:
    return f"{what} of {found.name} is not UTF-8 ({text[:40]!r})"
