"""tf2onnx's transpose optimiser (``tests/test_optimizers.py``), what cuts, joins, counts and picks.

``left`` is what its tests say that it leaves; ``make interop`` asks it itself. The opsets are 12, 15 and 18, but where
an operator changed.
"""

from tests.peers import tf2onnx_forms as form
from tests.peers.case import Case, between, cases
from tests.support.graphs import ints

IMAGE = "float[1,2,3,4] x"


def _pads(name: str, given: bool) -> list[Case]:
    """Pads as a constant, or as an input."""
    found = []
    for (shape, first, last), pads in zip(form.PADDED, form.PADS, strict=True):
        x = f"float{form.dims(shape)} x" + (f", int64[{len(pads)}] p" if given else "")
        held, feeds = ("", {"p": ints(*pads)}) if given else (form.numbers("p", pads), {})
        found += between(
            f"{name}/{len(shape)}",
            x,
            first,
            "u = Pad(t, p)",
            last,
            held=held,
            opsets=form.ALL,
            feeds=feeds,
            left=form.NONE,
        )
    return found


def _slices() -> list[Case]:
    found = []
    sizes = [(1, 2, 1), (1, 2, 1, 2), (1, 2, 1, 2, 1)]
    for row, axes in form.SLICES:
        shape, first, last = form.IN_ORDER[row]
        rows = {"b": [0] * len(axes), "e": [sizes[row][a] for a in axes], "k": axes}
        held = ", ".join(form.numbers(name, values, "int32") for name, values in rows.items())
        found += between(
            f"test_transpose_slice_opset_10/{len(shape)}.{len(axes)}",
            f"float{form.dims(shape)} x",
            first,
            "u = Slice(t, b, e, k)",
            last,
            held=held,
            opsets=form.ALL,
            left=form.NONE,
        )
    return found


def _maxed() -> list[Case]:
    """Without the axes; what is left is transposed back, if there is anything to transpose."""
    found = []
    for row, axes, back in form.MAXED:
        shape, first, _ = form.REDUCED[row]
        ops = f"u = ReduceMax<axes={axes}, keepdims=0>(t)" + ("" if back else " y = Identity(u)")
        found += between(
            f"test_transpose_reducemax/{len(shape)}.{len(axes)}",
            f"float{form.dims(shape)} x",
            first,
            ops,
            back,
            opsets=form.UNTIL_17,
            left=form.NONE,
        )
    return found


CASES = [
    *form.concat(),
    *form.split(),
    *cases(
        "test_transpose_with_split_dynamic_shape/2",
        "(float[1,n=10] x) => (float[] y) { t = T10(x) s = Split<axis=1, split=[1]>(t) y = Squeeze(s) }",
        form.UNTIL_12,
        left=form.NONE,
    ),
    *cases(
        "test_transpose_with_split_dynamic_shape/5",
        "(float[3,1,1,5,n=6] x) => (float[] y) { t = T02341(x) s = Split<axis=1, split=[1]>(t) y = Squeeze(s) }",
        form.UNTIL_12,
        left=form.NONE,
    ),
    *(
        case
        for size in (3, 256)
        for case in cases(
            f"test_transpose_with_split_opset13/{size}",
            f"(float[{size},1,1] x) => (float[] y) <int64[1] a = {{0}}, int64[1] one = {{1}}>"
            " { u = Unsqueeze(x, a) t = T0231(u) s = Split<axis=0>(t, one) y = Squeeze(s, one) }",
            (15,),
            left=form.NONE,
        )
    ),
    *_slices(),
    *form.squeeze(
        "test_transpose_with_squeeze1",
        [((1, 3, 4), "021", [0]), ((1, 3, 4, 5), "0231", [0]), ((1, 3, 4, 5, 6), "02341", [0])],
    ),
    *form.squeeze(
        "test_transpose_with_unsqueeze",
        [((1, 3, 4), "201", [0, 4, 5]), ((1, 3, 4, 5), "0231", [0, 4, 6]), ((1, 3, 4, 5, 6), "02341", [0, 4, 6])],
        "Unsqueeze",
    ),
    *form.squeeze("test_transpose_with_squeeze2", [((3, 4, 1, 5), "0231", [1]), ((3, 4, 1, 5, 6), "02341", [1])]),
    *form.squeeze(
        "test_transpose_with_squeeze3", [((3, 1, 4, 5), "0231", [3]), ((3, 1, 4, 5, 6), "02341", [4])], left=False
    ),
    *form.squeeze(
        "test_transpose_with_squeeze4", [((3, 1, 1, 5), "0231", [1, 3]), ((3, 1, 1, 5, 4), "02341", [1, 4])], left=False
    ),
    *form.loop(),
    *_pads("test_transpose_pad11", given=False),
    *_pads("test_transpose_pad11_non_const_pads", given=True),
    *form.reduced(
        "test_transpose_reducemean",
        "ReduceMean",
        form.REDUCED,
        [(0, [1]), (1, [1, 2]), (2, [1, 2, 3])],
        form.UNTIL_17,
        form.SINCE_18,
    ),
    *form.reduced("test_transpose_reducesum", "ReduceSum", form.REDUCED, form.SUMMED, form.UNTIL_12, form.SINCE_13),
    *_maxed(),
    *form.reduced(
        "test_transpose_reducemax_18",
        "ReduceMax",
        form.REDUCED,
        [(0, [1]), (1, [1, 2]), (2, [1, 2, 3])],
        (),
        form.SINCE_18,
    ),
    *cases(
        "test_transpose_argmax",
        f"({IMAGE}) => (int32[] y) {{ t = T0231(x) a = ArgMax<axis=3, keepdims=0>(t) y = Cast<to=6>(a) }}",
        form.ALL,
        left=form.NONE,
    ),
    *form.softmax("Softmax"),
    *form.softmax("LogSoftmax"),
    *between(
        "test_transpose_tile",
        IMAGE,
        "0231",
        "u = Tile(t, r)",
        "0312",
        held="int64[4] r = {3, 6, 5, 11}",
        opsets=form.ALL,
        left=form.NONE,
    ),
    *form.as_reshape(),
]
