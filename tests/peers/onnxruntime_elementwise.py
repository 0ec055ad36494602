"""onnxruntime's transpose optimiser: elementwise and reducing operators (``transpose_optimizer_test.cc``)."""

from tests.peers.case import Case, between, cases
from tests.support.graphs import ints

OPEN = "float[n=2,4,w=6,5] x"
SEARCHED = "float[2,4,h=6,3] x"
HIDDEN = "float[] x{2,3,4,5}"
DEEP = "float[] x{2,3,4,5,6}"
IMAGE = "float[2,4,6,3] x"
SINCE_15, SINCE_18 = (15, 18, 23), (18, 23)
AXES = "int64[2] axes = {0, -2}"
REDUCE = ("LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare", "L1", "L2")
FLOATS = [
    "Add",
    "Mul",
    "Sub",
    "Div",
    "PRelu",
    "Greater",
    "Less",
    "Pow",
    "Max",
    "Min",
    "Mean",
    "Sum",
    "GreaterOrEqual",
    "LessOrEqual",
]
TO_BOOL = {"Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal"}


def _reduce(name: str, op: str, keep: str, back: str, since_input: int, opset: int = 15) -> list[Case]:
    """Over two axes: as an attribute, or as an input from an opset on."""
    ops = f"u = {op}<axes=[0, -2]{keep and ', ' + keep}>(t)"
    before = [] if opset >= since_input else between(name, OPEN, "0312", ops, back, opsets=[opset])
    ops = f"u = {op}{keep and f'<{keep}>'}(t, axes)"
    return before + between(name, OPEN, "0312", ops, back, held=AXES, opsets=SINCE_18 if before else (opset, *SINCE_18))


def _empty_sum(name: str, attrs: str, back: str = "") -> list[Case]:
    """ReduceSum with a vector of no axes."""
    ops = f"{'u' if back else 'y'} = ReduceSum<{attrs}>(t, axes)"
    return between(name, OPEN, "0312", ops, back, held="int64[0] axes = {}")


def _whole(name: str, ops: str, opsets: tuple[int, ...] = SINCE_15) -> list[Case]:
    return between(name, OPEN, "0312", ops, "", opsets=opsets)


def _search(name: str, op: str, attrs: str, back: str) -> list[Case]:
    return between(name, SEARCHED, "0312", f"u = {op}{attrs and f'<{attrs}>'}(t)", back, y="int64", opsets=SINCE_15)


def _soft(
    name: str, x: str, first: str, last: str, op: str = "Softmax", axis: str = "", opsets: tuple[int, ...] = (12, 23)
) -> list[Case]:
    return between(name, x, first, f"u = {op}{axis and f'<axis={axis}>'}(t)", last, opsets=opsets)


def _broadcast(op: str, type_: str = "float", attrs: str = "") -> list[Case]:
    result = "bool" if op in TO_BOOL else type_
    text = f"({type_}[6,4,10] x, {type_}[4,10] x2) => ({result}[] y)"
    ops = f"a = T021(x) b = T10(x2) c = {op}{attrs}(a, b) y = T021(c)"
    return cases(f"TestBroadcastOps{op}", f"{text} {{ {ops} }}", SINCE_15)


def _active(name: str, op: str, more: str = "", x: str = IMAGE) -> list[Case]:
    return between(name, x, "0312", f"u = {op}(t{more})", "0231", opsets=(15, 18, 22))


CASES = [
    *between("TestAdd", "float[4,6,10] x", "120", "u = Add(t, k)", "201", held="float k = {3.2}", opsets=SINCE_15),
    *_reduce("TestReduceSumKeepdimsTrue", "ReduceSum", "keepdims=1", "0231", 13, 7),
    *_whole("TestReduceSumEmptyAxesKeepdimsTrue", "y = ReduceSum<keepdims=1>(t)", (7, 18, 23)),
    *_reduce("TestReduceSumKeepdimsFalse", "ReduceSum", "keepdims=0", "10", 13, 7),
    *_whole("TestReduceSumEmptyAxesKeepdimsFalse", "y = ReduceSum<keepdims=0>(t)", (7, 18, 23)),
    *_reduce("TestReduceSumKeepdimsTrueOpset15", "ReduceSum", "keepdims=1", "0231", 13)[:1],
    *_empty_sum("TestReduceSumEmptyAxesKeepdimsTrueOpset15", "keepdims=1"),
    *_empty_sum("TestReduceSumEmptyAxesKeepdimsTrueNoopEmptyTrueOpset15", "keepdims=1, noop_with_empty_axes=1", "0231"),
    *_empty_sum("TestReduceSumEmptyAxesKeepdimsTrueNoopEmptyFalseOpset15", "keepdims=1, noop_with_empty_axes=0"),
    *_whole("TestReduceSumNoAxesInputOpset15", "y = ReduceSum<keepdims=1, noop_with_empty_axes=0>(t)", (15,)),
    *_reduce("TestReduceSumKeepdimsFalseOpset15", "ReduceSum", "keepdims=0", "10", 13)[:1],
    *_empty_sum("TestReduceSumEmptyAxesKeepdimsFalseOpset15", "keepdims=0"),
    *_empty_sum(
        "TestReduceSumEmptyAxesKeepdimsFalseNoopEmptyTrueOpset15", "keepdims=0, noop_with_empty_axes=1", "0231"
    ),
    *_empty_sum("TestReduceSumEmptyAxesKeepdimsFalseNoopEmptyFalseOpset15", "keepdims=0, noop_with_empty_axes=0"),
    *_whole("TestReduceSumNoAxesInput_2Opset15", "y = ReduceSum<keepdims=0, noop_with_empty_axes=0>(t)", (15,)),
    *(
        case
        for keep in (1, 0)
        for case in between(
            f"TestReduceSumNonconstKeepdims{bool(keep)}NoOptOpset13",
            f"{OPEN}, int64 i",
            "0312",
            f"axes = Add(i, k) y = ReduceSum<keepdims={keep}>(t, axes)",
            "",
            held="int64[2] k = {0, -1}",
            opsets=[13],
            feeds={"i": ints(-1).reshape(())},
        )
    ),
    *_reduce("TestReduceMaxKeepdimsTrue", "ReduceMax", "keepdims=1", "0231", 18),
    *_whole("TestReduceMaxKeepdimsTrueDefaultAxes", "y = ReduceMax<keepdims=1>(t)"),
    *_reduce("TestReduceMaxKeepdimsFalse", "ReduceMax", "keepdims=0", "10", 18),
    *_whole("TestReduceMaxKeepdimsFalseDefaultAxes", "y = ReduceMax<keepdims=0>(t)"),
    *_reduce("TestReduceMax", "ReduceMax", "", "0231", 18),
    *_whole("TestReduceMaxDefaultAxes", "y = ReduceMax(t)"),
    *(case for op in REDUCE for case in _reduce(f"TestReduceOpsReduce{op}", f"Reduce{op}", "keepdims=0", "10", 18)),
    *between("TestOmitIdentityTranspose", OPEN, "0312", "y = ReduceMax<axes=[1], keepdims=0>(t)", ""),
    *between(
        "TestOmitIdentityTranspose",
        OPEN,
        "0312",
        "y = ReduceMax<keepdims=0>(t, k)",
        "",
        held="int64[1] k = {1}",
        opsets=SINCE_18,
    ),
    *_search("TestArgMinNoAxisKeepdimsTrue", "ArgMin", "keepdims=1", "0231"),
    *_search("TestArgMinNoAxisKeepdimsFalse", "ArgMin", "keepdims=0", "120"),
    *_search("TestArgMinNoAxis", "ArgMin", "", "0231"),
    *_search("TestArgMinKeepdimsTrue", "ArgMin", "axis=-2, keepdims=1", "0231"),
    *_search("TestArgMinKeepdimsFalse", "ArgMin", "axis=-2, keepdims=0", "021"),
    *_search("TestArgMin", "ArgMin", "axis=-2", "0231"),
    *_search("TestArgMax", "ArgMax", "axis=-2, keepdims=1", "0231"),
    *_soft("TestSoftmax", HIDDEN, "0312", "0231", axis="0"),
    *_soft("TestSoftmaxNoAxis", HIDDEN, "0312", "0231"),
    *_soft("TestSoftmax_2", DEEP, "10324", "10324", axis="-3"),
    *_soft("TestSoftmaxNoOptimization", HIDDEN, "0312", "0231", axis="2"),
    *_soft("TestSoftmaxNoOptimization_2", DEEP, "10324", "10324", axis="-2"),
    *_soft("TestSoftmaxNoOptimization_3", DEEP, "03124", "02314", axis="-3"),
    *_soft("TestSoftmaxNoAxisOpset15", HIDDEN, "0312", "0231", opsets=(15,)),
    *_soft("TestSoftmaxOpset15", DEEP, "03124", "02314", axis="-3", opsets=(15,)),
    *_soft("TestHardmaxAndLogSoftmaxNoAxis", HIDDEN, "0312", "0231", "Hardmax", opsets=(15, 23)),
    *_soft("TestHardmaxAndLogSoftmaxNoAxis_2", HIDDEN, "0312", "0231", "LogSoftmax", opsets=(15, 23)),
    *(case for op in FLOATS for case in _broadcast(op)),
    *_broadcast("Equal", "int32"),
    *(case for op in ("And", "Or", "Xor") for case in _broadcast(op, "bool")),
    *_broadcast("Mod", attrs="<fmod=1>"),
    *_broadcast("BitShift", "uint32", '<direction="LEFT">'),
    *cases(
        "TestWhere",
        "(bool[4,6,10] c, float a, float[4,6,10] x) => (float[] y)"
        " { t = T120(c) b = T120(x) u = Where(t, a, b) y = T201(u) }",
        SINCE_15,
    ),
    *between("TestCast", "int32[n=2,4,w=6,5] x", "0312", "u = Cast<to=1>(t)", "0231", opsets=SINCE_15),
    *_active("TestElu", "Elu"),
    *_active("TestElu/alpha", "Elu<alpha=0.5>"),
    *_active("TestContribQuickGelu", "com.microsoft.QuickGelu"),
    *_active("TestContribQuickGelu/alpha", "com.microsoft.QuickGelu<alpha=1.702>"),
    *_active("TestContribGelu", "com.microsoft.Gelu"),
    *_active("TestContribFastGeluWithoutBias", "com.microsoft.FastGelu"),
    *_active("TestContribFastGeluWithBiasIsNotPushed", "com.microsoft.FastGelu", ", b", f"{IMAGE}, float[6] b"),
]
