"""The values of a model's main graph: which nodes make them, in what order, and the models around some of them."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from graphlib import TopologicalSorter

from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto, helper

from passes.ir.declared import body_protos
from rewriter.validation.compare import Array
from rewriter.validation.session import proto, source


class Values:
    """The main graph of a model that a ``Session`` loads; bodies of If, Loop and Scan are parts of their nodes."""

    def __init__(self, model: bytes | str) -> None:
        self._model = proto(model)
        graph = self._model.graph
        self.nodes: Sequence[NodeProto] = graph.node
        self.makers = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
        self.outputs = {value.name for value in graph.output}

    def in_order(self) -> list[str]:
        """What nodes make, everything behind what it is made of."""
        reads = {
            i: {self.makers[name] for name in _read(node) & self.makers.keys()} for i, node in enumerate(self.nodes)
        }
        order = TopologicalSorter(reads).static_order()
        return [name for i in order for name in self.nodes[i].output if name]

    def between(self, known: Collection[str], name: str) -> tuple[list[int], set[str]]:
        """The nodes, in the file's order, that make a value of ``known`` ones and constants; which ones they read."""
        nodes: set[int] = set()
        read: set[str] = set()
        pending = [self.makers[name]]
        while pending:
            i = pending.pop()
            nodes.add(i)
            for one in _read(self.nodes[i]):
                if one in known:
                    read.add(one)
                elif one in self.makers and self.makers[one] not in nodes:
                    pending.append(self.makers[one])
        return sorted(nodes), {one for one in read if self.makers.get(one) not in nodes}

    def giving(self, names: Sequence[str], stack: ExitStack) -> bytes | str:
        """The model with these values as its outputs, as ``source`` gives it."""
        outputs = self._model.graph.output
        before = [*outputs]
        del outputs[:]
        outputs.extend(ValueInfoProto(name=name) for name in names)
        try:
            return source(self._model, stack)
        finally:
            del outputs[:]
            outputs.extend(before)

    def part(self, nodes: Sequence[int], inputs: Mapping[str, Array], name: str) -> ModelProto:
        """A model of these nodes alone, which makes one value of what ``inputs`` holds."""
        whole, kept = self._model, [self.nodes[i] for i in nodes]
        read = {one for node in kept for one in _read(node)} - inputs.keys()
        part = ModelProto(ir_version=whole.ir_version, opset_import=whole.opset_import, functions=whole.functions)
        part.graph.name = "part"
        part.graph.node.extend(kept)
        part.graph.input.extend(_declared(name, array) for name, array in inputs.items())
        part.graph.output.add().name = name
        part.graph.initializer.extend(t for t in whole.graph.initializer if t.name in read)
        part.graph.sparse_initializer.extend(t for t in whole.graph.sparse_initializer if t.values.name in read)
        return part


def _declared(name: str, array: Array) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _read(node: NodeProto) -> set[str]:
    """The values that a node reads from around it, in its bodies too."""
    return {*node.input, *(name for body in body_protos(node) for name in _captured(body))} - {""}


def _captured(body: GraphProto) -> set[str]:
    own = {value.name for value in (*body.input, *body.initializer)} | {name for n in body.node for name in n.output}
    return ({name for n in body.node for name in _read(n)} | {value.name for value in body.output}) - own
