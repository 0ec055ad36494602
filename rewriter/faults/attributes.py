"""Attributes: of one type, with a value of that type, or references where there is something to refer to."""

from onnx import AttributeProto

from rewriter.faults.walk import Found

BESIDES = {"name", "type", "doc_string", "ref_attr_name"}
FIELDS = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.GRAPH: "g",
    AttributeProto.SPARSE_TENSOR: "sparse_tensor",
    AttributeProto.TYPE_PROTO: "tp",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
    AttributeProto.STRINGS: "strings",
    AttributeProto.TENSORS: "tensors",
    AttributeProto.GRAPHS: "graphs",
    AttributeProto.SPARSE_TENSORS: "sparse_tensors",
    AttributeProto.TYPE_PROTOS: "type_protos",
}


def attribute_fault(found: Found) -> str | None:
    """No type, a value of another type, or a reference outside a function."""
    attr: AttributeProto = found.message
    if attr.ref_attr_name:
        what = f"refers to {attr.ref_attr_name!r}, but only a function's nodes can"
        return None if found.in_function else f"attribute {attr.name!r} of {found.name} {what}"
    if attr.type not in FIELDS:
        return f"attribute {attr.name!r} of {found.name} has no type"
    others = {field.name for field, _ in found.fields} - BESIDES - {FIELDS[attr.type]}
    if others:
        kind = AttributeProto.AttributeType.Name(attr.type)
        return f"attribute {attr.name!r} of {found.name} is said to be {kind}, but holds {', '.join(sorted(others))}"
    return None
