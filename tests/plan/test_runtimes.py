"""Plans at the prices of a runtime: what is seen of a node, which changes are dear, and that these stay."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto

from passes.apply import hold_changes
from passes.dialects.base import Dialect
from passes.layout.layout import Layout, natural, permuted
from passes.plan.cost import BYTES, FOLDER, runtime
from passes.plan.flat_graph import FlatGraph
from passes.plan.situations import SEEN, Situation, change
from passes.rules.api import IN
from rewriter import UsageError, rewrite, validate
from rewriter.choices import RUNTIMES
from rewriter.cli import main
from tests.plan.test_plan import FUNCTIONS, STANDARD, read
from tests.support import engines
from tests.support.graphs import COMMITTED, conv, ints, model, node, op_types, random
from tests.tools.oracle import of_graph

NHWC, NWHC = permuted((0, 2, 3, 1)), permuted((0, 3, 2, 1))
IMAGE = [1, 3, 5, 7]
INPUTS = {"x": IMAGE, "a": [2, 3], "b": [3, 5], "d": [1, 12, 5, 7]}
GRAPHS = 12


def test_there_is_a_table_for_each_runtime_that_can_be_asked_for() -> None:
    assert sorted(RUNTIMES) == sorted(path.stem for path in FOLDER.glob("*.toml"))
    assert all(runtime(name).name == name for name in RUNTIMES)


def test_a_runtime_without_a_table_is_refused() -> None:
    with pytest.raises(UsageError, match="runtime is 'tpu'; it must be bytes or onnxruntime or openvino or litert"):
        rewrite(decoder(), "nchw", runtime="tpu")


@pytest.mark.no_cover  # for the time that it would take
@pytest.mark.parametrize("prices", [name for name in RUNTIMES if name != BYTES])
def test_plans_at_the_prices_of_a_runtime_are_the_least(prices: str) -> None:
    for seed in range(GRAPHS):
        planned, lowest = of_graph(seed, prices)
        assert planned == pytest.approx(lowest, abs=1)


@pytest.mark.parametrize(
    ("seen", "a_node", "at", "expected"),
    [
        ("along", node("Softmax", ["x"], ["y"], axis=1), natural(4), Situation("off_last", 3)),
        ("along", node("Softmax", ["x"], ["y"], axis=1), NHWC, Situation("last", 3)),
        ("spread", node("Add", ["x", "v"], ["y"]), natural(4), Situation("spread", 5 * 7)),
        ("spread", node("Add", ["x", "v"], ["y"]), NHWC, Situation("spread", 3)),
        ("spread", node("Add", ["x", "x"], ["y"]), NHWC, None),
        ("cut", node("Concat", ["x", "x"], ["y"], axis=1), natural(4), Situation("cut", 3 * 5 * 7)),
        ("cut", node("Concat", ["x", "x"], ["y"], axis=1), NHWC, Situation("cut", 3)),
        ("cut", node("Slice", ["x", "one", "two", "one"], ["y"]), NHWC, Situation("cut", 1, IN(0))),
        ("picked", node("Gather", ["x", "one"], ["y"], axis=1), natural(4), Situation("picked", 5 * 7)),
        ("picked", node("Gather", ["x", "one"], ["y"], axis=1), NHWC, Situation("picked", 1)),
        ("reduced", node("ReduceMean", ["x"], ["y"], axes=[2, 3]), natural(4), Situation("inner", 5 * 7, IN(0))),
        ("reduced", node("ReduceMean", ["x"], ["y"], axes=[2, 3]), NHWC, Situation("outer", 3, IN(0))),
        ("reduced", node("ReduceMean", ["x"], ["y"], axes=[1]), NHWC, Situation("inner", 3, IN(0))),
        ("resized", node("Resize", ["x", "", "s"], ["y"], mode="linear"), natural(4), Situation("linear_first", 140)),
        ("resized", node("Resize", ["x", "", "s"], ["y"], mode="linear"), NHWC, Situation("linear_last", 3)),
        ("resized_positions", node("Resize", ["x", "", "s"], ["y"]), natural(4), Situation("nearest_first", 3)),
        ("resized_positions", node("Resize", ["x", "", "s"], ["y"]), NHWC, Situation("nearest_last", 3)),
        ("matrices", node("Einsum", ["a", "b"], ["y"], equation="ij,jk->ik"), natural(2), None),
        ("matrices", node("Einsum", ["a", "b"], ["y"], equation="ij, jk"), permuted((1, 0)), None),
        ("matrices", node("Einsum", ["x", "x"], ["y"], equation="bhqd,bhkd->bhqk"), natural(4), None),
        (
            "matrices",
            node("Einsum", ["x", "x"], ["y"], equation="bhqd,bhkd->bhqk"),
            NHWC,
            Situation("transposed", 75 / 285),
        ),
        ("shuffled", node("DepthToSpace", ["d"], ["y"], blocksize=2, mode="CRD"), natural(4), Situation("CRD")),
        ("shuffled", node("DepthToSpace", ["d"], ["y"], blocksize=2), natural(4), Situation("DCR")),
    ],
    ids=lambda value: value.op_type if isinstance(value, NodeProto) else str(value)[:24],
)
def test_what_is_seen_of_a_node(seen: str, a_node: NodeProto, at: Layout, expected: Situation | None) -> None:
    assert situations(seen, a_node, at)[0] == expected


def situations(seen: str, a_node: NodeProto, at: Layout, dialect: Dialect = STANDARD) -> list[Situation | None]:
    """What is seen of each of a node's moves whose independent slots are all stored so."""
    constants = {"v": random(3, 1, 1), "one": ints(1), "two": ints(2), "s": np.asarray([1, 1, 2, 2], np.float32)}
    inputs = {name: dims for name, dims in INPUTS.items() if name in a_node.input}
    ruled = FlatGraph(read(model([a_node], inputs, {"y": None}, constants)), dialect).nodes[0]
    moves = ruled.ask(*(at for _ in ruled.slots))
    return [SEEN[seen](ruled.node, move, lambda tensor: list(tensor.shape)) for move in moves]


def test_a_resize_that_is_a_function_has_a_price_of_its_own() -> None:
    resize = node("Resize", ["x", "", "s"], ["y"], mode="linear")
    assert situations("resized", resize, NHWC, FUNCTIONS) == [Situation("linear_last", 3), Situation("linear_function")]


def test_operands_that_change_places_are_seen_where_they_are_then() -> None:
    """Of ``a b`` stored transposed, which is b times a: either as b is stored, or with b read transposed."""
    found = situations("product", node("Gemm", ["a", "b"], ["y"]), permuted((1, 0)))
    assert found == [None, Situation("turned_first", 15 / 30, IN(1))]


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (natural(4), NHWC, Situation("inward")),
        (NHWC, natural(4), Situation("outward")),
        (natural(4), NWHC, Situation("scattered")),
        (NHWC, NWHC, Situation("blocks", 3)),
        (natural(4), permuted((0, 2, 1, 3)), Situation("blocks", 7)),
        (natural(4), permuted((1, 0, 2, 3)), Situation("blocks", 105)),
    ],
)
def test_kinds_of_changes(source: Layout, target: Layout, expected: Situation) -> None:
    assert change(source, target, IMAGE) == expected


def decoder(size: int = 28) -> ModelProto:
    """A Conv, a cubic Resize, a Conv and a Softmax over channels."""
    nodes = [
        conv(),
        node("Resize", ["c", "", "s"], ["r"], mode="cubic"),
        conv("r", "d", "v"),
        node("Softmax", ["d"], ["y"], axis=1),
    ]
    constants = {"w": random(16, 8, 3, 3), "v": random(11, 16, 3, 3), "s": np.asarray([1, 1, 2, 2], np.float32)}
    return model(nodes, {"x": [1, 8, size, size]}, {"y": [1, 11, 2 * size, 2 * size]}, constants)


def resized(a_model: ModelProto, level: Any, folder: Path) -> list[float]:
    """The scales of the Resize that onnxruntime runs, after its optimiser."""
    path = folder / "optimised.onnx"
    engines.session(a_model, level, optimized_model_filepath=str(path))
    graph = onnx.load(path).graph
    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return next(list(held[one.input[2]]) for one in graph.node if one.op_type == "Resize")


@pytest.mark.parametrize("to", ["nchw", "nhwc"])
def test_changes_that_make_operators_faster_stay(to: str, tmp_path: Path) -> None:
    result = rewrite(decoder(), to, runtime="onnxruntime", keep_io=True)
    assert result.report.transposes == (0, 4)
    assert result.report.cost < 0.2 * result.report.cost_before
    assert [resized(result.model, level, tmp_path) for level in ("basic", "default")] == [[1, 2, 2, 1]] * 2
    assert validate(decoder(), result.model).fault is None


def test_operators_that_hand_on_what_they_make_are_held_together(tmp_path: Path) -> None:
    """One Einsum, before the Resize, keeps the Transpose behind the Softmax in its place as well."""
    nodes = [conv(), node("Resize", ["c", "", "s"], ["r"], mode="cubic"), node("Softmax", ["r"], ["y"], axis=1)]
    constants = {"w": random(16, 8, 3, 3), "s": np.asarray([1, 1, 2, 2], np.float32)}
    original = model(nodes, {"x": [1, 8, 28, 28]}, {"y": [1, 16, 56, 56]}, constants)
    result = rewrite(original, "nchw", runtime="onnxruntime", keep_io=True)
    assert op_types(result.model) == ["Conv", "Einsum", "Resize", "Softmax", "Transpose"]
    assert resized(result.model, "default", tmp_path) == [1, 2, 2, 1]
    assert validate(original, result.model).fault is None


def test_onnxruntime_undoes_changes_that_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold_changes, "_is_better", lambda *_: False)
    result = rewrite(decoder(), "nchw", runtime="onnxruntime", keep_io=True)
    assert resized(result.model, "default", tmp_path) == [1, 1, 2, 2]


def test_a_file_made_for_a_runtime_converts_back() -> None:
    there = rewrite(decoder(), "nchw", runtime="onnxruntime", keep_io=True)
    back = rewrite(there.model, "nchw", runtime=BYTES, keep_io=True)
    assert [one.op_type for one in back.model.graph.node] == ["Conv", "Resize", "Conv", "Softmax"]


def test_an_einsum_that_only_permutes_is_a_transpose() -> None:
    nodes = [node("Einsum", ["x"], ["t"], equation="n c h w -> n h w c"), node("Relu", ["t"], ["r"])]
    nodes.append(node("Einsum", ["r"], ["y"], equation="nhwc->nchw"))
    result = rewrite(model(nodes, {"x": IMAGE}, {"y": IMAGE}), "nhwc", keep_io=True)
    assert [one.op_type for one in result.model.graph.node] == ["Relu"]


def upsampled(mode: str, channels: int) -> ModelProto:
    """A picture made twice as large, channels last, between Transposes, and a Relu."""
    nodes = [
        node("Transpose", ["x"], ["t"], perm=(0, 2, 3, 1)),
        node("Relu", ["t"], ["r"]),
        node("Resize", ["r", "", "s"], ["u"], mode=mode),
        node("Transpose", ["u"], ["y"], perm=(0, 3, 1, 2)),
    ]
    sizes = {"x": [1, channels, 56, 40]}, {"y": [1, channels, 112, 80]}
    return model(nodes, *sizes, {"s": np.asarray([1, 2, 2, 1], np.float32)})


@pytest.mark.parametrize(
    ("mode", "channels", "transposes"),
    [("linear", 64, 0), ("nearest", 64, 0), ("cubic", 64, 0), ("cubic", 3, 2)],  # docs/prices-openvino.md
)
def test_a_resize_is_where_openvino_has_it_fast(mode: str, channels: int, transposes: int) -> None:
    original = upsampled(mode, channels)
    result = rewrite(original, "nchw", runtime="openvino", keep_io=True)
    assert result.report.transposes == (2, transposes)
    assert {one.domain for one in result.model.graph.node} == {""}
    assert validate(original, result.model).fault is None


def test_a_linear_resize_stays_channels_first_for_openvino() -> None:
    nodes = [conv(), node("Resize", ["c", "", "s"], ["y"], mode="linear")]
    constants = {"w": random(64, 8, 3, 3), "s": np.asarray([1, 1, 2, 2], np.float32)}
    original = model(nodes, {"x": [1, 8, 28, 28]}, {"y": [1, 64, 56, 56]}, constants)
    scales = {}
    for prices in (BYTES, "openvino"):
        result = rewrite(original, "nhwc", dialect="onnx", runtime=prices)
        assert validate(original, result.model, layouts=result.layouts).fault is None
        held = {one.name: onnx.numpy_helper.to_array(one) for one in result.model.graph.initializer}
        scales[prices] = next(list(held[one.input[2]]) for one in result.model.graph.node if one.op_type == "Resize")
    assert scales == {BYTES: [1, 2, 2, 1], "openvino": [1, 1, 2, 2]}


def test_files_for_openvino_keep_to_operators_that_it_reads(tmp_path: Path) -> None:
    path, out = COMMITTED["keras_mobilenet_v3_transposes"], tmp_path / "out.onnx"
    assert main([str(path), "--to", "nhwc", "--for", "openvino", "-o", str(out)]) == 0
    made = onnx.load(out)
    assert [(one.domain, one.version) for one in made.opset_import] == [
        (one.domain, one.version) for one in onnx.load(path).opset_import
    ]
    assert not made.functions


def test_the_report_tells_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, report = tmp_path / "decoder.onnx", tmp_path / "report.json"
    onnx.save(decoder(), path)
    options = ["--keep-io", "--for", "onnxruntime", "--dry-run", "--no-validate", "--json", str(report)]
    assert main([str(path), "--to", "nchw", *options]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert re.search(r"By the prices of onnxruntime what depends on layouts took [1-9]\d*\.\d+ ms per inference", told)
    facts = json.loads(report.read_text())["rewrite"]
    assert (facts["runtime"], facts["unit"], facts["held"]) == ("onnxruntime", "ns", 2)
    assert 0 < facts["bound"] <= facts["cost"] < facts["cost_before"]


@pytest.mark.parametrize(("sizes", "ops"), [((196, 384, 1536), ["Einsum", "MatMul"]), ((3136, 384, 96), ["Gemm"])])
def test_a_wide_product_is_not_given_a_transposed_operand(sizes: tuple[int, int, int], ops: list[str]) -> None:
    """onnxruntime has a product read transposed what a Transpose swaps, which costs by its multiplications."""
    rows, summed, columns = sizes
    nodes = [node("Transpose", ["x"], ["t"], perm=[1, 0]), node("MatMul", ["t", "w"], ["y"])]
    original = model(nodes, {"x": [summed, rows]}, {"y": [rows, columns]}, {"w": random(summed, columns)})
    result = rewrite(original, "nchw", runtime="onnxruntime", keep_io=True)
    assert op_types(result.model) == ops == op_types(engines.optimised(result.model, "default"))
    assert validate(original, result.model).fault is None
