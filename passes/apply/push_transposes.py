"""Applies a Plan: builds the graph it describes. The only creator of Transposes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir import constants
from passes.ir.control_flow import NODE, Place, couplings, flat, scan_axes
from passes.ir.graph import all_names, assemble, bodies, changed_bodies, copied, every_node, new_node, unused
from passes.layout import perm
from passes.layout.edit import Array, ArrayEdit, Edit, Expand, Lookup, Omit, Put, Take
from passes.layout.layout import ANY, AS_IS, Layout, of_rank
from passes.plan.plan import Plan
from passes.plan.relayout import nearest, reshape_target
from passes.rules.move import PREVIOUS, Move, Step


def push(graph: gs.Graph, plan: Plan, fixed: Mapping[str, Layout]) -> gs.Graph:
    """The graph with every node moved as planned; ``graph`` itself is left as it was.

    ``fixed`` are the layouts of graph inputs and outputs.
    """
    return _Push(graph, _Shared(graph, plan, fixed)).run([fixed.get(t.name, AS_IS) for t in graph.outputs])


class _Shared:
    """What the main graph and its bodies share while they are pushed."""

    def __init__(self, graph: gs.Graph, plan: Plan, fixed: Mapping[str, Layout]) -> None:
        self.plan, self.fixed = plan, fixed
        self.moves = iter(plan.moves)
        self.names = all_names(graph)
        self.node_names = {node.name for node in every_node(graph)}
        self.folded: dict[tuple[str, Layout], gs.Constant] = {}
        self.uses: dict[str, set[Layout]] = defaultdict(set)  # layouts asked of each constant
        for node, move in zip(flat(graph), plan.moves, strict=True):
            for i, tensor in enumerate(node.inputs):
                if isinstance(tensor, gs.Constant) and i not in move.edits:
                    self.uses[tensor.name].add(move.inputs[i])
        for tensor in graph.outputs:
            self.uses[tensor.name].add(fixed.get(tensor.name, AS_IS))
        self.reads = Counter(t.name for node in every_node(graph) for t in node.inputs)


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
        outputs = [t if not t.name else self._define(t) for t in node.outputs]
        self.nodes.append(new_node(node, inputs, outputs, attrs={**attrs, **axes}, changed=frozenset(axes)))

    def _node(self, node: gs.Node, move: Move) -> None:
        operands = list(node.inputs) + [gs.Variable.empty()] * (len(move.inputs) - len(node.inputs))
        inputs = [self._operand(t, move.inputs[i], move.edits.get(i)) for i, t in enumerate(operands)]
        outputs = [t if not t.name else self._define(t) for t in node.outputs]
        results = [self._raw(t, node) if j in move.results else t for j, t in enumerate(outputs)]
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
        attrs = {**node.attrs, **move.attrs}
        kept = {key: value for key, value in attrs.items() if value is not None}
        changes = {
            "op": move.op or node.op,
            "domain": move.domain or node.domain,
            "changed": frozenset(move.attrs),
        }
        self.nodes.append(new_node(node, inputs, outputs, attrs=kept, **changes))

    def _steps(self, node: gs.Node, move: Move, inputs: list[gs.Tensor], result: gs.Tensor) -> None:
        previous: gs.Tensor = result
        for k, step in enumerate(move.steps):
            operands = [previous if o is PREVIOUS else self._step_operand(node, inputs, o) for o in step.operands]
            previous = result if k == len(move.steps) - 1 else self._part(result, step)
            self._add(step.op, operands, previous, dict(step.attrs), node.name)

    def _step_operand(self, node: gs.Node, inputs: list[gs.Tensor], operand: "int | Array") -> gs.Tensor:
        if isinstance(operand, int):
            return inputs[operand]
        return constants.of_array(self._name(f"{node.name or node.op}_constant"), operand)

    def _operand(self, tensor: gs.Tensor, layout: Layout, edit: Edit | None) -> gs.Tensor:
        """What a node reads: the value in the layout it needs, then edited."""
        if isinstance(edit, Put):
            return constants.of_array(self._name_of_edited(tensor), edit.array)
        if isinstance(edit, Omit):
            return gs.Variable.empty()
        if not tensor.name:
            return tensor
        if layout == ANY:
            layout = AS_IS if isinstance(tensor, gs.Constant) else self.shared.plan.stored.get(tensor.name, AS_IS)
        if isinstance(tensor, gs.Constant):
            return self._constant(tensor, layout) if edit is None else self._edited(tensor, layout, edit)
        value = self._at(tensor, layout)
        if edit is None:
            return value
        edited = gs.Variable(
            self._name(f"{tensor.name}_moved"), tensor.dtype, None if isinstance(edit, Expand) else tensor.shape
        )
        self._edit(edit, value, edited)
        return edited

    def _edited(self, tensor: gs.Constant, layout: Layout, edit: ArrayEdit) -> gs.Constant:
        return constants.changed(tensor, self._name_of_edited(tensor), layout, edit)

    def _name_of_edited(self, tensor: gs.Tensor) -> str:
        """Its own, for a constant that nobody else reads."""
        reads, uses = self.shared.reads, self.shared.uses
        alone = isinstance(tensor, gs.Constant) and reads[tensor.name] == 1 and tensor.name not in uses
        return tensor.name if alone else self._name(f"{tensor.name or 'axes'}_moved")

    def _constant(self, tensor: gs.Constant, layout: Layout) -> gs.Constant:
        """The constant in ``layout``: under its own name where only one layout is asked of it."""
        key = (tensor.name, layout)
        folded = self.shared.folded
        if key not in folded:
            alone = self.shared.uses[tensor.name] == {layout} or layout == AS_IS
            name = tensor.name if alone else self._name(f"{tensor.name}_{suffix(layout)}")
            folded[key] = constants.changed(tensor, name, layout) if layout != AS_IS else copied(tensor, name)
        return folded[key]

    def _define(self, tensor: gs.Tensor) -> gs.Tensor:
        """The new tensor of a graph input or node output, stored as planned."""
        layout = self.shared.plan.stored.get(tensor.name, AS_IS)
        taken = tensor.name in self.shared.fixed and self.shared.fixed[tensor.name] != layout
        name = self._name(f"{tensor.name}_{suffix(layout)}") if taken else tensor.name
        self.tensors[tensor.name][layout] = new = gs.Variable(name, tensor.dtype, stored_shape(tensor, layout))
        new.type = tensor.type
        return new

    def _at(self, tensor: gs.Tensor, layout: Layout) -> gs.Tensor:
        """The value in ``layout``, through a Transpose if it is stored another way."""
        if isinstance(tensor, gs.Constant):
            return self._constant(tensor, layout)
        if tensor.name not in self.tensors and self.outer is not None:
            return self.outer._at(tensor, layout)
        have = self.tensors[tensor.name]
        if layout in have:
            return have[layout]
        source = nearest(tensor, list(have), layout)
        owned = self.shared.fixed.get(tensor.name) == layout
        name = tensor.name if owned else self._name(f"{tensor.name}_{suffix(layout)}")
        result = gs.Variable(name, tensor.dtype, stored_shape(tensor, layout))
        rank = len(tensor.shape)
        p = perm.then(perm.inverse(of_rank(source, rank).perm), of_rank(layout, rank).perm)
        target = reshape_target(tensor, source, layout)
        if target is not None:
            shape = constants.of_array(self._name(f"{name}_shape"), np.asarray(target, dtype=np.int64))
            self._add("Reshape", [have[source], shape], result, {}, "reshape")
        else:
            self._add("Transpose", [have[source]], result, {"perm": list(p)}, "transpose")
        have[layout] = result
        return result

    def _edit(self, edit: Edit, value: gs.Tensor, result: gs.Tensor) -> None:
        """Insert the node that does at run time what ``edit.apply`` does to a constant."""
        if isinstance(edit, Expand) and self.graph.opset < 13:
            self._add("Unsqueeze", [value], result, {"axes": list(edit.axes)}, "expand")
        elif isinstance(edit, Expand):
            self._add("Unsqueeze", [value, self._vector(edit.axes)], result, {}, "expand")
        elif isinstance(edit, Take):
            self._add("Gather", [value, self._vector(edit.indices)], result, {"axis": 0}, "reorder")
        elif isinstance(edit, Lookup):
            table = self._vector(edit.table, np.int64 if value.dtype is None else value.dtype)
            self._add("Gather", [table, value], result, {"axis": 0}, "axes")

    def _vector(self, values: Iterable[int], dtype: Any = np.int64) -> gs.Constant:
        return constants.of_array(self._name("axes"), np.asarray(list(values), dtype=dtype))

    def _add(self, op: str, inputs: list[gs.Tensor], output: gs.Tensor, attrs: dict[str, Any], name: str) -> None:
        unique = unused(f"{name}_{op}" if name != op.lower() else f"{name}_{output.name}", self.shared.node_names)
        self.nodes.append(gs.Node(op, unique, attrs, inputs, [output]))

    def _raw(self, tensor: gs.Tensor, node: gs.Node) -> gs.Tensor:
        """A vector with one entry per axis of the node's input (Shape's result), before it is reordered."""
        return gs.Variable(self._name(f"{tensor.name}_stored"), tensor.dtype, [len(node.inputs[0].shape)])

    def _part(self, tensor: gs.Tensor, step: Step) -> gs.Tensor:
        return gs.Variable(self._name(f"{tensor.name}_part"), tensor.dtype, tensor.shape if step.same_shape else None)

    def _name(self, wish: str) -> str:
        return unused(wish, self.shared.names)


def suffix(layout: Layout) -> str:
    return "p" + "".join(map(str, layout.perm)) if layout != AS_IS else "original"


def stored_shape(tensor: gs.Tensor, layout: Layout) -> "list[int | str | None] | None":
    if tensor.shape is None:
        return None
    return perm.reorder(of_rank(layout, len(tensor.shape)).perm, list(tensor.shape))
