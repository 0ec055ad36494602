"""Where more is left than a peer leaves, and why. ``test_peers.py`` fails on a row that is none any more."""

REASONS = {
    "Gemm has no form that reads its second operand transposed": (
        "GemmTransposeFusion2Inputs",
        "GemmTransposeFusionInputOutput",
        "GemmTransposeFusion2OutputsFromTranspose",
        "GemmTransposeFusion2OutputsFromTransposeTo2Gemms",
    ),
    "the operands are exchanged, which leaves the Transpose of a smaller result; onnxruntime folds those of operands "
    "into FusedMatMul, never that of a result": ("TransposeMatmulFusionOnTwoTranspose",),
    "a Reshape with two open sizes cannot be written, so a Transpose moves the axes of size 1": (
        "test_trans_can_be_replaced_with_reshape1/2,h=3,w=4,1",
        "test_trans_can_be_replaced_with_reshape1/2,d=3,h=4,w=2,1",
        "test_trans_can_be_replaced_with_reshape2/2,1,h=3,w=4",
        "test_trans_can_be_replaced_with_reshape2/2,1,d=3,h=4,w=2",
    ),
    "TVM's result is another: it flattens an image in the order of the other layout": (
        "test_conv_bias_pool_convert_layout",
        "test_dual_path_convert_layout",
        "test_conv_max_pool_uses_specified_convert_layout",
        "test_deformable_conv_bias_pool_convert_layout/nhwc",
        "test_deformable_conv_bias_pool_convert_layout/nchw",
    ),
}
EXCEPTIONS = {name: reason for reason, names in REASONS.items() for name in names}
