"""An ONNX graph, operator by operator, as one function of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

from passes.ir.control_flow import RANDOM
from passes.ir.declared import body_protos, opset_of, standard
from rewriter.backends.forms import form_of
from rewriter.backends.forms.node import Dims, Form, Node, NoForm, Value
from rewriter.backends.gelu import with_gelus
from rewriter.backends.ranges import RANGES
from rewriter.errors import UsageError
from rewriter.pipeline import evaluate
from rewriter.plain_names import plain_names

MOST_NAMES = 4  # nodes of one operator that a sentence lists
Lack = Callable[[str, Sequence[str]], str]  # of an operator and the types of its inputs and outputs: why not, or ""


@dataclass(frozen=True)
class Ends:
    """The names of inputs and outputs: the model's own, by those that TensorFlow takes."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


class Tracer:
    """Makes a function of TensorFlow of a model; ``refused``: the nodes that have no form, with reasons.

    ``lack``: what the runtime lacks besides.
    """

    def __init__(self, model: ModelProto, lack: Lack) -> None:
        self.graph, self.opset, self.lack = model.graph, opset_of(model), lack
        self.refused: list[tuple[Node, str]] = []
        self.kinds: dict[str, int] = {}  # element types, by the names of values

    @cached_property
    def ends(self) -> Ends:
        """The names of inputs and outputs."""
        names = [value.name for value in (*self.inputs, *self.graph.output)]
        taken = dict(zip(plain_names(names), names, strict=True))
        first = list(taken.items())[: len(self.inputs)]
        return Ends(dict(first), dict(list(taken.items())[len(first) :]))

    @cached_property
    def inputs(self) -> list[ValueInfoProto]:
        """What is given to a run: all inputs but those with initializers."""
        constant = {tensor.name for tensor in self.graph.initializer}
        return [value for value in self.graph.input if value.name not in constant]

    def specs(self) -> list[Any]:
        """A ``tf.TensorSpec`` for each input. Raises UsageError for what is no tensor of known rank."""
        return [_spec(value, name) for value, name in zip(self.inputs, self.ends.inputs, strict=True)]

    def __call__(self, *inputs: Value) -> dict[str, Value]:
        """The outputs, by the names that TensorFlow takes."""
        values = dict(zip(self.ends.inputs.values(), inputs, strict=True))
        results = self.run(self.graph, values)
        return {name: tf.identity(result) for name, result in zip(self.ends.outputs, results, strict=True)}

    def run(self, graph: GraphProto, outer: Mapping[str, Value]) -> list[Value]:
        """The outputs of a graph, or of a body with the values around it."""
        values = {**outer, **{tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}}
        declared = {value.name: shape_of(value) for value in (*graph.value_info, *graph.output)}
        self.kinds |= {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
        producers = {name: node for node in graph.node for name in node.output}
        for proto in with_gelus(graph):
            node = Node(
                proto,
                self.opset,
                [values[name] if name else None for name in proto.input],
                [declared.get(name) for name in proto.output],
                [producers.get(name) for name in proto.input],
                partial(self._body, values),
            )
            values |= dict(zip(proto.output, self._results(node), strict=False))
        return [values[value.name] for value in graph.output]

    def _body(self, around: Mapping[str, Value], body: GraphProto, given: Mapping[str, Value]) -> list[Value]:
        return self.run(body, {**around, **given})

    def _results(self, node: Node) -> list[Value]:
        """What a node gives; stand-ins for it, if there is no form of it, so that the others are still seen."""
        try:
            form = form_of(node.proto, node.opset)
            while node.inputs and node.inputs[-1] is None:
                node = Node(**{**vars(node), "inputs": node.inputs[:-1]})
            results = _made(form, node)
            if len(results) < len([name for name in node.proto.output if name]):
                raise NoForm("its other outputs have none")
            types = [value.dtype.name for value in (*node.inputs, *results) if tf.is_tensor(value)]
            if reason := self.lack(node.op, types):
                self.refused.append((node, reason))
            return [_declared(result, shape) for result, shape in zip(results, node.declared, strict=False)]
        except (NoForm, ValueError, TypeError, NotImplementedError, tf.errors.OpError) as error:
            if (computed := _computed(node)) is not None:
                return computed
            self.refused.append((node, " ".join(str(error).split())))
            return [self._stand_in(*ends) for ends in zip(node.proto.output, node.declared, strict=True)]

    def _stand_in(self, name: str, shape: Dims | None) -> Value:
        kind = self.kinds.get(name)
        return tf.compat.v1.placeholder(dtype_of(kind) if kind else tf.float32, shape)


def _made(form: Form, node: Node) -> list[Value]:
    """What a form makes; of constants it is computed now, if it is a value and no range."""
    is_to_be_seen = node.proto.domain == RANGES or not node.inputs
    if is_to_be_seen or body_protos(node.proto) or not all(isinstance(x, np.ndarray | None) for x in node.inputs):
        made = form(node, *node.inputs)
        return list(made) if isinstance(made, list | tuple) else [made]
    with tf.init_scope():  # where operators run at once
        made = form(node, *node.inputs)
    return [np.asarray(result) for result in (made if isinstance(made, list | tuple) else [made])]


def _computed(node: Node) -> list[Value] | None:
    """What a standard operator gives of constants, without any form of TensorFlow's; ``None`` of any other."""
    proto, given = node.proto, [x for x in node.inputs if x is not None]
    random = proto.op_type in RANDOM or proto.op_type.startswith("Random")
    if standard(proto.domain) or random or body_protos(proto) or not all(isinstance(x, np.ndarray) for x in given):
        return None
    held = {name: x for name, x in zip(proto.input, node.inputs, strict=False) if x is not None}
    weights = [numpy_helper.from_array(x, name) for name, x in held.items()]
    named = [name for name in proto.output if name]
    graph = helper.make_graph([proto], "constant", [], [onnx.ValueInfoProto(name=name) for name in named], weights)
    results = evaluate(helper.make_model(graph, opset_imports=[helper.make_opsetid("", node.opset)]))
    if results is None:
        return None
    values = dict(zip(named, results, strict=True))
    return [values.get(name) for name in proto.output]


def traced(model: ModelProto, source: str, lack: Lack = lambda *_: "") -> tuple[Any, Any, Ends]:
    """A ``tf.Module``, its function on the model's inputs, and names. Raises UsageError, listing what has no form."""
    tracer, module = Tracer(model, lack), tf.Module()
    module.f = tf.function(tracer, autograph=False)
    try:
        concrete = module.f.get_concrete_function(*tracer.specs())
    except (ValueError, TypeError) as error:
        if not tracer.refused:
            raise UsageError(f"{source}: TensorFlow does not take the graph ({error})") from error
    if tracer.refused:
        raise UsageError(f"{source}: no form in TensorFlow of {'; '.join(listed(tracer.refused))}")
    return module, concrete, tracer.ends


def listed(refused: Iterable[tuple[Node, str]]) -> Iterator[str]:
    """Operators with their nodes, those that were refused for the same reason together."""
    groups: dict[tuple[str, str], dict[str, None]] = {}  # names once, in order: steps of a loop are traced each
    for node, reason in refused:
        groups.setdefault((node.title, reason), {})[node.proto.name or node.proto.output[0]] = None
    for (operator, reason), found in groups.items():
        names = [*found]
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        yield f"{operator} ({', '.join(names[:MOST_NAMES])}{more}{f': {reason}' if reason else ''})"


def shape_of(value: ValueInfoProto) -> Dims | None:
    """The declared shape; ``None`` where there is none."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim)


def _spec(value: ValueInfoProto, name: str) -> Any:
    shape = shape_of(value)
    if not value.type.HasField("tensor_type") or shape is None:
        raise UsageError(f"input {value.name!r} is no tensor of known rank, as TensorFlow's signatures need")
    if value.type.tensor_type.elem_type == TensorProto.STRING:
        raise UsageError(f"input {value.name!r} holds strings, which TFLite has as bytes")
    return tf.TensorSpec(shape, dtype_of(value.type.tensor_type.elem_type), name)


def dtype_of(elem_type: int) -> Any:
    """TensorFlow's type for ONNX's. Raises NoForm where there is none."""
    try:
        return tf.as_dtype(helper.tensor_dtype_to_np_dtype(elem_type))
    except (TypeError, KeyError):
        raise NoForm("its element type is none of TensorFlow's") from None


def _declared(result: Value, shape: Dims | None) -> Value:
    """The result, with what the file knows of its shape besides. Raises NoForm, and ValueError where the two differ."""
    if shape is not None and 0 in shape:
        raise NoForm("it has no elements, as LiteRT needs them")
    if shape is not None and not isinstance(result, np.ndarray):
        result.set_shape(shape)
    return result
