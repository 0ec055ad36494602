"""A model's weights in the layout of another framework, and the conversions as functions.

>>> from rewriter.weights import export_weights
>>> export = export_weights("model.onnx", "tensorflow")
>>> export.tensors["conv1.weight"].shape  # HWIO
(3, 3, 3, 16)
"""

from typing import TYPE_CHECKING

from rewriter.lazy import names_from
from rewriter.weights.frameworks import TARGETS
from rewriter.weights.padding import conv_padding, conv_transpose_padding, pool_padding

if TYPE_CHECKING:
    from rewriter.weights.check.run import check_weights
    from rewriter.weights.export import export_weights
    from rewriter.weights.files.loads import fill_keras, flax_variables
    from rewriter.weights.files.weights import read_weights, save_weights
    from rewriter.weights.manifest.manifest import Export, LayerEntry, Manifest, Tensor
    from rewriter.weights.tensors.letters import convert_layout, flatten_order
else:
    __getattr__ = names_from(
        __name__,
        {
            "rewriter.weights.check.run": ("check_weights",),
            "rewriter.weights.export": ("export_weights",),
            "rewriter.weights.files.weights": ("read_weights", "save_weights"),
            "rewriter.weights.tensors.letters": ("convert_layout", "flatten_order"),
            "rewriter.weights.files.loads": ("fill_keras", "flax_variables"),
            "rewriter.weights.manifest.manifest": ("Export", "LayerEntry", "Manifest", "Tensor"),
        },
    )

__all__ = [
    "TARGETS",
    "Export",
    "LayerEntry",
    "Manifest",
    "Tensor",
    "check_weights",
    "conv_padding",
    "conv_transpose_padding",
    "convert_layout",
    "export_weights",
    "fill_keras",
    "flatten_order",
    "flax_variables",
    "pool_padding",
    "read_weights",
    "save_weights",
]


def __dir__() -> list[str]:
    return __all__
