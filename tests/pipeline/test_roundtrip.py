"""To channels-last and back: the original returns, its weights bit for bit; and twice is the same as once."""

from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

from rewriter import rewrite, validate
from rewriter.interface import LAYOUTS_KEY
from tests.support.graphs import COMMITTED, DIRECTIONS, KINDS, Array, converted, dims, weights

TORCH = {name: path for name, path in COMMITTED.items() if name.startswith("torch")}
GONE = ("Identity",)
OWN_WEIGHTS = {"Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LSTM"}


def constants(model: ModelProto) -> dict[str, Array]:
    """Initializers, and what Constant nodes hold."""
    held = {
        node.output[0]: numpy_helper.to_array(attr.t)
        for node in model.graph.node
        for attr in node.attribute
        if node.op_type == "Constant" and attr.name == "value"
    }
    return held | weights(model)


def nodes(model: ModelProto) -> list[str]:
    """What is left of the model's nodes without those that compute constants."""
    held, kept = {tensor.name for tensor in model.graph.initializer}, []
    for n in model.graph.node:
        if held.issuperset(n.input):
            held.update(n.output)
        elif n.op_type not in GONE:
            kept.append(f"{n.domain}{n.op_type}")
    return kept


class Trip(NamedTuple):
    path: Path
    last: ModelProto
    back: ModelProto


@pytest.fixture(scope="module", params=product(TORCH, ["ohwi", "hwio"]), ids="-".join)
def trip(request: pytest.FixtureRequest) -> Trip:
    """There and back, by kernels of one layout; both proven."""
    name, weight_layout = request.param
    last = converted(TORCH[name], "nhwc", "function", weight_layout=weight_layout).model
    return Trip(TORCH[name], last, converted(last, "nchw", "onnx").model)


def test_the_original_returns(trip: Trip) -> None:
    original, back = onnx.load(trip.path), trip.back
    assert any(node.domain.startswith("rewriter.") for node in trip.last.graph.node)
    assert nodes(back) == nodes(original)
    assert not back.functions
    assert [opset.domain for opset in back.opset_import] == [opset.domain for opset in original.opset_import]
    assert LAYOUTS_KEY not in {entry.key for entry in back.metadata_props}
    for side in ("input", "output"):
        assert dims(getattr(back.graph, side)) == dims(getattr(original.graph, side))
    assert validate(trip.path, back, runs=1, providers=["cpu"]).ok


def test_weights_return_bit_for_bit_under_their_names(trip: Trip) -> None:
    before, after = constants(onnx.load(trip.path)), constants(trip.back)
    assert {name for name, array in after.items() if array.dtype.kind == "f"} == {
        name for name, array in before.items() if array.dtype.kind == "f"
    }
    for name, array in after.items():
        if array.dtype.kind == "f":
            np.testing.assert_array_equal(array.view(np.uint32), before[name].view(np.uint32), err_msg=name)


@pytest.mark.parametrize("dialect", ["function", "onnx"])
@pytest.mark.parametrize("path", KINDS.values(), ids=KINDS)
def test_kernels_and_norms_return_bit_for_bit(path: Path, dialect: str) -> None:
    """Matrices and constant operands may have absorbed Transposes of the model's own; these may not."""
    original = {(held.shape, held.tobytes()) for held in constants(onnx.load(path)).values()}
    back = rewrite(rewrite(path, "nhwc", dialect=dialect).model, "nchw").model
    held = constants(back)
    for node in back.graph.node:
        for name in node.input[1:] if node.op_type in OWN_WEIGHTS else ():
            assert name not in held or (held[name].shape, held[name].tobytes()) in original, (node.op_type, name)


@pytest.mark.no_cover  # what test_conversion of test_models.py covers
@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
@pytest.mark.parametrize("path", COMMITTED.values(), ids=COMMITTED)
def test_a_second_rewrite_changes_nothing(path: Path, to: str, dialect: str) -> None:
    once = rewrite(path, to, dialect=dialect).model
    again = rewrite(once, to, dialect=dialect)
    assert not again.report.changed
    assert again.layouts == {}
    assert nodes(again.model) == nodes(once)


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
@pytest.mark.parametrize("name", ["torch_resnet", "torch_vocoder", "keras_unet"])
def test_a_file_of_0_2_0_is_read_as_one_of_today(name: str, to: str, dialect: str) -> None:
    """Its functions are named after their forms alone: ``rewriter.nhwc::Conv``."""
    today = rewrite(COMMITTED[name], "nhwc", dialect="function").model
    old = ModelProto()
    old.CopyFrom(today)
    for function in old.functions:
        function.name = function.name.partition("_")[0]
    for node in old.graph.node:
        node.op_type = node.op_type.partition("_")[0]
    assert {node.op_type for node in old.graph.node} != {node.op_type for node in today.graph.node}
    made = [rewrite(one, to, dialect=dialect).model for one in (old, today)]
    assert made[0] == made[1]
