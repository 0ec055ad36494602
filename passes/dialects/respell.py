"""A model in the function dialect in the words of a table, and back: nothing but names and attributes changes.

So the one can be proved by the other: weights, edges and the order of nodes are the same.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from onnx import FunctionProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from passes.dialects.base import Form, form_named, form_of
from passes.dialects.functions import FunctionDialect, called, domain_of
from passes.dialects.spelled import MARK, SpelledDialect
from passes.dialects.table import Row, defaults_of, value_of
from passes.ir.declared import every_graph_proto, every_node_proto, opset_of, shape_of, standard

Words = type[SpelledDialect]
Key = tuple[str, str]


class Fact(NamedTuple):
    """What is known of a value: the number of its type, its dims, whether it is a constant."""

    type: int = TensorProto.UNDEFINED
    dims: list[Any] | None = None
    is_constant: bool = False


Facts = Mapping[str, Fact]


def complete(model: ModelProto, words: Words) -> None:
    """Give nodes of a model in the function dialect the attributes that the table has, and no others."""
    facts, opset = _facts(model), opset_of(model)
    for node, form, row in _sayable(model, words, facts):
        told = {attr.name: attr for attr in node.attribute}
        attrs = [attr for name, attr in told.items() if row.only is None or name in row.only]
        if row.explicit:
            given = {**_kernel_shape(node, form, row, facts), **defaults_of(form, row.rank, opset)}
            missing = [name for name in (row.only or given) if name in given and name not in told]
            attrs += [helper.make_attribute(name, given[name]) for name in missing]
        _put(node, attrs)


def respell(model: ModelProto, words: Words) -> None:
    """Write a model in the function dialect, which is ``complete``, in the words of a table."""
    opset, rows = opset_of(model), dict[Key, Row]()
    for node, _, row in _sayable(model, words, _facts(model)):
        rows[row.domain, row.name] = row
        _rename(node, row.renames)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in row.attrs.items())
        node.domain, node.op_type = row.domain, row.name
    known = {standard(one.domain) for one in model.opset_import}
    new = sorted({standard(domain) for domain, _ in rows} - known)
    model.opset_import.extend(helper.make_opsetid(domain, words.table.version or opset) for domain in new)
    if words.table.functions:
        model.functions.extend(function_of(row, opset) for row in rows.values())


def has_words(model: ModelProto, words: Words) -> bool:
    """Whether a node of a model is called like one of the table."""
    keys = {(row.domain, row.name) for row in words.table.rows}
    return any((standard(node.domain), node.op_type) in keys for node in every_node_proto(model.graph))


def mistaken(model: ModelProto, words: Words) -> str | None:
    """A standard operator of a model in the function dialect whose name means NHWC images to readers of the table."""
    names = {row.name for row in words.table.rows if row.is_bare}
    nodes = (node for node in every_node_proto(model.graph) if not standard(node.domain))
    return next((node.name or node.op_type for node in nodes if node.op_type in names), None)


def unspell(model: ModelProto, words: Words) -> bool:
    """Write what a model has in the words of a table in the function dialect; whether it has any.

    A node is left alone whose rank is not known, that has an attribute which the table has not, or that calls a
    function of the file's that means something else; one that a standard operator could be, unless the file says whose
    it is.
    """
    opset, facts = opset_of(model), _facts(model)
    is_marked = any((entry.key, entry.value) == (MARK, words.mark()) for entry in model.metadata_props)
    ours = [row for row in words.table.rows if (is_marked or not row.is_bare) and not _is_another(model, row, opset)]
    read = [(node, *_reading(node, ours, words, facts, opset)) for node in every_node_proto(model.graph)]
    found = [(node, form, row) for node, form, row in read if form and row]
    for node, form, row in found:
        _put(node, [attr for attr in node.attribute if attr.name not in row.attrs])
        _rename(node, {new: old for old, new in row.renames.items()})
        spelling = called(form, row.rank, row.kernel)
        node.domain, node.op_type = spelling.domain, spelling.op
    if found:
        _forget(model, {(row.domain, row.name) for _, _, row in found})
    return bool(found)


def function_of(row: Row, opset: int) -> FunctionProto:
    """What a row means in standard operators: the function of this tool, with the row's names."""
    function = FunctionDialect.function(domain_of(row.rank, row.kernel), row.form, opset)
    assert function is not None
    for node in function.node:
        attrs = [a for a in node.attribute if not a.ref_attr_name or row.only is None or a.ref_attr_name in row.only]
        _put(node, attrs)
        for attr in (attr for attr in node.attribute if attr.ref_attr_name):
            attr.ref_attr_name = row.renames.get(attr.ref_attr_name, attr.ref_attr_name)
    kept = [name for name in function.attribute if row.only is None or name in row.only]
    function.domain, function.name = row.domain, row.name
    del function.attribute[:]
    function.attribute.extend([*(row.renames.get(name, name) for name in kept), *row.attrs])
    return function


def _sayable(model: ModelProto, words: Words, facts: Facts) -> list[tuple[NodeProto, Form, Row]]:
    """The nodes in the function dialect for which there is a row that has all they need."""
    opset, found = opset_of(model), []
    for node in every_node_proto(model.graph):
        spelling = FunctionDialect.read(node.domain, node.op_type, opset)
        row = None if spelling is None else words.row(spelling.form, spelling.rank)
        if spelling is None or row is None or node.domain != domain_of(row.rank, row.kernel):
            continue
        attrs = {attr.name: value_of(attr) for attr in node.attribute}
        fact = facts.get(node.input[0], Fact())
        dtype = helper.tensor_dtype_to_np_dtype(fact.type) if fact.type else None
        is_fixed = not row.fixed or facts.get(node.input[1], Fact()).is_constant
        if is_fixed and row.lacks(spelling.form, opset, attrs, dtype) is None:
            found.append((node, spelling.form, row))
    return found


def _reading(
    node: NodeProto, rows: Iterable[Row], words: Words, facts: Facts, opset: int
) -> tuple[Form | None, Row | None]:
    """What a node in the words of a table is, if it is one."""
    attrs = {attr.name: value_of(attr) for attr in node.attribute}
    ranks = {len(dims) for name in (*node.input[:1], *node.output[:1]) if (dims := facts.get(name, Fact()).dims)}
    for row in rows:
        named = (row.domain, row.name) == (standard(node.domain), node.op_type) and ranks == {row.rank}
        if not named or attrs.keys() - row.names or any(attrs.get(name) != value for name, value in row.attrs.items()):
            continue
        if row.fixed and not facts.get(node.input[1], Fact()).is_constant:
            continue
        own = form_named(row.form, opset)
        form = own and form_of(own.op, len(node.input), len(node.output), opset)
        if form and words.row(form, row.rank) == row:
            return form, row
    return None, None


def _is_another(model: ModelProto, row: Row, opset: int) -> bool:
    """Whether the file has a function of the row's name that is not the row's."""
    same = [f for f in model.functions if (f.domain, f.name) == (row.domain, row.name)]
    return any(function != function_of(row, opset) for function in same)


def _forget(model: ModelProto, keys: set[Key]) -> None:
    """Take the functions that are no longer called out of a model, and domains without an operator."""
    functions = [function for function in model.functions if (function.domain, function.name) not in keys]
    del model.functions[:]
    model.functions.extend(functions)
    gone = {domain for domain, _ in keys if domain} - {node.domain for node in every_node_proto(model.graph)}
    opsets = [one for one in model.opset_import if one.domain not in gone]
    del model.opset_import[:]
    model.opset_import.extend(opsets)


def _facts(model: ModelProto) -> Facts:
    """Of values in the model's graph and its bodies."""
    facts = dict[str, Fact]()
    for graph in every_graph_proto(model.graph):
        open_names = {value.name for value in graph.input}  # a caller may give another value for these
        facts |= {t.name: Fact(t.data_type, [*t.dims], t.name not in open_names) for t in graph.initializer}
        values = (*graph.input, *graph.output, *graph.value_info)
        facts |= {value.name: _fact(value) for value in values if value.name not in facts}
    return facts


def _fact(value: ValueInfoProto) -> Fact:
    return Fact(value.type.tensor_type.elem_type, shape_of(value))


def _kernel_shape(node: NodeProto, form: Form, row: Row, facts: Facts) -> dict[str, list[int]]:
    """The attribute of this name, as far as the kernel is known."""
    if "w" not in form.inputs:
        return {}
    dims = facts.get(node.input[form.inputs.index("w")], Fact()).dims
    letters = row.kernel.replace("w", "").replace("h", "h" * (row.rank - 2))
    sizes = [size for size, letter in zip(dims or (), letters, strict=False) if letter == "h"]
    return {"kernel_shape": sizes} if sizes and all(isinstance(size, int) for size in sizes) else {}


def _rename(node: NodeProto, names: Mapping[str, str]) -> None:
    for attr in node.attribute:
        attr.name = names.get(attr.name, attr.name)


def _put(node: NodeProto, attrs: Iterable[Any]) -> None:
    held = [*attrs]
    del node.attribute[:]
    node.attribute.extend(held)
