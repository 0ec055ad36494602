"""A model in the function dialect in the words of a table, and back: nothing but names and attributes changes.

So the one can be proved by the other: weights, edges and the order of nodes are the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from onnx import FunctionProto, ModelProto, NodeProto, helper

from passes.dialects.attributes import add, implied, is_one_of, names_of, put, trim, value_of
from passes.dialects.base import Form, form_named, form_of, kernel_perm
from passes.dialects.facts import Fact, Facts, facts_of
from passes.dialects.functions import FunctionDialect, called, domain_of
from passes.dialects.spelled import MARK, SpelledDialect
from passes.dialects.table import Row
from passes.ir.declared import every_node_proto, opset_of, standard

Words = type[SpelledDialect]
Key = tuple[str, str]


def complete(model: ModelProto, words: Words) -> None:
    """Give nodes of a model in the function dialect the attributes that the table has, and no others."""
    facts, opset = facts_of(model.graph), opset_of(model)
    found = _sayable(model, words, facts)
    for node, _, row in found:
        put(node, [attr for attr in node.attribute if row.only is None or attr.name in row.only])
    told = _attributes(found) if words.table.functions else {}
    for node, form, row in found:
        given = implied(node, form, kernel_perm(form.op, row.rank, row.kernel), facts, opset)
        add(node, given, (row.only or given) if row.explicit else told.get((row.domain, row.name), ()))


def respell(model: ModelProto, words: Words) -> None:
    """Write a model in the function dialect, which is ``complete``, in the words of a table."""
    opset, rows = opset_of(model), dict[Key, Row]()
    found = _sayable(model, words, facts_of(model.graph))
    for node, _, row in found:
        rows[row.domain, row.name] = row
        _rename(node, row.renames)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in row.attrs.items())
        node.domain, node.op_type = row.domain, row.name
    known = {standard(one.domain) for one in model.opset_import}
    new = sorted({standard(domain) for domain, _ in rows} - known)
    model.opset_import.extend(helper.make_opsetid(domain, words.table.version or opset) for domain in new)
    if words.table.functions:
        told = _attributes(found)
        functions = {key: function_of(row, opset) for key, row in rows.items()}
        for key, function in functions.items():
            trim(function, told[key])
        model.functions.extend(functions.values())


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
    opset, facts = opset_of(model), facts_of(model.graph)
    is_marked = any((entry.key, entry.value) == (MARK, words.mark()) for entry in model.metadata_props)
    ours = [row for row in words.table.rows if (is_marked or not row.is_bare) and not _is_another(model, row, opset)]
    read = [(node, *_reading(node, ours, words, facts, opset)) for node in every_node_proto(model.graph)]
    found = [(node, form, row) for node, form, row in read if form and row]
    for node, form, row in found:
        put(node, [attr for attr in node.attribute if attr.name not in row.attrs])
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
    if row.only is not None:
        trim(function, row.only)
    for attr in (attr for node in function.node for attr in node.attribute if attr.ref_attr_name):
        attr.ref_attr_name = row.renames.get(attr.ref_attr_name, attr.ref_attr_name)
    own = [row.renames.get(name, name) for name in function.attribute]
    function.domain, function.name = row.domain, row.name
    del function.attribute[:]
    function.attribute.extend([*own, *row.attrs])
    return function


def _attributes(found: Iterable[tuple[NodeProto, Form, Row]]) -> dict[Key, set[str]]:
    """The attributes that nodes for which there are rows have, by what they are called there."""
    told = defaultdict[Key, set[str]](set)
    for node, _, row in found:
        told[row.domain, row.name] |= names_of([node])
    return told


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
    key = row.domain, row.name
    calls = [node for node in every_node_proto(model.graph) if (node.domain, node.op_type) == key]
    same = [f for f in model.functions if (f.domain, f.name) == key]
    return any(not is_one_of(function, function_of(row, opset), calls) for function in same)


def _forget(model: ModelProto, keys: set[Key]) -> None:
    """Take the functions that are no longer called out of a model, and domains without an operator."""
    functions = [function for function in model.functions if (function.domain, function.name) not in keys]
    del model.functions[:]
    model.functions.extend(functions)
    gone = {domain for domain, _ in keys if domain} - {node.domain for node in every_node_proto(model.graph)}
    opsets = [one for one in model.opset_import if one.domain not in gone]
    del model.opset_import[:]
    model.opset_import.extend(opsets)


def _rename(node: NodeProto, names: Mapping[str, str]) -> None:
    for attr in node.attribute:
        attr.name = names.get(attr.name, attr.name)
