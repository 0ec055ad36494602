"""A model as layers have it: what runtimes fuse, and what exporters write as loops, is one operator each."""

from onnx import ModelProto

from rewriter.weights.layers.loops import with_grus
from rewriter.weights.layers.unfused import unfused
from rewriter.weights.windows import Settings


def plain(model: ModelProto) -> tuple[ModelProto, dict[str, Settings], list[str]]:
    """The model, or one that computes the same; what to tell of its layers, by name; and notes."""
    raised, notes = with_grus(model)
    found, told = unfused(raised)
    return found, told, notes
