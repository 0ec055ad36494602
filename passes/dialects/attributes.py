"""Attributes that a call of a function has not: what it means by that, and what becomes of references to them.

onnxruntime leaves a reference to an absent attribute out. onnx's evaluator fails, and others read 0 or nothing. So a
function refers to what its calls have, and where these differ, each says what it means.
"""

from collections.abc import Collection, Iterable
from copy import deepcopy
from typing import Any

import onnx
from onnx import AttributeProto, FunctionProto, NodeProto, helper

from passes.dialects.base import Form
from passes.dialects.facts import Fact, Facts
from passes.ir.declared import standard
from passes.layout.perm import Perm

PER_AXIS = {"strides": (1, 1), "dilations": (1, 1), "pads": (2, 0), "output_padding": (1, 0)}  # entries, default


def defaults_of(form: Form, rank: int, opset: int) -> dict[str, Any]:
    """The attributes of a form's operator that have a default, on images of a rank."""
    schema = onnx.defs.get_schema(form.op, opset)
    told = {name: one.default_value for name, one in schema.attributes.items() if one.default_value.type}
    per_axis = {n: [value] * (times * (rank - 2)) for n, (times, value) in PER_AXIS.items() if n in schema.attributes}
    return {**{name: value_of(attr) for name, attr in told.items()}, **per_axis}


def implied(call: NodeProto, form: Form, kernel: Perm, facts: Facts, opset: int) -> dict[str, Any]:
    """What a call of a form, with kernels stored as ``kernel``, means by attributes that it has not, if that is known.

    Beside ``auto_pad`` there are no ``pads``, not even zeros: onnx and onnxruntime refuse both of a convolution, and
    onnx infers another shape of a pool.
    """
    told = {attr.name: value_of(attr) for attr in call.attribute}
    meant = {**_kernel_shape(call, form, kernel, facts), **defaults_of(form, len(kernel), opset)}
    without = {"pads"} if told.get("auto_pad", "NOTSET") != "NOTSET" else set()
    return {name: value for name, value in meant.items() if name not in told.keys() | without}


def add(call: NodeProto, meant: dict[str, Any], names: Collection[str]) -> None:
    """Give a call of what it means the attributes with these names."""
    call.attribute.extend(helper.make_attribute(name, meant[name]) for name in sorted(meant.keys() & {*names}))


def names_of(calls: Iterable[NodeProto]) -> set[str]:
    """The attributes that any of these nodes has."""
    return {attr.name for call in calls for attr in call.attribute}


def trim(function: FunctionProto, names: Collection[str]) -> None:
    """Leave a function of the attributes that it may be called with those with these names."""
    for node in function.node:
        put(node, [attr for attr in node.attribute if not attr.ref_attr_name or attr.ref_attr_name in names])
    kept = [name for name in function.attribute if name in names]
    del function.attribute[:]
    function.attribute.extend(kept)


def is_one_of(function: FunctionProto, whole: FunctionProto, calls: Iterable[NodeProto]) -> bool:
    """Whether a file's function is a ``whole`` one, with all attributes or some, among them all of its ``calls``.

    onnxruntime ignores what a call has and its function does not declare.
    """
    meant = deepcopy(whole)
    trim(meant, function.attribute)
    return _meaning(function) == _meaning(meant) and names_of(calls) <= {*function.attribute}


def put(node: NodeProto, attrs: Iterable[AttributeProto]) -> None:
    """Give a node these attributes in place of its own."""
    held = [*attrs]
    del node.attribute[:]
    node.attribute.extend(held)


def value_of(attr: AttributeProto) -> Any:
    """Its value as plain numbers, text and lists."""
    value = helper.get_attribute_value(attr)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return list(value) if attr.type in (AttributeProto.INTS, AttributeProto.FLOATS, AttributeProto.STRINGS) else value


def _kernel_shape(call: NodeProto, form: Form, kernel: Perm, facts: Facts) -> dict[str, list[int]]:
    """The attribute of this name, as far as the kernel is known."""
    operands = dict(zip(form.inputs, call.input, strict=False))
    dims = facts.get(operands.get("w", ""), Fact()).dims or ()
    sizes = [size for size, axis in zip(dims, kernel, strict=False) if axis >= 2]
    return {"kernel_shape": sizes} if sizes and all(isinstance(size, int) for size in sizes) else {}


def _meaning(function: FunctionProto) -> tuple[Any, ...]:
    """All of a function but what it and its nodes are called, and in which order nodes have their attributes."""
    nodes = []
    for node in function.node:
        plain = deepcopy(node)
        plain.ClearField("name")
        put(plain, sorted(node.attribute, key=lambda attr: attr.name))
        nodes.append(plain.SerializeToString(deterministic=True))
    opset = [one.version for one in function.opset_import if not standard(one.domain)]
    defaults = [one.name for one in function.attribute_proto]
    return [*function.input], [*function.output], sorted(function.attribute), defaults, opset, nodes
