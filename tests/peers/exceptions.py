"""Where more is left than a peer leaves, and why. ``test_peers.py`` fails on a row that is none any more."""

REASONS = {
    "the operands are exchanged, which leaves the Transpose of a smaller result; onnxruntime folds those of operands "
    "into FusedMatMul, never that of a result": ("TransposeMatmulFusionOnTwoTranspose",),
    "TVM's result is another: it flattens an image in the order of the other layout": (
        "test_conv_bias_pool_convert_layout",
        "test_dual_path_convert_layout",
        "test_conv_max_pool_uses_specified_convert_layout",
        "test_deformable_conv_bias_pool_convert_layout/nhwc",
        "test_deformable_conv_bias_pool_convert_layout/nchw",
    ),
}
EXCEPTIONS = {name: reason for reason, names in REASONS.items() for name in names}
