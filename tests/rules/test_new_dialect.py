"""A dialect is one class: here one of a vendor with a Conv of his own, on channels-last images, with OIHW kernels."""

import pytest

from passes import dialects
from passes.dialects.base import Dialect, Form, Spelling, form_named
from passes.layout import perm
from rewriter import rewrite
from tests.support.graphs import conv, count, model, node, op_types, random, weights


class Acme(Dialect):
    """``acme::ImageConv``, and nothing else."""

    name, domains, ranks = "acme", ("acme",), (4,)

    def spell(self, form: Form, rank: int) -> Spelling | None:
        attrs = {"channels": "last"}
        return Spelling(form, rank, "ImageConv", "acme", perm.identity(4), attrs) if form.op == "Conv" else None

    @classmethod
    def read(cls, domain: str, op: str, opset: int) -> Spelling | None:
        form = form_named("Conv", opset) if (domain, op) == ("acme", "ImageConv") else None
        return None if form is None else cls().spell(form, 4)


def test_a_dialect_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dialects.DIALECTS, Acme.name, Acme)
    nodes = [conv("x", "c"), node("Relu", ["c"], ["r"]), conv("r", "y", "v")]
    kernels = {"w": random(5, 3, 3, 3), "v": random(2, 5, 3, 3)}
    original = model(nodes, {"x": (1, 3, 7, 11)}, {"y": (1, 2, 7, 11)}, kernels)
    result = rewrite(original, "nhwc", dialect="acme").model
    assert op_types(result) == ["ImageConv", "Relu", "ImageConv"]
    assert {(other.domain, other.version) for other in result.opset_import} >= {("acme", 1)}
    assert weights(result).keys() == weights(original).keys()
    back = rewrite(result, "nchw").model
    assert (op_types(back), count(back)) == (["Conv", "Relu", "Conv"], 0)
    assert [n.attribute for n in back.graph.node] == [n.attribute for n in original.graph.node]
