"""TVM's ConvertLayout (``tests/python/relay/test_pass_convert_op_layout.py``), in small sizes.

``left`` are the changes of layout of what is computed that its tests expect; kernels are constants here.
"""

from tests.peers import tvm_forms as form
from tests.peers.case import moved
from tests.peers.tvm_forms import (
    BATCH,
    BIASED,
    BOTH,
    FIRST_BIAS,
    GLOBAL,
    HALVES,
    INT,
    INT8,
    INTS,
    LAST,
    LAST_BIAS,
    LESS,
    MIXED,
    NORM,
    POOLED,
    QX_FIRST,
    QX_LAST,
    RESIDUAL,
    RESIDUALS,
    ROI,
    ROI_HELD,
    TINY,
    TINY_OPS,
    TINY_X,
    TWO,
    TWO_INTS,
    X_FIRST,
    X_LAST,
    deformable,
    first,
    last,
    quantised,
)

CASES = [
    *form.TO_NCHW("test_no_convert_layout", f"{first('x', 'c')} y = Relu(c)", (0, 0), x=X_FIRST),
    *form.TO_NCHW("test_conv_convert_layout", f"{last('x', 'c')} y = Relu(c)", BOTH),
    *form.TO_NHWC("test_conv_nhwc_convert_layout", f"{first('x', 'c')} y = Relu(c)", BOTH),
    *form.TO_NCHW("test_conv_transpose_convert_layout", f"{last('x', 'c', op='ConvTranspose')} y = Relu(c)", BOTH),
    *form.TO_NCHW(
        "test_conv_bias_pool_convert_layout", f"{BIASED} {POOLED}", moved(LAST), ends="int32[] y", weights=LAST_BIAS
    ),
    *form.TO_NCHW(
        "test_conv_bias_pool_uses_specified_convert_layout",
        f"{BIASED} {POOLED}",
        BOTH,
        ends="int32[] y",
        weights=LAST_BIAS,
    ),
    *form.TO_NCHW(
        "test_conv_concat_convert_layout",
        f"{last('x', 'c')} {last('c', 'd', 'v')} y = Concat<axis=3>(c, d)",
        moved(LAST, (1, 8, 8, 12)),
        weights=TWO,
    ),
    *form.TO_NCHW(
        "test_dual_path_convert_layout",
        f"{last('x', 'c')} r = Relu(c) {last('r', 'd', 'v')} y = Relu(d) z = Flatten(r)",
        BOTH,
        ends="float[] y, float[] z",
        weights=TWO,
    ),
    *form.TO_NCHW(
        "test_bn_convert_layout",
        "t = T0312(x) c = Conv<pads=[1, 1, 1, 1]>(t, w) n = BatchNormalization(c, g, b, m, q) y = T0231(n)",
        BOTH,
        weights=BATCH,
    ),
    *form.TO_NCHW(
        "test_slice_like_convert_layout/nhwc",
        f"{last('x', 'c')} y = Slice(c, f, e, a)",
        moved(LAST, (1, 5, 4, 6)),
        held="int64[2] f = {1, 2}, int64[2] e = {6, 6}, int64[2] a = {1, 2}",
    ),
    *form.TO_NHWC(
        "test_slice_like_convert_layout/nchw",
        f"{first('x', 'c')} y = Slice(c, f, e, a)",
        moved(LAST, (1, 5, 4, 6)),
        held="int64[2] f = {1, 2}, int64[2] e = {6, 6}, int64[2] a = {2, 3}",
    ),
    *form.TO_NCHW(
        "test_transpose_convert_layout/nhwc",
        f"{last('x', 'c')} a = Add(c, k) t = T0312(a) y = Flatten(t)",
        BOTH,
        x=f"{X_LAST}, float[8,8,6] k",
    ),
    *form.TO_NHWC(
        "test_transpose_convert_layout/nchw",
        f"{first('x', 'c')} a = Add(c, k) t = T0231(a) y = Flatten(t)",
        BOTH,
        x=f"{X_FIRST}, float[6,8,8] k",
    ),
    *form.TO_NHWC(
        "test_transpose_convert_layout/default",
        f"{first('x', 'c')} a = Add(c, k) y = T(a)",
        moved(LAST, LAST, LAST),
        x=f"{X_FIRST}, float[6,8,8] k",
    ),
    *form.TO_NCHW("test_resnet_convert_layout", f"{RESIDUAL} {GLOBAL}", moved(LAST, (1, 1, 1, 4)), weights=RESIDUALS),
    *form.TO_NCHW(
        "test_resnet_pool_uses_specified_convert_layout", f"{RESIDUAL} {GLOBAL}", moved(LAST, LESS), weights=RESIDUALS
    ),
    *form.TO_NCHW("test_scalar_convert_layout", f"{last('x', 'c')} y = Add(c, one)", BOTH, held="float one = {1}"),
    *form.TO_NCHW(
        "test_conv_ln_convert_layout", f"{last('x', 'c')} y = LayerNormalization(c, g, b)", BOTH, weights=NORM
    ),
    *form.TO_NCHW(
        "test_conv_InstanceNorm_convert_layout",
        "t = T0312(x) c = Conv<pads=[1, 1, 1, 1]>(t, w) n = InstanceNormalization(c, g, b) y = T0231(n)",
        BOTH,
        weights=NORM,
    ),
    *form.TO_NCHW(
        "test_conv_bn_convert_layout",
        "t = T0312(x) c = Conv<pads=[1, 1, 1, 1]>(t, w) n = BatchNormalization(c, g, b, m, q) r = Relu(n) y = T0231(r)",
        BOTH,
        weights=BATCH,
    ),
    *form.TO_NCHW(
        "test_qnn_conv_requantize_convert_layout",
        f"{quantised('x', 'c')} y = Relu(c)",
        INTS,
        x=QX_LAST,
        ends="int8[] y",
        held=INT8,
        weights=INT,
    ),
    *form.TO_NCHW(
        "test_qnn_conv_concat_convert_layout",
        f"{quantised('x', 'c')} {quantised('c', 'd', 'v')} y = Concat<axis=3>(c, d)",
        (2, 384 + 768),
        x=QX_LAST,
        ends="int8[] y",
        held=INT8,
        weights=TWO_INTS,
    ),
    *form.TO_NCHW(
        "test_qnn_conv_add_convert_layout",
        f"{quantised('x', 'c')} {quantised('c', 'd', 'v')} y = com.microsoft.QLinearAdd(c, s, z, d, s, z, s, z)",
        INTS,
        x=QX_LAST,
        ends="int8[] y",
        held=INT8,
        weights=TWO_INTS,
    ),
    *form.TO_NHWC(
        "test_qnn_conv_nhwc_convert_layout",
        f"{quantised('x', 'c', at='first')} y = Relu(c)",
        INTS,
        x=QX_FIRST,
        ends="int8[] y",
        held=INT8,
        weights=INT,
    ),
    *form.TO_NHWC("test_conv_convert_kernel_layout", last("x", "y"), (0, 0), x=X_LAST),
    *form.TO_NHWC("test_conv_roi_align_convert_layout", ROI, moved(LAST, (2, 6, 3, 2)), held=ROI_HELD),
    *form.TO_NHWC("test_no_desired_layout", ROI, BOTH, held=ROI_HELD),
    *form.TO_NHWC(
        "test_conv_roi_pool_convert_layout",
        f"{first('x', 'c')} y = MaxRoiPool<pooled_shape=[3, 2], spatial_scale=0.5>(c, rois)",
        moved(LAST, (2, 6, 3, 2)),
        held="float[2,5] rois = {0, 0, 0, 5, 6, 0, 1, 2, 7, 7}",
    ),
    *form.TO_NHWC(
        "test_conv_strided_slice_convert_layout",
        f"{first('x', 'c')} r = Relu(c) y = Slice(r, f, e, a, n)",
        moved(LAST, (1, 5, 3, 8)),
        held="int64[3] f = {0, 1, 0}, int64[3] e = {1, 10, 5}, int64[3] a = {0, 1, 2}, int64[3] n = {1, 1, 2}",
    ),
    *form.TO_NCHW(
        "test_conv_split_convert_layout/1",
        f"{last('x', 'c')} r = Relu(c) y, z = Split<axis=-1>(r)",
        HALVES,
        ends="float[] y, float[] z",
    ),
    *form.TO_NCHW(
        "test_conv_split_convert_layout/2",
        f"{last('x', 'c')} r = Relu(c) y, z = Split<axis=3>(r)",
        HALVES,
        ends="float[] y, float[] z",
    ),
    *form.TO_NCHW(
        "test_conv_split_convert_layout/3",
        f"{last('x', 'c')} r = Relu(c) y, z, u = Split<axis=-1>(r, n)",
        moved(LAST, (1, 8, 8, 1), (1, 8, 8, 2), (1, 8, 8, 3)),
        ends="float[] y, float[] z, float[] u",
        held="int64[3] n = {1, 2, 3}",
    ),
    *form.TO_NCHW(
        "test_conv_strided_slice_axes_convert_layout",
        f"{last('x', 'c')} y = Slice(c, f, e, a)",
        moved(LAST, (1, 8, 8, 4)),
        held="int64[2] f = {0, 2}, int64[2] e = {1, 7}, int64[2] a = {0, 3}",
    ),
    *form.TO_NCHW(
        "test_conv_topk_convert_layout",
        f"{last('x', 'c')} y, z = TopK<axis=2>(c, k)",
        (3, 1536 + 384 + 768),
        ends="float[] y, int64[] z",
        held="int64[1] k = {2}",
    ),
    *form.TO_NCHW("test_default_keyword", first("x", "y"), (0, 0), x=X_FIRST),
    *form.TO_NHWC(
        "test_different_ops_convert_layout",
        f"{first('x', 'a')} i = QuantizeLinear(a, s, z) {quantised('i', 'c', 'q', at='first')}"
        " f = DequantizeLinear(c, s, z)"
        " y = ConvTranspose<pads=[1, 1, 1, 1]>(f, v)",
        (4, 1536 + 384 + 384 + 1536),
        held=INT8,
        weights=MIXED,
    ),
    *form.TO_NCHW(
        "test_conv_squeeze_convert_layout/1",
        f"{TINY_OPS} y = Squeeze(r, a)",
        moved((1, 6, 1, 1), (1, 1, 5)),
        x=TINY_X,
        held="int64[1] a = {-3}",
        weights=TINY,
    ),
    *form.TO_NCHW(
        "test_conv_squeeze_convert_layout/2", f"{TINY_OPS} y = Squeeze(r)", moved((1, 6, 1, 1)), x=TINY_X, weights=TINY
    ),
    *form.TO_NCHW(
        "test_conv_reduce_convert_layout/1",
        f"{TINY_OPS} a = ReduceSum<keepdims=0>(r, k) b = ReduceSum<keepdims=0>(a, l) y = ReduceSum<keepdims=0>(b)",
        moved((1, 6, 1, 1)),
        x=TINY_X,
        held="int64[2] k = {1, 2}, int64[1] l = {1}",
        weights=TINY,
    ),
    *form.TO_NCHW(
        "test_conv_reduce_convert_layout/2",
        f"{last('x', 'c')} r = Relu(c) m = Mul(r, r) y = ReduceSum<keepdims=1>(m, a)",
        moved(LAST, (1, 8, 8, 1)),
        held="int64[1] a = {3}",
    ),
    *form.TO_NHWC(
        "test_image_resize2d_convert_layout/nchw_to_nhwc",
        'y = Resize<mode="linear">(x, "", f)',
        moved((1, 2, 4, 4), (1, 2, 8, 8)),
        x="float[1,2,4,4] x",
        held="float[4] f = {1, 1, 2, 2}",
    ),
    *form.TO_NCHW(
        "test_image_resize2d_convert_layout/nhwc_to_nchw",
        'y = Resize<mode="linear">(x, "", f)',
        moved((1, 2, 4, 4), (1, 2, 8, 8)),
        x="float[1,4,4,2] x",
        held="float[4] f = {1, 2, 2, 1}",
    ),
    *form.TO_NCHW(
        "test_conv_image_resize2d_convert_layout",
        last("x", "c") + ' y = Resize<mode="linear">(c, "", f)',
        moved(LAST, (1, 16, 16, 6)),
        held="float[4] f = {1, 2, 2, 1}",
    ),
    *form.TO_NHWC(
        "test_reduce_op_convert_layout/mean", f"{first('x', 'c')} y = ReduceMean<axes=[2, 3]>(c)", moved(LAST)
    ),
    *form.TO_NHWC(
        "test_reduce_op_convert_layout/max", f"{first('x', 'c')} y = ReduceMax<axes=[2, 3], keepdims=0>(c)", moved(LAST)
    ),
    *form.TO_NHWC(
        "test_conv_max_pool_uses_specified_convert_layout",
        f"{first('x', 'c')} r = Relu(c) p = MaxPool<kernel_shape=[2, 2]>(r) y = Flatten(p)",
        moved(LAST),
    ),
    *(
        case
        for at, convert in (("nhwc", form.TO_NCHW), ("nchw", form.TO_NHWC))
        for pools_in, there in (("", ()), ("_uses_specified", ((1, 6, 6, 6),)))
        for case in convert(
            f"test_deformable_conv_bias_pool{pools_in}_convert_layout/{at}",
            deformable(at),
            moved(LAST, (1, 6, 6, 18), *there),
            x=f"{X_LAST}, float[1,6,6,18] o" if at == "nhwc" else f"{X_FIRST}, float[1,18,6,6] o",
            ends="int32[] y",
            opset=19,
            weights=FIRST_BIAS,
        )
    ),
]
