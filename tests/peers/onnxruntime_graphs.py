"""onnxruntime's transpose optimiser: whole graphs, Reshapes next to Transposes (``transpose_optimizer_test.cc``)."""

from collections.abc import Sequence

from tests.peers.case import Case, cases
from tests.support.graphs import ints

SINCE_15 = (15, 18, 23)
ONE_ROW = "float[1,1,1,3] x, float[1,3] k"


def _reshaped(name: str, shape: Sequence[int], perm: str, target: Sequence[int], zero: bool = False) -> list[Case]:
    """Mul, Transpose, Reshape to ``target``, Identity; the product is a result, too."""
    to = f"int64[{len(target)}] to = {{{', '.join(map(str, target))}}}"
    ops = f"m = Mul(x, k) t = T{perm}(m) u = Reshape{'<allowzero=1>' if zero else ''}(t, to) y = Identity(u)"
    dims = ",".join(map(str, shape))
    return cases(name, f"(float[{dims}] x, float[1] k) => (float[] m, float[] y) <{to}> {{ {ops} }}", (15, 23))


def _one_row(name: str, ends: str, ops: str, held: str = "int64[4] to = {1, 1, 1, 3}", more: str = "") -> list[Case]:
    text = f"({ONE_ROW}{more}) => ({ends}) <{held}> {{ m = Mul(x, k) t = T0312(m) {ops} }}"
    return cases(name, text, SINCE_15, feeds={"p": ints(1, 1, 1, 3)} if more else {})


CASES = [
    *cases(
        "TestBroadcastReusedInputs",
        "(float[a=1,b=2,3,4] x, float[b,3] k) => (float[] y, float[] z) <float[2,3] w = {1, 2, 3, 4, 5, 6}>"
        " { t = T0312(x) u = Sum(t, w, k, w, t) y = T0231(u) z = T0231(u) }",
        SINCE_15,
    ),
    *cases(
        "TestTransposeGraphOutput",
        "(float[a=1,b=2,c=3,d=4] x) => (float[] t, float[] y, float[] z) { t = T0312(x) y = T0231(t) z = T2013(t) }",
        SINCE_15,
    ),
    *_one_row("TestSimpleReshapeAsTranspose", "float[] m, float[] y", "u = Reshape(t, to) y = Identity(u)"),
    *_one_row("TestReshapeAsTransposeGraphOutput", "float[] y", "y = Reshape(t, to)"),
    *_one_row("TestCancelingNodesGraphOutputs", "float[] m, float[] y", "y = Reshape(t, to)"),
    *_one_row(
        "TestNonCancelingReshapeDueToNonConstShape",
        "float[] m, float[] y",
        "u = Reshape(t, p) y = Identity(u)",
        "",
        ", int64[4] p",
    ),
    *_reshaped("TestReshapeCanMerge/1", (4, 1, 3), "201", (1, 3, 4)),
    *_reshaped("TestReshapeCanMerge/2", (4, 1, 4), "201", (1, 4, 4)),
    *_reshaped("TestReshapeCanMerge/3", (1, 6, 1, 5), "3012", (1, 1, 5, 6)),
    *_reshaped("TestReshapeCanMerge/4", (1, 6, 1, 5), "2310", (5, 6, 1, 1)),
    *_reshaped("TestReshapeCanMerge/5", (1, 6, 1, 5), "3021", (1, 5, 6, 1)),
    *_reshaped("TestReshapeCanMerge/6", (1, 6, 1, 5), "2301", (5, 1, 6, 1)),
    *_reshaped("TestReshapeCancelsTranspose/1", (1, 8), "10", (1, 8)),
    *_reshaped("TestReshapeCancelsTranspose/2", (2, 1, 4), "102", (2, 1, 4)),
    *_reshaped("TestReshapeCancelsTranspose/3", (1, 2, 1, 3), "0213", (1, 2, 1, 3)),
    *_reshaped("TestReshapeCantMerge/1", (2, 1, 4), "102", (2, 4)),
    *_reshaped("TestReshapeCantMerge/2", (1, 4, 4, 5), "0312", (1, 5, 2, 8)),
    *_reshaped("TestReshapeCantMerge/3", (1, 4, 8, 3), "0312", (1, 3, 8, 4)),
    *_reshaped("TestReshapeWithZero/1", (1, 5, 7, 1), "0321", (1, 7, 1, 0)),
    *_reshaped("TestReshapeWithZero/2", (1, 4, 8, 3), "0312", (1, 0, 8, 4)),
    *_reshaped("TestReshapeWithZero/3", (1, 5, 7, 0), "0213", (7, 5, 1, 0), zero=True),
    *_reshaped("TestReshapeWithZero/4", (1, 5, 7, 0), "0213", (0, 7, 5, 1), zero=True),
    *_reshaped("TestReshapeSplit/1", (1, 12, 20, 24), "0312", (1, 3, 8, 12, 20)),
    *_reshaped("TestReshapeSplit/2", (2, 4, 6), "201", (2, 3, 2, 2, 2)),
    *_reshaped("TestReshapeSplit/3", (1, 6, 4), "201", (2, 2, 1, 2, 3)),
    *_reshaped("TestReshapeSplitBails/1", (2, 3, 4), "102", (6, 4)),
    *_reshaped("TestReshapeSplitBails/2", (2, 3), "10", (2, 3, 1)),
    *_reshaped("TestReshapeSplitBails/3", (4, 6), "10", (2, 12, 1)),
    *_reshaped("TestReshapeWithMinusOne/1", (1, 5, 7, 1), "0321", (1, 7, 1, -1)),
    *_reshaped("TestReshapeWithMinusOne/2", (1, 8, 4, 1), "0321", (1, -1, 2, 8)),
    *cases(
        "TestPushBroadcastUnsqueezeTranspose",
        "(float[4,6,10] x, float[4,10] k) => (float[] y)"
        " { t = T120(x) r = Relu(t) a = T10(k) b = Relu(a) u = Mul(r, b) y = T201(u) }",
        SINCE_15,
    ),
    *cases(
        "TestOptimizeTowardsTranspose",
        "(float[4,6,10] x, float[10,4] k) => (float[] y) { t = T120(x) m = Mul(t, k) r = Relu(m) y = T201(r) }",
        SINCE_15,
    ),
    *cases(
        "TestOnlyOptimizeTowardsTranspose",
        "(float[4,6,10] x, float[10,4] k) => (float[] y) { t = T120(x) m = Mul(t, k) y = Relu(m) }",
        SINCE_15,
    ),
    *cases(
        "TestDontOptimizeWrongInput",
        "(int32[a=2,4,b=6,5] i, float[a,4,b,5] x) => (float[] y) { t = T0312(x) c = CastLike(i, t) y = T0231(c) }",
        SINCE_15,
    ),
    *cases(
        "TestOptimizeBothInputs",
        "(float[4,6,10] x, float[4,6,10] k) => (float[] y) { t = T120(x) u = T120(k) y = Mul(t, u) }",
        SINCE_15,
    ),
    *cases(  # a body reads what a Transpose makes
        "RegressionTest_GitHubIssue10305",
        "(float[2,3,5] x, bool c) => (float[] y) { t = T021(x) r = Relu(t) y = If(c) <"
        "then_branch = one () => (float[] a) { a = T021(r) }, "
        "else_branch = other () => (float[] b) { b = Identity(x) }> }",
        [15],
    ),
]
