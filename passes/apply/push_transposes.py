"""Applies a Plan: builds the graph it describes. The only creator of Transposes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from string import ascii_lowercase
from typing import Any, NamedTuple

import numpy as np
import onnx_graphsurgeon as gs

from passes.apply.fold_initializers import Initializers, suffix
from passes.ir import constants
from passes.ir.control_flow import NODE, Place, couplings, flat, scan_axes
from passes.ir.graph import all_names, assemble, bodies, changed_bodies, every_node, natural_layout, new_node, unused
from passes.layout.recipe import Reshape, Step, Transpose, recipe
from passes.plan.plan import Plan, nearest
from passes.rules.api import (
    ANY,
    Array,
    Edit,
    Expand,
    Layout,
    Lookup,
    Move,
    Omit,
    Put,
    Take,
    perm,
)

HELD = (np.float32, np.float64)  # types of which onnxruntime has an Einsum


class Pushed(NamedTuple):
    """A graph, and how it stores the values of the one before: by new name, the value and its layout."""

    graph: gs.Graph
    stored: Mapping[str, tuple[str, Layout]]


def push(graph: gs.Graph, plan: Plan, fixed: Mapping[str, Layout]) -> Pushed:
    """The graph with every node moved as planned; ``graph`` itself is left as it was.

    ``fixed`` are the layouts of graph inputs and outputs.
    """
    shared = _Shared(graph, plan, fixed)
    return Pushed(_Push(graph, shared).run([wanted(t, fixed) for t in graph.outputs]), shared.stored)


def wanted(tensor: gs.Tensor, layouts: Mapping[str, Layout]) -> Layout:
    """The layout of a value, which is its natural one where ``layouts`` does not tell another."""
    return layouts.get(tensor.name) or natural_layout(tensor)


class _Shared:
    """What the main graph and its bodies share while they are pushed."""

    def __init__(self, graph: gs.Graph, plan: Plan, fixed: Mapping[str, Layout]) -> None:
        self.plan, self.fixed = plan, fixed
        self.stored: dict[str, tuple[str, Layout]] = {}
        self.moves = iter(plan.moves)
        self.names = all_names(graph)
        self.node_names = {node.name for node in every_node(graph)}
        self.initializers = Initializers(self.name)
        self.initializers.count(flat(graph), plan.moves, {t.name: wanted(t, fixed) for t in graph.outputs})

    def name(self, wish: str) -> str:
        return unused(wish, self.names)


class _Push:
    """Pushes one graph; ``outer`` pushes the graph around it."""

    def __init__(self, graph: gs.Graph, shared: _Shared, outer: "_Push | None" = None) -> None:
        self.graph, self.shared, self.outer = graph, shared, outer
        self.nodes: list[gs.Node] = []
        self.tensors: dict[str, dict[Layout, gs.Tensor]] = defaultdict(dict)  # by name and layout; first as stored

    def run(self, wanted: Sequence[Layout]) -> gs.Graph:
        """The graph with its outputs in the layouts ``wanted``."""
        inputs = [self._define(tensor) for tensor in self.graph.inputs]
        for node in self.graph.nodes:
            if bodies(node):
                self._control(node)
            else:
                self._node(node, next(self.shared.moves))
        outputs = [self._at(t, layout) for t, layout in zip(self.graph.outputs, wanted, strict=True)]
        return assemble(self.graph, self.nodes, inputs, outputs)

    def _control(self, node: gs.Node) -> None:
        """A node with bodies: its couplings say in which layouts values go into and out of them."""
        wanted: dict[Place, Layout] = {}
        axes: dict[str, list[int]] = {}
        for coupling in couplings(node):
            move = next(self.shared.moves)
            wanted.update(zip(coupling.sources, move.inputs, strict=True))
            if coupling.axis is not None and "axis" in move.attrs:
                name, number = coupling.axis
                axes.setdefault(name, scan_axes(node, name))[number] = move.attrs["axis"]
        inputs = [self._operand(t, wanted[Place(NODE, i)], None) for i, t in enumerate(node.inputs)]
        ends = [[wanted[Place(k, i)] for i in range(len(body.outputs))] for k, body in enumerate(bodies(node))]
        attrs = changed_bodies(node, lambda body: _Push(body, self.shared, self).run(ends.pop(0)))
        outputs = [self._define(t) for t in node.outputs]
        self.nodes.append(new_node(node, inputs, outputs, attrs={**attrs, **axes}, changed=frozenset(axes)))

    def _node(self, node: gs.Node, move: Move) -> None:
        operands = list(node.inputs) + [gs.Variable.empty()] * (len(move.inputs) - len(node.inputs))
        inputs = [self._operand(t, move.inputs[i], move.edits.get(i)) for i, t in enumerate(operands)]
        outputs = [self._define(t) for t in node.outputs]
        results = list(outputs)
        for j in move.results:  # a vector with one entry per axis (Shape's result), before it is reordered
            name = self.shared.name(f"{outputs[j].name}_stored")
            results[j] = gs.Variable(name, outputs[j].dtype, [len(node.inputs[0].shape)])
        if move.steps:
            self._steps(node, move, inputs, results[0])
        else:
            self._moved(node, move, inputs, results)
        for j, edit in move.results.items():
            self._edit(edit, results[j], outputs[j])

    def _moved(self, node: gs.Node, move: Move, inputs: list[gs.Tensor], outputs: list[gs.Tensor]) -> None:
        inputs = [inputs[i] for i in move.operands] or inputs
        while inputs and not inputs[-1].name:
            inputs.pop()
        attrs = {key: value for key, value in {**node.attrs, **move.attrs}.items() if value is not None}
        op, domain, changed = move.op or node.op, move.domain or node.domain, frozenset(move.attrs)
        self.nodes.append(new_node(node, inputs, outputs, op=op, domain=domain, attrs=attrs, changed=changed))

    def _steps(self, node: gs.Node, move: Move, inputs: list[gs.Tensor], result: gs.Tensor) -> None:
        parts: list[gs.Tensor] = []

        def operand(one: int | Array) -> gs.Tensor:
            if isinstance(one, int):
                return parts[one] if one < 0 else inputs[one]
            return constants.of_array(self.shared.name(f"{node.name or node.op}_constant"), one)

        for step in move.steps:
            operands = [operand(one) for one in step.operands]
            if step is move.steps[-1]:
                parts.append(result)
            else:
                shape = result.shape if step.same_shape else None
                parts.append(gs.Variable(self.shared.name(f"{result.name}_part"), result.dtype, shape))
            self._add(step.op, operands, parts[-1], dict(step.attrs), node.name)

    def _operand(self, tensor: gs.Tensor, layout: Layout, edit: Edit | None) -> gs.Tensor:
        """What a node reads: the value in the layout it needs, then edited."""
        if isinstance(edit, Put):
            return constants.of_array(self.shared.initializers.edited_name(tensor), edit.array)
        if isinstance(edit, Omit):
            return gs.Variable.empty()
        if not tensor.name:
            return tensor
        if layout == ANY:
            layout = wanted(tensor, self.shared.plan.stored)
        if isinstance(tensor, gs.Constant):
            held = self.shared.initializers
            if edit is None:
                return held.stored(tensor, layout)
            return constants.changed(tensor, held.edited_name(tensor), layout, edit)
        value = self._at(tensor, layout)
        if edit is None:
            return value
        shape = None if isinstance(edit, Expand) else tensor.shape
        edited = gs.Variable(self.shared.name(f"{tensor.name}_moved"), tensor.dtype, shape)
        self._edit(edit, value, edited)
        return edited

    def _define(self, tensor: gs.Tensor) -> gs.Tensor:
        """The new tensor of a graph input or node output, stored as planned."""
        if not tensor.name:
            return tensor
        layout = wanted(tensor, self.shared.plan.stored)
        taken = tensor.name in self.shared.fixed and self.shared.fixed[tensor.name] != layout
        name = self.shared.name(f"{tensor.name}_{suffix(layout)}") if taken else tensor.name
        self.tensors[tensor.name][layout] = new = gs.Variable(name, tensor.dtype, stored_shape(tensor, layout))
        self.shared.stored[name] = tensor.name, layout
        new.type = tensor.type
        return new

    def _at(self, tensor: gs.Tensor, layout: Layout) -> gs.Tensor:
        """The value in ``layout``, through a Transpose if it is stored another way."""
        if isinstance(tensor, gs.Constant):
            return self.shared.initializers.stored(tensor, layout)
        if tensor.name not in self.tensors and self.outer is not None:
            return self.outer._at(tensor, layout)
        have = self.tensors[tensor.name]
        if layout not in have:
            have[layout] = self._relayout(tensor, nearest(have, layout, tensor.shape), layout)
        return have[layout]

    def _relayout(self, tensor: gs.Tensor, source: Layout, layout: Layout) -> gs.Tensor:
        """The value, stored as ``source``, as ``layout``."""
        owned = self.shared.fixed.get(tensor.name) == layout
        name = tensor.name if owned else self.shared.name(f"{tensor.name}_{suffix(layout)}")
        result = gs.Variable(name, tensor.dtype, stored_shape(tensor, layout))
        self.shared.stored[name] = tensor.name, layout
        value, steps = self.tensors[tensor.name][source], recipe(source, layout, tensor.shape)
        for step in steps:
            made = result if step is steps[-1] else gs.Variable(self.shared.name(f"{name}_part"), tensor.dtype)
            self._step(step, value, made, held=(tensor.name, layout) in self.shared.plan.held)
            value = made
        return result

    def _step(self, step: Step, value: gs.Tensor, made: gs.Tensor, held: bool) -> None:
        """Insert the node of one step of a recipe; an Einsum for a Transpose that must be held where it is."""
        if isinstance(step, Transpose) and held and value.dtype in HELD:
            term = ascii_lowercase[: len(step.perm)]
            equation = f"{term}->{''.join(perm.reorder(step.perm, term))}"
            self._add("Einsum", [value], made, {"equation": equation}, "transpose")
        elif isinstance(step, Transpose):
            self._add("Transpose", [value], made, {"perm": list(step.perm)}, "transpose")
        elif isinstance(step, Reshape):
            shape = constants.of_array(self.shared.name(f"{made.name}_shape"), np.asarray(step.target, dtype=np.int64))
            self._add("Reshape", [value, shape], made, {}, "reshape")
        else:
            self._units(type(step).__name__, value, made, step.axes, type(step).__name__.lower())

    def _units(self, op: str, value: gs.Tensor, result: gs.Tensor, axes: Sequence[int], name: str) -> None:
        """Insert a Squeeze or Unsqueeze."""
        if self.graph.opset < 13:
            self._add(op, [value], result, {"axes": list(axes)}, name)
        else:
            self._add(op, [value, self._vector(axes)], result, {}, name)

    def _edit(self, edit: Edit, value: gs.Tensor, result: gs.Tensor) -> None:
        """Insert the node that does at run time what ``edit.apply`` does to a constant."""
        if isinstance(edit, Expand):
            self._units("Unsqueeze", value, result, edit.axes, "expand")
        elif isinstance(edit, Take):
            self._add("Gather", [value, self._vector(edit.indices)], result, {"axis": 0}, "reorder")
        elif isinstance(edit, Lookup):
            table = self._vector(edit.table, np.int64 if value.dtype is None else value.dtype)
            self._add("Gather", [table, value], result, {"axis": 0}, "axes")

    def _vector(self, values: Iterable[int], dtype: Any = np.int64) -> gs.Constant:
        return constants.of_array(self.shared.name("axes"), np.asarray(list(values), dtype=dtype))

    def _add(self, op: str, inputs: list[gs.Tensor], output: gs.Tensor, attrs: dict[str, Any], name: str) -> None:
        unique = unused(f"{name}_{op}" if name != op.lower() else f"{name}_{output.name}", self.shared.node_names)
        self.nodes.append(gs.Node(op, unique, attrs, inputs, [output]))


def stored_shape(tensor: gs.Tensor, layout: Layout) -> "list[int | str | None] | None":
    return None if tensor.shape is None else layout.shape(tensor.shape)
