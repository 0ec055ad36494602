"""A model whose names would break a careless page, and one of 20,000 nodes."""

from onnx import ModelProto

from tests.support.deep import NODES_PER_BLOCK, deep
from tests.support.graphs import conv, model, node, random

HOSTILE = (
    "<script>document.title = 'owned'</script>",
    "\"><img src=x onerror=\"document.title='owned'\">",
    "</script><!--",
    "N" * 10_000,
    "/" * 10_000,
    "';alert(1)//",
    "a/b/../</title><style>*{display:none}",
    "&lt;b&gt;&amp;",
    "__proto__",
    "constructor",
    "\u2028\u202e\x1b[31m\t\n",
    "{{script}}{{data}}",
    "https://example.invalid/x.png",
    "javascript:alert(1)",
)  # fmt: skip


def hostile_net() -> ModelProto:
    """One node of each name, values called alike; every third is of an operator without a rule."""
    made = [f"{number}{name}" for number, name in enumerate(HOSTILE)]
    kinds = (conv, lambda x, y: node("Relu", [x], [y]), lambda x, y: node("Odd<b>", [x], [y], domain="d</script>"))
    nodes = [kinds[i % 3](x, y) for i, (x, y) in enumerate(zip(["<input>", *made], made, strict=False))]
    for one, name in zip(nodes, HOSTILE, strict=True):
        one.name = name
    ends = {"<input>": [1, 3, 8, 8]}, {made[-1]: [1, 3, 8, 8]}
    return model(nodes, *ends, {"w": random(3, 3, 3, 3)}, domains=["d</script>"])


def large_net(nodes: int = 20_000) -> ModelProto:
    """Convs in residual blocks, named as exporters name them."""
    net = deep(nodes // NODES_PER_BLOCK)
    for number, one in enumerate(net.graph.node):
        one.name = f"/model/stage.{number // 4000}/block.{number // 80}/{one.op_type}_{number}"
    return net
