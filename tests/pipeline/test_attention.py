"""Attention is told by what it computes, however it is written, and nothing else is."""

import numpy as np
import pytest
from onnx import ModelProto

from passes.ir.declared import standard_opset
from rewriter import rewrite
from tests.support.attentions import CONSTANTS, HEADS, D, N, T, core, ending, linears, net
from tests.support.graphs import COMMITTED, KINDS, converted, count, ints, model, node, op_types, proven, random, value

CAUSAL = np.triu(np.full((T, T), -np.inf, np.float32), 1)
DEAD = np.where(np.arange(T) == 1, -np.inf, 0).astype(np.float32)[:, None] + np.zeros((T, T), np.float32)
GUARD = [node("IsNaN", ["p"], ["is"]), node("Where", ["is", "zero", "p"], ["w"])]
ZERO = np.asarray(0, np.float32)
SCALED = node("Mul", ["m", "half"], ["n"])


def added(mask: str = "mask") -> list:  # type: ignore[type-arg]
    return [SCALED, node("Add", ["n", mask], ["s"])]


def split(kind: str) -> list:  # type: ignore[type-arg]
    """Queries, keys and values of one Linear, as PyTorch's nets take them apart."""
    nodes = [
        node("MatMul", ["x", "all"], ["a"]),
        node("Reshape", ["a", "three"], ["b"]),
        node("Transpose", ["b"], ["c"], perm=[2, 0, 3, 1, 4]),
    ]
    for i, name in enumerate(("q", "k", "v")):
        if kind == "Gather":
            nodes.append(node("Gather", ["c", f"i{i}"], [name], axis=0))
        elif kind == "Slice":
            nodes.append(node("Slice", ["c", f"from{i}", f"from{i + 1}", "from0"], [f"{name}_"]))
            nodes.append(node("Squeeze", [f"{name}_", "from0"], [name]))
    if kind == "Split":
        nodes.append(node("Split", ["c", "ones"], ["q_", "k_", "v_"], axis=0))
        nodes += [node("Squeeze", [f"{name}_", "from0"], [name]) for name in "qkv"]
    return [*nodes, node("Transpose", ["k"], ["t"], perm=[0, 1, 3, 2])]


SPLITTING = {
    "all": random(12, 36) * 0.5,
    "three": ints(0, 0, 3, HEADS, D),
    "ones": ints(1, 1, 1),
    **{f"i{i}": np.asarray(i) for i in range(3)},
    **{f"from{i}": ints(i) for i in range(4)},
}
EINSUMS = [
    node("Einsum", ["q1", "k1"], ["m"], equation="bqhd, bkhd -> bhqk"),
    SCALED,
    node("Softmax", ["n"], ["p"]),
    node("Einsum", ["p", "v1"], ["o1"], equation="bhqk,bkhd->bqhd"),
]
ROOTS = [node("Mul", ["q", "root"], ["q_"]), node("Mul", ["root", "t"], ["t_"]), node("MatMul", ["q_", "t_"], ["s"])]
TWO = [node("Add", ["bias", "m"], ["n"]), node("Add", ["n", "mask"], ["s"])]
WINDOWS = [
    node("Add", ["m", "bias"], ["a"]),
    node("Reshape", ["a", "five"], ["b"]),
    node("Add", ["b", "window"], ["c"]),
    node("Reshape", ["c", "four"], ["s"]),
]
MERGED = [
    *(node("Reshape", [name, f"to_{name}"], [f"{name}_"]) for name in "qtv"),
    node("MatMul", ["q_", "t_"], ["m"]),
    node("Reshape", ["m", "apart"], ["n"]),
    node("Div", ["n", "two"], ["s"]),
    node("Softmax", ["s"], ["p"]),
    node("Reshape", ["p", "together"], ["w"]),
    node("MatMul", ["w", "v_"], ["o_"]),
    node("Reshape", ["o_", "back"], ["o"]),
]
MERGING = {
    "to_q": ints(6, T, D),
    "to_t": ints(6, D, T),
    "to_v": ints(6, T, D),
    "apart": ints(2, 3, T, T),
    "together": ints(6, T, T),
    "back": ints(2, 3, T, D),
}
SPELLINGS = {
    "as HuggingFace": net(core()),
    "divided": net(core([node("Div", ["m", "two"], ["s"])])),
    "scaled on both sides": net(([*ROOTS, *core()[0][2:]], {})),
    "not scaled": net(core([node("Identity", ["m"], ["s"])])),
    "keys turned twice": net(core(), [*linears((0, 2, 1, 3), "k"), node("Transpose", ["k"], ["t"], perm=[0, 1, 3, 2])]),
    "one linear, Gather": net((core()[0], SPLITTING), split("Gather")),
    "one linear, Slice": net((core()[0], SPLITTING), split("Slice")),
    "one linear, Split": net((core()[0], SPLITTING), split("Split")),
    "causal": net(core(added(), mask=CAUSAL)),
    "bias by head": net(core(added(), mask=random(HEADS, T, T))),
    "bias by batch": net(core(added(), mask=random(N, 1, T, T))),
    "two masks": net(core(TWO, mask=CAUSAL, bias=random(1, HEADS, T, T))),
    "computed mask": net(core(added()), inputs={"mask": [N, 1, T, T]}),
    "guarded": net(core(added(), GUARD, mask=CAUSAL, zero=ZERO)),
    "scale by head": net(core([node("Mul", ["m", "by"], ["s"])], by=np.asarray([0.3, 0.5, 0.7], "f").reshape(3, 1, 1))),
    "Einsum": net((EINSUMS, {}), linears()[:6], ending()[1:]),
    "windows": net(
        core(
            WINDOWS, bias=random(HEADS, T, T), window=random(1, N, 1, T, T),
            five=ints(1, N, HEADS, T, T), four=ints(N, HEADS, T, T),
        )
    ),
    "Dropout": net(core(then=[node("Dropout", ["p"], ["w"])])),
    "opset 13": net(core(), opset=13),
}  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_it_is_one_operator_without_transposes_of_heads(spelling: str) -> None:
    original = SPELLINGS[spelling]
    result = converted(original, "nhwc", "onnxruntime")
    assert count(result.model, "Attention") == 1
    assert not {"Softmax", "Einsum"} & {*op_types(result.model)}
    assert count(result.model) == 0
    assert result.model.opset_import[0].version == 23
    assert any("to 23" in note for note in result.report.notes)
    again = converted(result.model, "nhwc", "onnxruntime")
    assert not again.report.changed or "Add" in op_types(result.model)  # the sum of small masks becomes a constant
    proven(original, "nchw", "onnxruntime")
    proven(result.model, "nchw", "onnx")


def test_batches_of_heads_are_told_through_reshapes() -> None:
    """Two batches and three heads merged into one axis cannot be stored apart: two Transposes stay."""
    of_one = {**MERGING, "to_q": ints(3, T, D), "to_t": ints(3, D, T), "to_v": ints(3, T, D), "apart": ints(1, 3, T, T)}
    of_one |= {"together": ints(3, T, T), "back": ints(1, 3, T, D)}
    held = {name: array for name, array in {**CONSTANTS, **of_one}.items() if name not in ("half", "root")}
    one = model([*linears(), *MERGED, *ending()], {"x": [1, T, 12]}, {"y": [1, T, 12]}, held)
    result = converted(one, "nhwc", "onnxruntime").model
    assert (count(result, "Attention"), count(result)) == (1, 0)
    plain, fused = (converted(net((MERGED, MERGING)), "nhwc", dialect).model for dialect in ("onnx", "onnxruntime"))
    assert 0 < count(fused) < count(plain)


def test_sequence_first() -> None:
    """torch.nn.MultiheadAttention: [T, N * heads, d]."""
    nodes = [
        *(node("MatMul", ["x", f"w{name}"], [f"{name}0"]) for name in "qkv"),
        *(node("Reshape", [f"{name}0", "heads"], [f"{name}1"]) for name in "qkv"),
        node("Transpose", ["q1"], ["q"], perm=[1, 0, 2]),
        node("Transpose", ["k1"], ["t"], perm=[1, 2, 0]),
        node("Transpose", ["v1"], ["v"], perm=[1, 0, 2]),
        *core()[0],
        node("Transpose", ["o"], ["o1"], perm=[1, 0, 2]),
        node("Reshape", ["o1", "flat"], ["y"]),
    ]
    held = {**CONSTANTS, "heads": ints(T, N * HEADS, D), "flat": ints(T, N, HEADS * D)}
    held = {name: array for name, array in held.items() if name not in ("wo", "two", "root")}
    result = converted(model(nodes, {"x": [T, N, 12]}, {"y": [T, N, 12]}, held), "nhwc", "onnxruntime").model
    assert (count(result, "Attention"), count(result)) == (1, 0)


def test_dynamic_batches_and_sequences() -> None:
    original = net(core(), inputs={"x": ["n", "t", 12]})
    del original.graph.output[0].type.tensor_type.shape.dim[:]
    original.graph.output[0].CopyFrom(value("y", ["n", "t", 12]))
    result = converted(original, "nhwc", "onnxruntime").model
    assert (count(result, "Attention"), count(result)) == (1, 0)


def cast(to: int) -> ModelProto:
    """The attention in another element type."""
    casts = [node("Cast", [name], [f"{name}_"], to=to) for name in "qtv"]
    of = [node("MatMul", ["q_", "t_"], ["s"]), node("Softmax", ["s"], ["p"]), node("MatMul", ["p", "v_"], ["o_"])]
    return net(([*casts, *of, node("Cast", ["o_"], ["o"], to=1)], {}))


def seen(name: str) -> ModelProto:
    """A value inside is an output, too."""
    original = net(core())
    original.graph.output.append(value(name, [N, HEADS, T, T]))
    return original


LEFT = [
    *core()[0][:-2],
    node("Transpose", ["v"], ["u"], perm=[0, 1, 3, 2]),
    node("MatMul", ["u", "p"], ["o_"]),
    node("Transpose", ["o_"], ["o"], perm=[0, 1, 3, 2]),
]
LOOKALIKES = {
    "Softmax over rows": net(core(axis=-2)),
    "Softmax over heads": net(core(axis=1)),
    "probabilities are read": seen("p"),
    "scores are read": seen("m"),
    "Dropout in training": net(
        core(then=[node("Dropout", ["p", "rate", "on"], ["w"])], rate=ZERO, on=np.asarray(True))
    ),
    "scale by row": net(core([node("Mul", ["m", "by"], ["s"])], by=random(T, 1))),
    "negative scale": net(core([node("Mul", ["m", "by"], ["s"])], by=np.asarray(-0.5, np.float32))),
    "scale over scores": net(core([node("Div", ["half", "m"], ["s"])])),
    "mask is scaled": net(core([node("Add", ["m", "mask"], ["n"]), node("Mul", ["n", "half"], ["s"])], mask=CAUSAL)),
    "mask of columns": net(core(added(), mask=random(1, 1, 1, T))),
    "a row masked out": net(core(added(), mask=DEAD)),
    "guarded, any mask": net(core(added(), GUARD, zero=ZERO), inputs={"mask": [N, 1, T, T]}),
    "guarded by 1": net(core(added(), GUARD, mask=CAUSAL, zero=np.asarray(1, np.float32))),
    "values on the left": net((LEFT, {})),
    "float16": cast(10),
    "float64": cast(11),
    "opset 12": net(core(), opset=12),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKALIKES)
def test_lookalikes_stay(name: str) -> None:
    result = converted(LOOKALIKES[name], "nhwc", "onnxruntime")
    assert "Attention" not in op_types(result.model)
    assert standard_opset(result.model) == standard_opset(LOOKALIKES[name])


def test_it_stays_where_nothing_is_gained() -> None:
    """Without Transposes of heads, nodes and opset are those of the file."""
    shape = [N, HEADS, T, D]
    original = model(
        [*core()[0]], {"q": shape, "t": [N, HEADS, D, T], "v": shape}, {"o": shape}, {"half": CONSTANTS["half"]}
    )
    result = converted(original, "nhwc", "onnxruntime")
    assert not result.report.changed
    assert result.model.opset_import[0].version == 17
    assert not any("raised" in note for note in result.report.notes)


@pytest.mark.parametrize("dialect", ["function", "onnx"])
def test_other_dialects_write_it_where_the_file_has_its_opset(dialect: str) -> None:
    at_23 = converted(net(core(), opset=23, ir=11), "nhwc", dialect).model
    assert (count(at_23, "Attention"), count(at_23)) == (1, 0)
    assert count(converted(net(core(), opset=22, ir=10), "nhwc", dialect).model, "Attention") == 0


def test_attention_of_the_file_itself_loses_its_transposes() -> None:
    of = [node("Attention", ["q", "t", "v"], ["o"], scale=0.5)]
    result = converted(net((of, {}), linears((0, 2, 1, 3), "t"), opset=23, ir=11), "nhwc", "onnx").model
    assert (count(result, "Attention"), count(result)) == (1, 0)


def test_attributes_of_later_opsets_stay_with_their_layout() -> None:
    """Windows came with opset 25; onnxruntime 1.31 does not know them."""
    of = [node("Attention", ["q", "k", "v"], ["o"], left_window_size=1)]
    original = net((of, {}), linears((0, 2, 1, 3), "k"), opset=25, ir=12)
    result = rewrite(original, "nhwc", dialect="onnx").model
    assert (count(result, "Attention"), count(result)) == (1, 4)


@pytest.mark.parametrize("name", ["torch_vit", "torch_detr", "torch_timesformer", "torch_videomae", "torch_sam"])
def test_exported_nets(name: str) -> None:
    softmaxes = count(rewrite(KINDS[name], "nhwc", dialect="onnx").model, "Softmax")
    result = converted(KINDS[name], "nhwc", "onnxruntime")
    before = rewrite(KINDS[name], "nhwc", dialect="onnx").plan
    assert count(result.model, "Attention") + count(result.model, "Softmax") == softmaxes
    assert result.plan.cost <= before.cost


def test_a_net_without_attention_is_as_in_the_standard_dialect() -> None:
    path = COMMITTED["keras_resnet"]
    both = [rewrite(path, "nhwc", dialect=dialect).model for dialect in ("onnx", "onnxruntime")]
    assert both[0] == both[1]
