"""onnxruntime's fusions of Transposes with matrix products (``graph_transform_test.cc`` and its test data)."""

from tests.peers.case import Case, cases

SQUARES = "float[3,2,n=4,n] x, float[3,2,n,n] k"


def _product(name: str, inputs: str, ops: str, ends: str = "float[] y") -> list[Case]:
    return cases(name, f"({inputs}) => ({ends}) {{ {ops} }}", [12])


def _cast(number: int, ops: str, ends: str = "float16[] y", inputs: str = SQUARES) -> list[Case]:
    return _product(f"TransposeCastMatmulFusion/{number}", inputs, ops, ends)


CASES = [
    *_product("TransposeMatmulFusion", "float[2,3,k=5,m=7] x, float[2,3,k,n=11] w", "t = T0132(x) y = MatMul(t, w)"),
    *_product(
        "TransposeMatmulFusionOnTwoTranspose",
        "float[2,3,k=5,m=7] x, float[2,3,n=11,k] w",
        "t = T0132(x) u = T0132(w) y = MatMul(t, u)",
    ),
    *_product(
        "TransposeMatmulFusionOnThreeTranspose",
        "float[2,3,m=7,k=5] x, float[2,3,n=11,k] w",
        "s = T0132(x) t = T0132(s) u = T0132(w) y = MatMul(t, u)",
    ),
    *_product(
        "TransposeMatmulNoFusionOnInvalidInput/perm",
        "float[2,m=7,3,k=5] x, float[2,3,k,n=11] w",
        "t = T0213(x) y = MatMul(t, w)",
    ),
    *_product(
        "TransposeMatmulNoFusionOnInvalidInput/default_perm",
        "float[k=5,m=7,3,2] x, float[2,3,k,n=11] w",
        "t = T(x) y = MatMul(t, w)",
    ),
    *(
        case
        for type_ in ("int32", "int64")
        for case in _product(
            f"TransposeMatmulNoFusionOnInvalidInput/{type_}",
            f"{type_}[2,3,k=5,m=7] x, {type_}[2,3,k,n=11] w",
            "t = T0132(x) y = MatMul(t, w)",
            f"{type_}[] y",
        )
    ),
    *_product(
        "TransposeMatmulFusionFromTransposeMatMul",
        "float[m=7,k=5] x, float[k,n=11] w",
        "t = T(x) y = com.microsoft.FusedMatMul<alpha=3.0, transA=1>(t, w)",
    ),
    *_product(
        "TransposeMatmulFusionWithPreservedTranspose",
        "float[k=5,m=7] x, float[k,n=11] w",
        "t = T(x) y = MatMul(t, w) z = Identity(t)",
        "float[] y, float[] z",
    ),
    *_cast(0, "a = T0132(x) b = Cast<to=10>(a) c = Cast<to=10>(k) y = MatMul(b, c)"),
    *_cast(1, "a = Cast<to=10>(x) b = T0132(k) c = Cast<to=10>(b) y = MatMul(a, c)"),
    *_cast(2, "a = T0132(x) b = Cast<to=10>(a) c = T0132(k) d = Cast<to=10>(c) y = MatMul(b, d)"),
    *_cast(
        3,
        "a = T0132(x) b = Cast<to=10>(a) c = T0132(k) d = Cast<to=10>(c) y = MatMul(b, d) z = MatMul(b, d)",
        "float16[] y, float16[] z",
    ),
    *_cast(
        4,
        "a = T0132(x) b = Cast<to=10>(a) c = T0132(k) d = Cast<to=10>(c) y = MatMul(b, d) z = MatMul(a, c)",
        "float16[] y, float[] z",
    ),
    *_cast(
        5,
        "a = T0132(x) b = Cast<to=1>(a) c = T0132(k) d = Cast<to=10>(c) y = MatMul(a, d) z = MatMul(b, c)",
        "float16[] y, float[] z",
        "float16[3,2,n=4,n] x, float[3,2,n,n] k",
    ),
    *_product(
        "TransposeMatmulTransBatchFusion/1",
        "float[k=5,3,m=7] x, float[3,n=11,k] w",
        "t = T120(x) u = T021(w) y = MatMul(t, u)",
    ),
    *_product(
        "TransposeMatmulTransBatchFusion/2", "float[m=7,2,3,k=5] x", "t = T1203(x) u = T1230(x) y = MatMul(t, u)"
    ),
    *_product(
        "TransposeMatmulTransBatchFusion/3",
        "float[m=7,2,3,k=5] x, float[k,2,3,n=11] w",
        "t = T1230(x) y = com.microsoft.FusedMatMul<alpha=3.0, transA=1, transBatchB=1>(t, w)",
    ),
    *_product(
        "TransposeMatmulTransBatchNoFusion/1", "float[k=5,3,m=7] x, float[2,3,k,n=11] w", "t = T120(x) y = MatMul(t, w)"
    ),
    *_product(
        "TransposeMatmulTransBatchNoFusion/2", "float[2,m=7,3,k=5] x", "t = T0213(x) u = T0231(x) y = MatMul(t, u)"
    ),
    *_product(
        "TransposeMatmulTransBatchNoFusion/3",
        "float[k=5,m=7,2,3] x, float[2,3,k,n=11] w",
        "t = T1230(x) y = com.microsoft.FusedMatMul<alpha=3.0, transBatchA=1>(t, w)",
    ),
    *_product(
        "GemmTransposeFusion2Inputs",
        "float[m=7,k=5] a, float[n=11,k] b",
        "t = T(a) u = T(b) y = Gemm<alpha=3.0, transA=1>(t, u)",
    ),
    *_product(
        "GemmTransposeFusionOutput", "float[k=5,m=7] a, float[k,n=11] b", "u = Gemm<alpha=3.0, transA=1>(a, b) y = T(u)"
    ),
    *_product(
        "GemmTransposeFusionInputOutput",
        "float[m=7,k=5] a, float[n=11,k] b",
        "t = T(a) u = T(b) v = Gemm<alpha=3.0, transA=1>(t, u) y = T(v)",
    ),
    *_product(
        "GemmTransposeFusionInputOutput2",
        "float[k=5,m=7] a, float[n=11,k] b",
        "t = T(a) u = Gemm<alpha=3.0, transB=1>(t, b) y = T(u)",
    ),
    *_product(
        "GemmTransposeFusion2OutputsFromTranspose",
        "float[m=7,k=5] a, float[n=11,k] b",
        "t = T(a) u = T(b) y = Gemm<alpha=3.0, transA=1>(t, u) z = Identity(t)",
        "float[] y, float[] z",
    ),
    *_product(
        "GemmTransposeFusion2OutputsFromTransposeTo2Gemms",
        "float[m=7,k=5] a, float[n=11,k] b, float[k,l=13] c",
        "t = T(a) u = T(b) y = Gemm<alpha=3.0, transA=1>(t, u) v = Gemm<alpha=3.0, transA=1>(u, c) z = Identity(t)",
        "float[] y, float[] z, float[] v",
    ),
]
