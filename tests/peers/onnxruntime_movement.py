"""onnxruntime's transpose optimiser: what cuts, joins, resizes, counts and picks (``transpose_optimizer_test.cc``)."""

import numpy as np

from tests.peers.case import Case, between, cases
from tests.support.graphs import ints

OPEN = "float[4,h=6,2,w=10] x"
IMAGE = "float[2,4,6,5] x"
ONES = "float[1,n=4,1,2] x"
ROWS = "float[a=4,6,b=10] x"
WITH_PADS = "float[4,h=6,2,w=10] x, int64[8] p"
SINCE_15, SINCE_18 = (15, 18, 23), (18, 23)
PADS = "int64[8] pads = {1, -2, 3, 4, 5, 6, 7, 8}"
SCALES = "float[4] s = {0.3, 2.5, 1.0, 0.7}"
CROP = 'coordinate_transformation_mode="tf_crop_and_resize"'
ROI = "float[8] roi = {0.1, 0.2, 0.3, 0.4, 0.9, 0.8, 0.7, 0.6}"
FEEDS = {
    "roi": np.asarray([0.1, 0.2, 0.3, 0.4, 0.9, 0.8, 0.7, 0.6], np.float32),
    "s": np.asarray([0.3, 2.5, 1.0, 0.7], np.float32),
}
STARTS = {"a": ints(1, -3, 0, 0), "b": ints(2, 4, 10, 10)}
INT32 = {name: array.astype("int32") for name, array in STARTS.items()}


def _split(name: str, attrs: str) -> list[Case]:
    """Two halves, both transposed back; from opset 18 on their number must be said."""

    def text(more: str) -> str:
        said = ", ".join(filter(None, (attrs, more)))
        ops = f"t = T120(x) a, b = Split{f'<{said}>' if said else ''}(t) y = T201(a) z = T201(b)"
        return f"(float[4,6,10] x) => (float[] y, float[] z) {{ {ops} }}"

    return cases(name, text("")) + cases(name, text("num_outputs=2"), SINCE_18)


def _resize(
    name: str, inputs: str, held: str = "", opsets: tuple[int, ...] = (11, 18, 23), attrs: str = ""
) -> list[Case]:
    return between(name, OPEN, "0312", f"u = Resize{attrs}(t{inputs})", "0231", held=held, opsets=opsets)


def _shape(name: str, attrs: str = "", opsets: tuple[int, ...] = SINCE_15) -> list[Case]:
    return between(name, ROWS, "120", f"y = Shape{attrs}(t)", "", y="int64", opsets=opsets)


def _slice(name: str, inputs: str, held: str, opsets: tuple[int, ...] = SINCE_15) -> list[Case]:
    return between(name, IMAGE, "0312", f"u = Slice(t{inputs})", "0231", held=held, opsets=opsets)


def _slice_by(name: str, type_: str, dims: str, inputs: str, held: str = "") -> list[Case]:
    """Slice with inputs that are computed."""
    feeds = {**(STARTS if type_ == "int64" else INT32), "c": ints(1, -2).astype(type_)}
    more = ", ".join(f"{type_}{dims} {one}{{4}}" if dims == "[]" else f"{type_}{dims} {one}" for one in inputs.split())
    text = f"u = Slice(t, {', '.join([*filter(None, [held and 'k, e']), *inputs.split()])})"
    return between(name, f"{IMAGE}, {more}", "0312", text, "0231", held=held, opsets=SINCE_15, feeds=feeds)


def _gather(name: str, axis: int, held: str, back: str, x: str = IMAGE) -> list[Case]:
    ops = f"u = Gather<axis={axis}>(t, i)"
    return between(name, x, "0312", ops, back, held=held, opsets=(13, 18, 23), feeds={"i": ints(2).reshape(())})


CASES = [
    *_split("TestSplit", "axis=1"),
    *_split("TestSplitDefaultAxis", ""),
    *_split("TestSplitNegativeAxis", "axis=1"),
    *cases(
        "TestConcat",
        "(float[4,h=6,2,w=10] x, float[4,k=7,2,w=10] x2) => (float[] y)"
        " { a = T0312(x) b = T0312(x2) c = Concat<axis=2>(a, b) y = T0231(c) }",
        SINCE_15,
    ),
    *between("TestPad", OPEN, "0312", "u = Pad<pads=[1, -2, 3, 4, 5, 6, 7, 8], value=2.3>(t)", "0231", opsets=[10]),
    *between(
        "TestPad", OPEN, "0312", "u = Pad(t, pads, v)", "0231", held=f"{PADS}, float[1] v = {{2.3}}", opsets=SINCE_18
    ),
    *between(
        "TestPadOpset15",
        OPEN,
        "0312",
        "u = Pad(t, pads, v)",
        "0231",
        held=f"{PADS}, float v = {{2.3}}",
        opsets=SINCE_15,
    ),
    *between(
        "TestPadNonconst",
        WITH_PADS,
        "0312",
        "q = Add(p, pads) u = Pad(t, q, v)",
        "0231",
        held=f"{PADS}, float v = {{2.3}}",
        opsets=(11, 18, 23),
        feeds={"p": ints(1, 0, 0, 1, 0, 0, -1, 1)},
    ),
    *between("TestResize", OPEN, "0312", "u = Resize(t, s)", "0231", held=SCALES, opsets=[10]),
    *_resize("TestResize", ', "", s', SCALES, (18, 21, 23)),
    *_resize("TestResizeOpset11", ", roi, s", f"float[8] roi = {{0, 0, 0, 0, 0, 0, 0, 0}}, {SCALES}"),
    *_resize("TestResizeOpset15", ', "", s', SCALES, SINCE_15),
    *_resize("TestResizeSizeRoi", ', roi, "", n', f"{ROI}, int64[4] n = {{10, 9, 8, 7}}", SINCE_15, f"<{CROP}>"),
    *between(
        "TestResizeRoiScalesZeroRank0",
        "uint8[1,64,48,3] x",
        "0312",
        "u = Resize(t, roi, s, n)",
        "0231",
        y="uint8",
        held="float[0] roi = {}, float[0] s = {}, int64[4] n = {1, 256, 32, 32}",
        opsets=(12, 18),
    ),
    *between(
        "TestResizeNonconst",
        f"{OPEN}, float[8] roi, float[4] s",
        "0312",
        f"u = Resize<{CROP}>(t, roi, s)",
        "0231",
        opsets=[11],
        feeds=FEEDS,
    ),
    *between(
        "TestResizeNonconstOpset13",
        f"{OPEN}, float[8] roi, float[4] s",
        "0312",
        f"u = Resize<{CROP}>(t, roi, s)",
        "0231",
        opsets=(13, 18, 23),
        feeds=FEEDS,
    ),
    *_shape("TestShape", opsets=(7, 21)),
    *_shape("TestShapeOpset15"),
    *_shape("TestShapeSliceNoStart", "<end=5>"),
    *_shape("TestShapeSliceNegativeEnd", "<end=-1>"),
    *_shape("TestShapeSliceNegativeStartNoEnd", "<start=-30>"),
    *_shape("TestShapeSliceStartAndEnd", "<start=1, end=2>"),
    *_shape("TestShapeSliceEmptyResult", "<start=2, end=1>"),
    *between("TestSqueezeOpset7", ONES, "0312", "u = Squeeze<axes=[0, 3]>(t)", "10", opsets=[7]),
    *between("TestSqueezeOpset11", ONES, "0312", "u = Squeeze<axes=[0, -1]>(t)", "10", opsets=[11]),
    *between("TestSqueezeOpset15", ONES, "0312", "u = Squeeze(t, k)", "10", held="int64[2] k = {0, -1}"),
    *between("TestSqueezeEmptyNoOpt", ONES, "0312", "y = Squeeze(t)", "", opsets=(7, 18, 23)),
    *between("TestSqueezeEmptyNoOptOpset15", ONES, "0312", "y = Squeeze(t)", ""),
    *between(
        "TestSqueezeNonconstNoOpt",
        f"{ONES}, int64[k=2] k",
        "0312",
        "y = Squeeze(t, k)",
        "",
        opsets=SINCE_15,
        feeds={"k": ints(0, -1)},
    ),
    *between(
        "TestUnsqueezeOpset7",
        "float[2,n=4,6,5] x",
        "0312",
        "u = Unsqueeze<axes=[0, 4, 7, 5]>(t)",
        "01364527",
        opsets=[7],
    ),
    *between(
        "TestUnsqueezeOpset11",
        "float[2,n=4,6,5] x",
        "0312",
        "u = Unsqueeze<axes=[0, -4, -1, 5]>(t)",
        "01364527",
        opsets=[11],
    ),
    *between(
        "TestUnsqueezeOpset15",
        "float[2,n=4,6,5] x",
        "0312",
        "u = Unsqueeze(t, k)",
        "01364527",
        held="int64[4] k = {0, -4, -1, 5}",
    ),
    *between(
        "TestUnsqueezeNonconstNoOpt",
        "float[2,n=4,6,5] x, int64[4] k",
        "0312",
        "u = Unsqueeze(t, k)",
        "13620457",
        opsets=(14, 23),
        feeds={"k": ints(0, -4, -1, 5)},
    ),
    *between("TestSlice", IMAGE, "0312", "u = Slice<axes=[2], starts=[1], ends=[-1]>(t)", "0231", opsets=[7]),
    *between(
        "TestSliceNoAxes", IMAGE, "0312", "u = Slice<starts=[1, -3, 0, 0], ends=[2, 4, 10, 10]>(t)", "0231", opsets=[7]
    ),
    *_slice("TestSliceOpset15", ", k, e, a", "int64[1] k = {1}, int64[1] e = {-1}, int64[1] a = {2}"),
    *_slice("TestSliceNoAxesOpset15", ", k, e", "int64[4] k = {1, -3, 0, 0}, int64[4] e = {2, 4, 10, 10}"),
    *_slice(
        "TestSliceNegativeAxesInt32", ", k, e, a", "int32[2] k = {1, -3}, int32[2] e = {2, 4}, int32[2] a = {1, -2}"
    ),
    *_slice(
        "TestSliceStepsInt32",
        ", k, e, a, n",
        "int32[2] k = {1, 4}, int32[2] e = {2, -3}, int32[2] a = {1, -2}, int32[2] n = {2, -1}",
    ),
    *_slice("TestSliceNegativeAxes", ", k, e, a", "int64[2] k = {1, -3}, int64[2] e = {2, 4}, int64[2] a = {1, -2}"),
    *_slice(
        "TestSliceSteps",
        ", k, e, a, n",
        "int64[2] k = {1, 4}, int64[2] e = {2, -3}, int64[2] a = {1, -2}, int64[2] n = {2, -1}",
    ),
    *_slice_by("TestSliceNonconstNoOpt", "int64", "[2]", "c", "int64[2] k = {1, -3}, int64[2] e = {2, 4}"),
    *_slice_by("TestSliceNonconstInt32NoOpt", "int32", "[2]", "c", "int32[2] k = {1, -3}, int32[2] e = {2, 4}"),
    *_slice_by("TestSliceDefaultAxesNonconstStarts", "int64", "[4]", "a b"),
    *_slice_by("TestSliceDefaultAxesNonconstStartsUnknownLengthNoOpt", "int64", "[]", "a b"),
    *_slice_by("TestSliceDefaultAxesNonconstStartsInt32", "int32", "[4]", "a b"),
    *_slice_by("TestSliceDefaultAxesNonconstStartsUnknownLengthInt32NoOpt", "int32", "[]", "a b"),
    *_gather("TestGatherScalarIndices", 2, "int64 i = {2}", "021"),
    *_gather("TestGatherNegativeAxis", -1, "int64 i = {0}", "021"),
    *_gather("TestGatherRank1IndicesNoOpt", 2, "int64[1] i = {2}", "0132"),
    *_gather("TestGatherNonconstIndicesNoOpt", 2, "", "021", f"{IMAGE}, int64 i"),
    *between(
        "TestTile",
        "float[2,n=4,6,3] x",
        "0312",
        "u = Tile(t, r)",
        "0231",
        held="int64[4] r = {1, 2, 1, 3}",
        opsets=SINCE_15,
    ),
    *between(
        "TestTileNonconstReps",
        "float[2,n=4,6,3] x, int64[] r{4}",
        "0312",
        "u = Tile(t, r)",
        "0231",
        opsets=SINCE_15,
        feeds={"r": ints(1, 2, 1, 3)},
    ),
]
