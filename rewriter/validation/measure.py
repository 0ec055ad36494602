"""Shapes of values as they are in a run of the model, where no inference tells them."""

from collections.abc import Mapping, Sequence

from onnx import GraphProto, ModelProto, TensorProto, helper

from passes.ir.declared import every_node_proto
from passes.ir.graph import unused
from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.files import writer
from rewriter.files.light import LightModel
from rewriter.validation.inputs import InputRequest, make_feeds
from rewriter.validation.session import Session


def measure(model: LightModel, request: InputRequest, names: Sequence[str]) -> Mapping[str, Sequence[int]]:
    """The shapes of values of the main graph in one run on the inputs that validation makes.

    None of a model over 2 GiB, or of one that does not run: validation says why. The model is left as it is.
    """
    whole = writer.serialized(model) if names else None
    if whole is None:
        return {}
    # Serialized protobufs, one after the other, are one, in which each adds to those before it.
    more = ModelProto(graph=_shapes_of(model.proto, names)).SerializeToString()
    try:
        session = Session(whole + more, "cpu", "disabled")
        results = session.run(make_feeds(session, request)[0])
    except (RunFailed, CouldNotValidate):
        return {}
    shapes = results[-len(names) :]
    return {name: [int(size) for size in shape] for name, shape in zip(names, shapes, strict=True)}


def _shapes_of(model: ModelProto, names: Sequence[str]) -> GraphProto:
    """What is to be added to the model's graph."""
    taken = {name for node in every_node_proto(model.graph) for name in (*node.input, *node.output)}
    added = GraphProto()
    for name in names:
        shape = unused(f"{name}_shape", taken)
        added.node.append(helper.make_node("Shape", [name], [shape]))
        added.output.append(helper.make_tensor_value_info(shape, TensorProto.INT64, None))
    return added
