"""qonnx's conversion to channels-last (``tests/transformation/test_channelslast.py``): its five kinds of nets, small.

Once with the input made channels-last, where ``left`` is the final count of Transposes of its tests, once with one more
for the input as it was; the multilayer perceptron, which is no image's, has it the other way round. Its quantisers are
written in standard operators.
"""

from collections.abc import Sequence

from tests.peers.case import Case, cases, moved

Shape = tuple[int, ...]
Shapes = dict[str, Shape]


def _act(x: str, y: str) -> str:
    """Rounded to two bits."""
    return f"{y}_s = Mul({x}, s) {y}_r = Round({y}_s) {y}_c = Clip({y}_r, lo, hi) {y} = Div({y}_c, s)"


def _conv(x: str, y: str, w: str, more: str = "") -> str:
    """A Conv, normalised and rounded."""
    norm = f"BatchNormalization({y}_k, {w}_g, {w}_g, {w}_g, {w}_g)"
    return f"{y}_k = Conv{more}({x}, {w}) {y}_n = {norm} {_act(f'{y}_n', y)}"


def _kernels(rank: int, **kernels: tuple[int, int, int]) -> Shapes:
    """Kernels of an odd size, and what normalises behind them."""
    found: Shapes = {}
    for name, (made, read, size) in kernels.items():
        found |= {name: (made, read, *[size] * rank), f"{name}_g": (made,)}
    return found


def _net(
    name: str, ops: str, shape: Shape, weights: Shapes, last: Sequence[Shape] = (), first: Sequence[Shape] = ()
) -> list[Case]:
    """What is transposed with the input made channels-last, and with the input as it was."""
    text = (
        f"(float[{','.join(map(str, shape))}] x) => (float[] y)"
        f" <float s = {{3}}, float lo = {{-2}}, float hi = {{1}}, int64[2] flat = {{1, -1}}> {{ {ops} }}"
    )
    function = {"to": "nhwc", "dialect": "function"}
    flipped = {**function, "layouts": {"x": "nhwc"}, "keep_io": False}
    return [
        *cases(f"{name}/channels_last", text, (17,), weights=weights, left=moved(*last), options=flipped),
        *cases(f"{name}/channels_first", text, (17,), weights=weights, left=moved(*first), options=function),
    ]


CNV = (
    f"{_act('x', 'q')} {_conv('q', 'a', 'w0')} {_conv('a', 'b', 'w1')}"
    " p = MaxPool<kernel_shape=[2, 2], strides=[2, 2]>(b)"
    f" {_conv('p', 'c', 'w2')} {_conv('c', 'd', 'w3')} f = Reshape(d, flat) m = MatMul(f, v0)"
    f" {_act('m', 'n')} y = MatMul(n, v1)"
)
TFC = (
    f"{_act('x', 'q')} f = Reshape(q, flat) m = MatMul(f, v0) {_act('m', 'n')} o = MatMul(n, v1)"
    f" {_act('o', 'r')} y = MatMul(r, v2)"
)
VGG = (
    f"{_act('x', 'q')} {_conv('q', 'a', 'w0', '<pads=[1, 1]>')} p = MaxPool<kernel_shape=[2], strides=[2]>(a)"
    f" {_conv('p', 'b', 'w1', '<pads=[1, 1]>')} r = MaxPool<kernel_shape=[2], strides=[2]>(b) f = Reshape(r, flat)"
    f" m = MatMul(f, v0) {_act('m', 'n')} y = MatMul(n, v1)"
)
BIASED = (
    f"a = Conv<pads=[1, 1, 1, 1]>(x, w0, b0) {_act('a', 'q')} b = Conv<strides=[2, 2]>(q, w1, b1) r = Relu(b)"
    " f = Reshape(r, flat) y = MatMul(f, v0)"
)
SAME, HALF = "<pads=[1, 1, 1, 1]>", "<pads=[1, 1, 1, 1], strides=[2, 2]>"
RESNET = (
    f"{_act('x', 'q')} {_conv('q', 'a', 'w0', HALF)} {_conv('a', 'b', 'w1', SAME)} {_conv('b', 'c', 'w2', SAME)}"
    f" d = Add(a, c) {_act('d', 'e')} {_conv('e', 'g', 'w3', HALF)} {_conv('e', 'h', 'w4', '<strides=[2, 2]>')}"
    " i = Add(g, h) p = AveragePool<kernel_shape=[2, 3], strides=[1, 1]>(i) t = Floor(p) f = Reshape(t, flat)"
    " y = Gemm<transB=1>(f, v0, b0)"
)
CNV_X, TFC_X, VGG_X, BIASED_X, RESNET_X = (1, 3, 14, 18), (1, 1, 7, 9), (1, 2, 32), (1, 3, 9, 11), (1, 3, 8, 12)
CNV_W = {**_kernels(2, w0=(4, 3, 3), w1=(5, 4, 3), w2=(6, 5, 3), w3=(7, 6, 1)), "v0": (105, 11), "v1": (11, 10)}
TFC_W: Shapes = {"v0": (63, 11), "v1": (11, 12), "v2": (12, 10)}
VGG_W = {**_kernels(1, w0=(5, 2, 3), w1=(6, 5, 3)), "v0": (48, 11), "v1": (11, 10)}
BIASED_W = {"w0": (5, 3, 3, 3), "b0": (5,), "w1": (6, 5, 3, 3), "b1": (6,), "v0": (120, 10)}
RESNET_W = {
    **_kernels(2, w0=(4, 3, 3), w1=(4, 4, 3), w2=(4, 4, 3), w3=(6, 4, 3), w4=(6, 4, 1)),
    "v0": (10, 6),
    "b0": (10,),
}
POOLED = (1, 6, 1, 1)

CASES = [
    *_net("FINN-CNV_W2A2", CNV, CNV_X, CNV_W, first=[CNV_X]),
    *_net("FINN-TFC_W2A2", TFC, TFC_X, TFC_W, last=[TFC_X]),
    *_net("RadioML_VGG10", VGG, VGG_X, VGG_W, first=[VGG_X]),
    *_net("Conv_bias_example", BIASED, BIASED_X, BIASED_W, first=[BIASED_X]),
    *_net("rn18_w4a4_a2q_16b", RESNET, RESNET_X, RESNET_W, last=[POOLED], first=[RESNET_X, POOLED]),
]
