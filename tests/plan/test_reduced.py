"""What is left to choose from: one answer for nodes that look alike, one cell for a chain, few layouts of a value."""

import numpy as np
import pytest
from onnx import ModelProto, TensorProto

import passes.rules  # noqa: F401  (fills the registry)
from passes import dialects
from passes.dialects.base import Dialect
from passes.layout.layout import Layout, natural, permuted
from passes.plan.plan import make_plan
from passes.plan.program import Program
from passes.plan.reduced import Reduced
from passes.rules.api import Put
from tests.support.graphs import conv, model, node, random
from tests.support.stages import normalized

STANDARD, FUNCTIONS = dialects.make("onnx"), dialects.make("function")
IMAGE, NHWC = [2, 3, 5, 7], permuted((0, 2, 3, 1))
LENGTH = 50


def program(a_model: ModelProto, dialect: Dialect = STANDARD, **ends: Layout) -> Program:
    return Program(normalized(a_model), ends, dialect)


def test_nodes_that_differ_where_their_rule_looks_are_asked_each() -> None:
    """A transposed triangle from diagonal k on begins at diagonal -k."""
    diagonals = (1, 2, 1)
    nodes = [node("Trilu", ["x", f"k{i}"], [f"y{i}"]) for i in range(3)]
    constants = {f"k{i}": np.asarray(k) for i, k in enumerate(diagonals)}
    asked = program(model(nodes, {"x": [3, 3]}, {f"y{i}": [3, 3] for i in range(3)}, constants))
    assert asked.moves[0] is asked.moves[2]
    for k, moves in zip(diagonals, asked.moves, strict=True):
        edits = [edit for move in moves for edit in move.edits.values()]
        assert [int(edit.array) for edit in edits if isinstance(edit, Put)] == [-k]


def test_sizes_that_no_rule_looks_at_are_not_asked_for() -> None:
    nodes = [node("Relu", [f"x{i}"], [f"r{i}"]) for i in range(2)]
    nodes += [node("Flatten", [f"r{i}"], [f"y{i}"]) for i in range(2)]
    shapes = {"x0": IMAGE, "x1": [2, 3, 1, 7]}
    asked = program(model(nodes, shapes, {"y0": [2, 105], "y1": [2, 21]}))
    assert asked.moves[0] is asked.moves[1]
    assert asked.moves[2] is not asked.moves[3]


def test_a_chain_is_one_cell() -> None:
    nodes = [conv("x", "v0"), *(node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(LENGTH))]
    chain = program(model(nodes, {"x": IMAGE}, {f"v{LENGTH}": IMAGE}, {"w": random(3, 3, 3, 3)}), x=NHWC)
    assert [len(cell.nodes) for cell in Reduced(chain, {}).cells] == [1, LENGTH]


def test_a_change_of_layout_stands_at_the_end_of_a_chain_that_leaves_nodes_as_they_were() -> None:
    nodes = [node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(LENGTH)]
    chain = model(nodes, {"v0": IMAGE}, {f"v{LENGTH}": IMAGE})
    for end in ("v0", f"v{LENGTH}"):
        plan = make_plan(Program(normalized(chain), {end: NHWC}, STANDARD))
        assert [change.value for change in plan.relayouts] == [end]
        assert all(layout.is_natural for move in plan.moves for layout in (*move.inputs, *move.outputs))


@pytest.mark.parametrize(("to", "cheapest"), [(TensorProto.UINT8, {"c"}), (TensorProto.DOUBLE, {"x", "r"})])
def test_a_change_of_layout_stands_where_the_value_is_small(to: int, cheapest: set[str]) -> None:
    nodes = [node("Relu", ["x"], ["r"]), node("Cast", ["r"], ["c"], to=to), node("Odd", ["c"], ["y"], domain="odd")]
    plan = make_plan(program(model(nodes, {"x": IMAGE}, {"y": IMAGE}, domains=["odd"]), x=NHWC))
    assert {change.value for change in plan.relayouts} <= cheapest


def test_between_convolutions_few_layouts_are_left() -> None:
    nodes = [conv("x", "c"), node("Relu", ["c"], ["r"]), node("Add", ["r", "c"], ["s"]), conv("s", "y")]
    made = model(nodes, {"x": IMAGE}, {"y": IMAGE}, {"w": random(3, 3, 3, 3)})
    assert Reduced(program(made, STANDARD), {}).layouts("s") == {natural(4)}
    assert Reduced(program(made, FUNCTIONS, x=NHWC, y=NHWC), {}).layouts("s") == {natural(4), NHWC}


def test_a_layout_that_costs_less_inside_is_left() -> None:
    """A Softmax over channels copies nothing where these are last."""
    nodes = [conv("x", "c"), node("Softmax", ["c"], ["s"], axis=1), conv("s", "y")]
    made = program(model(nodes, {"x": IMAGE}, {"y": IMAGE}, {"w": random(3, 3, 3, 3)}))
    left = Reduced(made, {}).layouts("s")
    assert natural(4) in left
    assert [layout.perm[-1] for layout in left - {natural(4)}] == [1]
