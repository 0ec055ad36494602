"""Checkpoints whose names a wrapper has changed, in dicts in dicts, and copies that may be meant."""

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from rewriter import UsageError
from rewriter.weights import export_weights
from tests.support.graphs import model, node, random

OWN = {
    "conv.weight": random(8, 3, 3, 3),
    "conv.bias": random(8),
    "bn.weight": random(8),
    "bn.bias": random(8) + 1,
    "bn.running_mean": random(8) + 2,
    "bn.running_var": random(8) + 3,
    "fc.weight": random(5, 8),
}
EMA = {name: array + 1 for name, array in OWN.items()}


def net(names: dict[str, str] | None = None) -> ModelProto:
    """A Conv, a BatchNormalization, a Gemm, their parameters called as in PyTorch, or by other ``names``."""
    called = {name: (names or {}).get(name, name) for name in OWN}
    conv, norm = ([called[name] for name in OWN if name.startswith(part)] for part in ("conv", "bn"))
    nodes = [
        node("Conv", ["x", *conv], ["c"], "c"),
        node("BatchNormalization", ["c", *norm], ["n"], "n"),
        node("GlobalAveragePool", ["n"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", called["fc.weight"]], ["y"], "g", transB=1),
    ]
    return model(nodes, {"x": [2, 3, 5, 7]}, {"y": None}, {called[name]: array * 0 + 7 for name, array in OWN.items()})


def under(prefix: str, arrays: dict[str, Any] = OWN) -> dict[str, Any]:
    return {prefix + name: array for name, array in arrays.items()}


OPTIMIZER = {"state": {0: {"exp_avg": random(8, 3, 3, 3)}}, "param_groups": [{"lr": 0.1}]}
FOUND: dict[str, dict[str, Any]] = {
    "as it is": OWN,
    "DataParallel": under("module."),
    "torch.compile": under("_orig_mod."),
    "both": under("module._orig_mod."),
    "a compiled part": {name.replace("conv.", "conv._orig_mod."): array for name, array in OWN.items()},
    "Lightning": {
        "epoch": 3,
        "state_dict": under("model.") | {"loss.weight": random(4)},
        "optimizer_states": [OPTIMIZER],
    },
    "in a dict, beside an optimizer": {"model": OWN, "optimizer": OPTIMIZER, "step": np.array(7)},
    "in two dicts": {"checkpoint": {"model": under("module.")}},
    "of a larger model": under("encoder.") | {"decoder.weight": random(3, 3), "decoder.fc.bias": random(3)},
    "beside another dict": OWN | {"ema": {"decay": np.array(0.5)}},
}


@pytest.mark.parametrize("target", ["pytorch", "keras"])
@pytest.mark.parametrize("how", FOUND)
def test_names_are_the_modules_own(how: str, target: str) -> None:
    export = export_weights(net(), target, checkpoint=FOUND[how])
    expected = export_weights(net(), target, checkpoint=OWN)
    assert expected.tensors.keys() == OWN.keys()
    assert export.tensors.keys() == expected.tensors.keys()
    assert all(np.array_equal(array, expected.tensors[name]) for name, array in export.tensors.items())


def test_what_is_beside_is_told() -> None:
    notes = export_weights(net(), "pytorch", checkpoint=FOUND["Lightning"]).manifest.notes
    assert notes == ["left out, for it is beside the weights of this model: 'state_dict/loss.weight'"]
    assert export_weights(net(), "pytorch", checkpoint=FOUND["DataParallel"]).manifest.notes == []


@pytest.mark.parametrize(
    "held",
    [
        {"model": OWN, "ema": EMA},
        {"state_dict": OWN, "state_dict_ema": {name: EMA[name] for name in list(EMA)[:5]}},
        under("model.") | under("ema.", EMA),
        {"state_dict": under("model.") | under("model_ema.", EMA)},
    ],
)
def test_copies_are_listed(held: dict[str, Any]) -> None:
    first, second = sorted({name.rpartition("conv.weight")[0] for name in flat(held) if name.endswith("conv.weight")})
    with pytest.raises(UsageError, match="checkpoint: weights of this model are under") as caught:
        export_weights(net(), "pytorch", checkpoint=held)
    assert repr(first) in str(caught.value)
    assert repr(second) in str(caught.value)


def flat(held: dict[str, Any], path: str = "") -> list[str]:
    return [n for k, v in held.items() for n in (flat(v, f"{path}{k}/") if isinstance(v, dict) else [path + k])]


def test_names_that_the_graph_has_not() -> None:
    """Then modules are paired by shape, and keep their names, but for the only dict that has them."""
    other = net({name: f"t{i}" for i, name in enumerate(OWN)})
    assert export_weights(other, "pytorch", checkpoint={"model": OWN}).tensors.keys() == OWN.keys()
    with pytest.raises(UsageError, match="under 'ema/', 'model/': save one of these alone"):
        export_weights(other, "pytorch", checkpoint={"model": OWN, "ema": EMA})


def test_nested_modules_are_no_copies() -> None:
    """``1.weight`` is also what ``1.1.weight`` ends with."""
    names = ["0.weight", "1.0.weight", "1.1.0.weight", "1.1.1.0.weight"]
    arrays = {name: random(3, 3, 3, 3) + i for i, name in enumerate(names)}
    nodes = [node("Conv", [f"v{i}", name], [f"v{i + 1}"], f"n{i}", pads=[1] * 4) for i, name in enumerate(names)]
    proto = model(nodes, {"v0": [2, 3, 5, 7]}, {"v4": None}, arrays)
    export = export_weights(proto, "pytorch", checkpoint=under("module.", arrays))
    assert all(np.array_equal(export.tensors[name], array) for name, array in arrays.items())
