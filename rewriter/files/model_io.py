"""Models: file to protobuf, protobuf to graph with shapes, and back.

onnx-graphsurgeon holds the graph while passes work on it. What it cannot hold (metadata, doc strings, attribute types
it does not know, element types without numpy counterpart) is not lost: writing starts from the original protobufs and
changes only what a pass changed.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
import onnx_graphsurgeon as gs
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, helper
from onnx_graphsurgeon.exporters.onnx_exporter import OnnxExporter, dtype_to_onnx
from onnx_graphsurgeon.logger import G_LOGGER

from passes import dialects
from passes.ir import constants
from passes.ir.constants import Stored
from passes.ir.graph import bodies, every_graph, every_node, is_standard
from rewriter.errors import UsageError
from rewriter.names import named_apart
from rewriter.order import in_order
from rewriter.pools import with_exact_pools
from rewriter.shapes import UNKNOWN, inferred
from rewriter.skeleton import FREE_INITIALIZERS_IR_VERSION, dense, skeleton, standard_opset, values_of

TWO_GIB = 2**31 - 2**20  # protobuf's limit, less some room for what is not weights
FUNCTION_IR_VERSION = 8
USUAL_OPSET = 17
G_LOGGER.severity = G_LOGGER.CRITICAL + 1  # it raises what it says


def load(path: str | Path) -> ModelProto:
    """Read a model with its external data. Raises UsageError if there is no readable ONNX model."""
    try:
        model = onnx.load(path)
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename or path}: no such file") from None
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise UsageError(f"{path}: not a readable ONNX model ({error})") from None
    if not model.graph.node and not model.graph.output:
        raise UsageError(f"{path}: not an ONNX model (it has no graph)")
    return model


def save(model: ModelProto, path: Path) -> None:
    """Write a model so that ``path`` appears whole or not at all; over 2 GiB, weights go to ``path.data`` first."""
    with folder_beside(path) as folder:
        made = folder / path.name
        if weight_bytes(model) < TWO_GIB:
            made.write_bytes(model.SerializeToString())
        else:
            onnx.save_model(model, made, save_as_external_data=True, location=f"{path.name}.data", size_threshold=1024)
            os.replace(f"{made}.data", f"{path}.data")
        os.replace(made, path)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """A folder for files that are to appear whole in the place of ``path``, by ``os.replace``, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        yield Path(folder)


def weight_bytes(model: ModelProto) -> int:
    return sum(tensor.ByteSize() for tensor in model.graph.initializer)


def opset_of(model: ModelProto) -> int:
    """The version of the standard operators that the model imports; if it uses none, one that every runtime knows."""
    return standard_opset(model) or USUAL_OPSET


def to_graph(model: ModelProto, own_weights: bool = False) -> gs.Graph:
    """The model's graph with shapes, sorted; weights are read when they are needed. The model is left as it is.

    ``own_weights``: weights keep their names; what the file makes of them is not computed here, however small.
    """
    exact = with_exact_pools(skeleton(model, in_order(named_apart(model.graph))))
    bare = inferred(exact)
    pairs = list(zip(bare.graph.node, exact.graph.node, strict=True))
    for new, old in pairs if own_weights else ():
        if new.op_type == "Constant" != old.op_type and (len(new.attribute[0].t.dims) > 1 or old.op_type == "Identity"):
            new.CopyFrom(old)
    nodes = [new if new.op_type == "Constant" else old for new, old in pairs]
    del bare.functions[:]
    graph = gs.import_onnx(bare)
    _remember(graph, nodes, (*model.graph.initializer, *map(dense, model.graph.sparse_initializer)), opset_of(model))
    graph.inputs = [tensor for tensor in graph.inputs if not isinstance(tensor, gs.Constant)]
    return graph


def _remember(graph: gs.Graph, nodes: Sequence[NodeProto], held: Iterable[TensorProto], opset: int) -> None:
    """Give a graph, and its bodies, the file's constants and each node's protobuf; the import has copies."""
    tensors = {t.name: t for node in every_node(graph) for t in node.inputs}
    tensors.update((t.name, t) for each in every_graph(graph) for t in (*each.inputs, *each.outputs))
    for proto in held:
        tensor = tensors.get(proto.name)
        if isinstance(tensor, gs.Constant):
            tensor._values = Stored(proto)
        elif tensor is not None:
            tensor.to_constant(Stored(proto))
    graph.opset = opset
    for node, origin in zip(graph.nodes, nodes, strict=True):
        node.origin, node.changed = origin, frozenset()
        for name, proto in body_protos(origin).items():
            held = (*proto.initializer, *map(dense, proto.sparse_initializer))
            _remember(node.attrs[name], proto.node, held, opset)


def body_protos(node: NodeProto) -> dict[str, GraphProto]:
    return {attr.name: attr.g for attr in node.attribute if attr.type == AttributeProto.GRAPH}


def to_model(graph: gs.Graph, original: ModelProto) -> ModelProto:
    """The model with ``graph`` for its graph; all that no pass changed is taken from ``original``."""
    model = ModelProto(
        ir_version=original.ir_version,
        producer_name=original.producer_name,
        producer_version=original.producer_version,
        domain=original.domain,
        model_version=original.model_version,
        doc_string=original.doc_string,
    )
    model.metadata_props.extend(original.metadata_props)
    model.training_info.extend(original.training_info)
    _add_functions(model, graph, original)
    _fill_graph(model.graph, graph, original.graph)
    least = FUNCTION_IR_VERSION if model.functions else FREE_INITIALIZERS_IR_VERSION if read(graph) else 0
    model.ir_version = max(model.ir_version, least)
    return model


def _add_functions(model: ModelProto, graph: gs.Graph, original: ModelProto) -> None:
    """The model's own functions and domains, and those of the dialect that the graph calls."""
    model.functions.extend(f for f in original.functions if not dialects.owns(f.domain))
    called = sorted({(n.domain, n.op) for n in every_node(graph) if dialects.read(n.domain or "", n.op, graph.opset)})
    model.functions.extend(dialects.function(domain, op, graph.opset) for domain, op in called if dialects.owns(domain))
    model.opset_import.extend(o for o in original.opset_import if not dialects.owns(o.domain))
    if not any(map(is_standard, model.opset_import)) and any(map(is_standard, every_node(graph))):
        model.opset_import.append(helper.make_opsetid("", graph.opset))
    domains = {domain for domain, _ in called} - {other.domain for other in model.opset_import}
    model.opset_import.extend(helper.make_opsetid(domain, 1) for domain in sorted(domains))


def _fill_graph(
    target: GraphProto, graph: gs.Graph, original: GraphProto, around: frozenset[str] = frozenset()
) -> None:
    """``around`` are the constants that graphs around this one hold."""
    target.name, target.doc_string = original.name, original.doc_string
    target.metadata_props.extend(original.metadata_props)
    declared = values_of(original)
    for values, protos in ((graph.inputs, target.input), (graph.outputs, target.output)):
        for tensor in values:
            protos.add().CopyFrom(_value_info(tensor, declared))
    weights = _held(graph, {t.name for t in original.initializer}, around)
    target.node.extend(_node(node, around | weights.keys()) for node in graph.nodes)
    kept = {t.name for t in weights.values() if constants.is_as_read(t)}
    sparse = {tensor.values.name: tensor for tensor in original.sparse_initializer if tensor.values.name in kept}
    target.sparse_initializer.extend(sparse.values())
    for tensor in weights.values():
        if tensor.name not in sparse:
            constants.write(tensor, target.initializer.add())
    interface = {t.name for t in (*graph.inputs, *graph.outputs)}
    results = [t for node in graph.nodes for t in node.outputs if t.name and t.name not in interface]
    target.value_info.extend(_value_info(t, declared) for t in results if t.dtype is not None and t.shape is not None)
    names = interface | set(weights) | {t.name for t in results}
    target.quantization_annotation.extend(a for a in original.quantization_annotation if a.tensor_name in names)


def _held(graph: gs.Graph, before: set[str], around: frozenset[str]) -> dict[str, gs.Constant]:
    """The constants that a graph holds: what it reads itself, what several of its bodies read, what it held before."""
    mine = read(graph, deep=False)
    inner = [read(body) for node in graph.nodes for body in bodies(node)]
    count = Counter(name for found in inner for name in found)
    for found in inner:
        mine |= {name: tensor for name, tensor in found.items() if count[name] > 1 or name in before}
    return {name: tensor for name, tensor in mine.items() if name not in around}


def read(graph: gs.Graph, deep: bool = True) -> dict[str, gs.Constant]:
    """The constants that a graph reads or gives; ``deep``: and its bodies."""
    graphs = every_graph(graph) if deep else [graph]
    tensors = (t for each in graphs for ts in (*(node.inputs for node in each.nodes), each.outputs) for t in ts)
    return {t.name: t for t in tensors if isinstance(t, gs.Constant)}


def _value_info(tensor: gs.Tensor, declared: "dict[str, onnx.ValueInfoProto]") -> onnx.ValueInfoProto:
    """Name, type, doc string and metadata as declared, the shape as the tensor has it."""
    value = onnx.ValueInfoProto(name=tensor.name)
    if tensor.name in declared:
        value.CopyFrom(declared[tensor.name])
    elif tensor.dtype is not None:
        value.type.CopyFrom(helper.make_tensor_type_proto(dtype_to_onnx(tensor.dtype), None))
    if value.type.HasField("tensor_type") and tensor.shape is not None:
        _set_shape(value.type.tensor_type, tensor.shape)
    return value


def _set_shape(tensor_type: TypeProto.Tensor, shape: "Iterable[int | str | None]") -> None:
    tensor_type.shape.Clear()
    for size in shape:
        dim = tensor_type.shape.dim.add()
        if isinstance(size, int):
            dim.dim_value = size
        elif size and not size.startswith(UNKNOWN):
            dim.dim_param = size
    if not shape:
        tensor_type.shape.SetInParent()


def _node(node: gs.Node, around: frozenset[str]) -> NodeProto:
    """The node's own protobuf with what changed, or a new one. ``around`` are the constants its bodies can read."""
    origin: NodeProto | None = getattr(node, "origin", None)
    proto = NodeProto()
    if origin is not None:
        proto.CopyFrom(origin)
        del proto.input[:], proto.output[:]
    proto.op_type, proto.name, proto.domain = node.op, node.name, node.domain or ""
    proto.input.extend(t.name for t in node.inputs)
    proto.output.extend(t.name for t in node.outputs)
    while proto.input and not proto.input[-1] and (origin is None or len(proto.input) > len(origin.input)):
        del proto.input[-1]
    changed = node.changed if origin is not None else node.attrs.keys()
    kept = [attr for attr in proto.attribute if attr.name not in changed]
    if len(kept) != len(proto.attribute) or changed:
        del proto.attribute[:]
        proto.attribute.extend(kept)
        wanted = {name: node.attrs[name] for name in changed if name in node.attrs}
        proto.attribute.extend(OnnxExporter.export_attributes(dict(sorted(wanted.items()))))
    before = {} if origin is None else body_protos(origin)
    for attr in (attr for attr in proto.attribute if attr.type == AttributeProto.GRAPH):
        attr.g.Clear()
        _fill_graph(attr.g, node.attrs[attr.name], before[attr.name], around)
    return proto
