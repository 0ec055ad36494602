"""Attributes that have an entry for each axis, and kernels: as many as the data has axes."""

from collections.abc import Callable, Collection, Iterable, Mapping

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from passes import dialects
from passes.ir.declared import body_protos, every_node_proto, opset_of, shape_of
from passes.ir.graph import is_standard
from rewriter.faults.walk import called
from rewriter.shapes import ranks as ranks_told
from rewriter.shapes.check import skeleton
from rewriter.shapes.infer import infer

KERNELS = {**ranks_told.KERNELS, "DeformConv": 1}  # which input is the kernel
POOLS = {*ranks_told.POOLS, "MaxUnpool"}
PER_AXIS = {"dilations": 1, "kernel_shape": 1, "output_padding": 1, "pads": 2, "strides": 1}

Ranks = Mapping[str, int]
Attributes = dict[str, AttributeProto]


def axes_fault(model: ModelProto, ranks: Ranks | None = None) -> str | None:
    """A node of the model whose attributes or kernel do not fit its data; ``ranks`` by name, if more are known."""
    ranks, opset = told_ranks(model) if ranks is None else ranks, opset_of(model)
    ours = dialects.domains()
    faults = (_node_fault(node, ranks, opset, ours) for node in every_node_proto(model.graph))
    return next((fault for fault in faults if fault), None)


def inferred_axes_fault(model: ModelProto) -> str | None:
    """The same with the ranks that inference finds, which costs more."""
    shapes = {name: shape_of(value) for name, value in infer(skeleton(model)).items()}
    return axes_fault(model, {name: len(shape) for name, shape in shapes.items() if shape is not None})


def told_ranks(model: ModelProto) -> dict[str, int]:
    """Of weights and of the model's inputs, where no body calls another value so."""
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    shapes = {value.name: shape_of(value) for value in model.graph.input}
    ranks = {name: len(shape) for name, shape in shapes.items() if shape is not None} | ranks
    for body in (body for node in every_node_proto(model.graph) for body in body_protos(node)):
        for name in _made_in(body):
            ranks.pop(name, None)
    return ranks


def _made_in(body: GraphProto) -> Iterable[str]:
    yield from (value.name for value in (*body.input, *body.initializer))
    yield from (name for node in body.node for name in node.output)


def _node_fault(node: NodeProto, ranks: Ranks, opset: int, ours: Collection[str]) -> str | None:
    op: str | None = node.op_type if is_standard(node) else None
    if node.domain in ours:
        spelling = dialects.read(node.domain, node.op_type, opset)
        if spelling is None:
            return f"{called(node)}: the domain {node.domain} has no such operator"
        op = spelling.form.op
    if op not in CHECKS:
        return None
    rank = ranks.get(node.input[0]) if node.input else None
    fault = CHECKS[op](op, node, {attr.name: attr for attr in node.attribute}, rank, ranks)
    return f"{called(node)}: {fault}" if fault else None


def _transpose(op: str, node: NodeProto, attrs: Attributes, rank: int | None, ranks: Ranks) -> str | None:
    if "perm" not in attrs:
        return None
    perm = list(attrs["perm"].ints)
    if sorted(perm) != [*range(len(perm))]:
        return f"perm {perm} does not name each axis once"
    return None if rank in (None, len(perm)) else f"perm {perm} is of {len(perm)} axes, its input has {rank}"


def _window(op: str, node: NodeProto, attrs: Attributes, rank: int | None, ranks: Ranks) -> str | None:
    """Of a Conv or a pool: a rank, and attributes with an entry for each axis but the first two."""
    place = KERNELS.get(op, 0)
    kernel = ranks.get(node.input[place]) if place and place < len(node.input) else None
    sizes = {name: (len(attrs[name].ints), number) for name, number in PER_AXIS.items() if name in attrs}
    if op in POOLS and "kernel_shape" not in attrs:
        return "there is no kernel_shape"
    known = [r for r in (kernel, rank) if r is not None]
    known += [2 + size // number for size, number in sizes.values()]
    if any(size % number for size, number in sizes.values()) or len(set(known)) > 1 or min(known, default=3) < 3:
        return _told(rank, kernel, sizes)
    return None


def _told(rank: int | None, kernel: int | None, sizes: Mapping[str, tuple[int, int]]) -> str:
    parts = [f"input has {rank} axes"] * (rank is not None) + [f"kernel has {kernel} axes"] * (kernel is not None)
    parts += [f"{name} has {size} entries" for name, (size, _) in sizes.items()]
    return f"its numbers of axes do not agree: {', '.join(parts)}"


Check = Callable[[str, NodeProto, Attributes, int | None, Ranks], str | None]
CHECKS: dict[str, Check] = {"Transpose": _transpose, **dict.fromkeys((*KERNELS, *POOLS), _window)}
