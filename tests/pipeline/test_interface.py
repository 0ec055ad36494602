"""The contract of inputs and outputs: what the table says of each net, in every direction, and there and back."""

from pathlib import Path

import onnx
import pytest
from onnx import ModelProto

from rewriter import RewriteResult, rewrite
from tests.pipeline.interface_table import KINDS, MODELS, ZOO
from tests.support import graphs
from tests.support.graphs import COMMITTED, DIRECTIONS, ROOT, dims, weights

Decisions = dict[str, str]
Dims = list[int | str | None]

ZOO_FOLDER = ROOT / "models" / "zoo"
BACK = {"nhwc": "nchw", "nchw": "nhwc"}
NETS = [pytest.param(COMMITTED[name], table, id=name) for name, table in MODELS.items()] + [
    pytest.param(graphs.KINDS[name], table, id=f"kinds-{name}") for name, table in KINDS.items()
]
ZOO_NETS = [
    pytest.param(
        ZOO_FOLDER / f"{name}.onnx",
        table,
        id=f"zoo-{name}",
        marks=pytest.mark.skipif(not (ZOO_FOLDER / f"{name}.onnx").exists(), reason="make models-zoo exports it"),
    )
    for name, table in ZOO.items()
]


def test_the_table_has_every_net() -> None:
    assert set(MODELS) == set(COMMITTED)
    assert set(KINDS) == set(graphs.KINDS)
    assert {path.stem for path in ZOO_FOLDER.glob("*.onnx")} in (set(), set(ZOO))


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
@pytest.mark.parametrize(("path", "table"), [*NETS, *ZOO_NETS])
def test_there_and_back(path: Path, table: Decisions, to: str, dialect: str) -> None:
    original, there = onnx.load(path), rewrite(path, to, dialect=dialect)
    check(there, original, table, to)
    check(rewrite(there.model, BACK[to]), original, table, BACK[to])


def check(result: RewriteResult, original: ModelProto, table: Decisions, to: str) -> None:
    """Every input and output is stored as the table says of conversions to ``to``."""
    before, after = interface(original), interface(result.model)
    ports = {port.name: port for port in (*result.inputs, *result.outputs)}
    assert set(table) == set(ports) == set(before) == set(after)
    found = {name: port.new_layout if "->" in table[name] else None for name, port in ports.items()}
    assert found == {name: stored(decision, to) for name, decision in table.items()}
    for name, decision in table.items():
        dims = zip(after[name], expected_dims(before[name], decision, to), strict=True)
        assert all(now == was or not isinstance(was, int) for now, was in dims), (
            name
        )  # symbols may turn out to be sizes
        if "->" not in decision:
            assert not ports[name].flipped, name


def stored(decision: str, to: str) -> str | None:
    """The letters that a value is stored in after a conversion to ``to``; ``None`` if it stays as it is."""
    old, arrow, new = decision.partition(" -> ")
    if not arrow:
        return None
    first, last = sorted((old, new), key=lambda letters: letters.endswith("C"))
    return last if to == "nhwc" else first


def expected_dims(before: Dims, decision: str, to: str) -> Dims:
    """The dims of a value whose dims were ``before`` in the original."""
    new = stored(decision, to)
    if new is None:
        return before
    named = dict(zip(decision.partition(" -> ")[0], before, strict=True))
    return [named[letter] for letter in new]


def interface(model: ModelProto) -> dict[str, Dims]:
    """Dims of inputs and outputs, by name."""
    held = weights(model)
    return {name: shape for name, shape in dims([*model.graph.input, *model.graph.output]).items() if name not in held}
