"""A model's weights in the layout of another framework, and the conversions as functions.

>>> from rewriter.weights import export_weights
>>> export = export_weights("model.onnx", "tensorflow")
>>> export.tensors["conv1.weight"].shape  # HWIO
(3, 3, 3, 16)
"""

from rewriter.weights.export import Export, export_weights
from rewriter.weights.files import read_weights, save_weights
from rewriter.weights.letters import convert_layout, flatten_order
from rewriter.weights.manifest import LayerEntry, Manifest, Tensor
from rewriter.weights.padding import TARGETS, conv_padding, conv_transpose_padding
from rewriter.weights.pooling import pool_padding

__all__ = [
    "TARGETS",
    "Export",
    "LayerEntry",
    "Manifest",
    "Tensor",
    "conv_padding",
    "conv_transpose_padding",
    "convert_layout",
    "export_weights",
    "flatten_order",
    "pool_padding",
    "read_weights",
    "save_weights",
]
