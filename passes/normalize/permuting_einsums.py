"""An Einsum of one operand that only permutes its axes, as the Transpose that it is.

Files made for a runtime that undoes Transposes have them so (``apply/hold_changes.py``).
"""

import onnx_graphsurgeon as gs

from passes.ir.graph import every_graph, is_standard, new_node


def permuting_einsums(graph: gs.Graph) -> gs.Graph:
    """The graph with a Transpose for each of them, in bodies too."""
    for each in every_graph(graph):
        each.nodes[:] = [_transpose(node) or node for node in each.nodes]
    return graph


def _transpose(node: gs.Node) -> gs.Node | None:
    if node.op != "Einsum" or not is_standard(node) or len(node.inputs) != 1:
        return None
    term, arrow, result = str(node.attrs["equation"]).replace(" ", "").partition("->")
    if not arrow or not term.isalpha() or len({*term}) < len(term) or sorted(term) != sorted(result):
        return None
    attrs = {"perm": [term.index(letter) for letter in result]}
    changed = frozenset({"perm", "equation"})
    return new_node(node, node.inputs, node.outputs, op="Transpose", attrs=attrs, changed=changed)
