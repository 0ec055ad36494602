"""Labels of axes agree with the rules: what means the same is stored in the same order wherever a rule moves it."""

import pytest
from onnx import TensorProto, helper

from passes.layout.layout import Layout
from passes.rules.labels import AxisLabels, image_axes, labels_of
from passes.rules.move import IN, OUT, Move, Slot
from passes.rules.node import Node
from tests.rules.cases import CASES, Case
from tests.rules.law import FUNCTIONS, bench, moves_of, rule_of
from tests.support.stages import to_graph

ANY_ORDER = ("Einsum",)  # its letters follow each operand's layout
UNLABELLED = {  # an axis of each result is made of several, of none, or of an index
    "Gemm", "GatherND", "ScatterND", "NonZero", "OneHot", "StringSplit", "Det", "RNN", "GRU", "LSTM", "FusedGemm",
    "FusedMatMul", "QGemm", "QLinearMatMul", "MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat",
    "Size", "SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss",
}  # fmt: skip


def stored(axes: AxisLabels, layout: Layout) -> list[object]:
    """The labels of whole axes, as they are stored; but of those of size 1 that a Reshape may put anywhere."""
    labels = [axes[axis][0] for axis in layout.axis_perm if len(axes[axis]) == 1]
    return [label for label in labels if not (isinstance(label, tuple) and "unit" in label)]


def disagreements(move: Move, labels: dict[Slot, AxisLabels]) -> list[tuple[Slot, Slot]]:
    layouts = {slot: move.at(slot) for slot in labels if move.at(slot).rank == len(labels[slot])}
    seen = {slot: stored(labels[slot], layout) for slot, layout in layouts.items()}
    return [
        (one, other)
        for one in seen
        for other in seen
        if [label for label in seen[one] if label in seen[other]]
        != [label for label in seen[other] if label in seen[one]]
    ]


@pytest.mark.parametrize("row", [row for row in CASES if row.op not in ANY_ORDER], ids=lambda row: row.label)
def test_what_means_the_same_is_stored_in_the_same_order(row: Case) -> None:
    at, rule = bench(row), rule_of(row)
    labels = dict(labels_of(at.node(FUNCTIONS), rule.labels))
    for move in moves_of(at, rule):
        assert disagreements(move, labels) == []


def test_results_of_images_that_are_no_images_have_no_labels() -> None:
    """As an operator of someone's own may have them beside an image."""
    own = helper.make_node("Own", ["x", "w"], ["y", "", "mean"], domain="acme")
    infos = {"x": (2, 3, 5, 7), "w": (3, 3, 1, 1), "y": (2, 3, 5, 7), "mean": (3,)}
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in infos.items()}
    net = helper.make_graph([own], "net", [values["x"], values["w"]], [values["y"], values["mean"]])
    graph = to_graph(helper.make_model(net, ir_version=10, opset_imports=[helper.make_opsetid("acme", 1)]))
    assert image_axes(Node(graph.nodes[0], 17, FUNCTIONS)).keys() == {IN(0), OUT(0)}


def test_every_other_operator_has_labels() -> None:
    with_labels = {row.op for row in CASES if labels_of(bench(row).node(FUNCTIONS), rule_of(row).labels)}
    assert {row.op for row in CASES} - with_labels == UNLABELLED
