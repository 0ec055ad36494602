"""Rows for passes/rules/attention.py."""

from tests.rules.cases.case import ABOUT, Case, Of, Operand, W, case

Q, K, V = (2, 3, 5, 7), (2, 3, 11, 7), (2, 3, 11, 13)


def attention(*operands: Operand, opset: int = 23, accepts: str = "heads", **attrs: object) -> Case:
    return case("Attention", opset, *operands, accepts=accepts, **attrs, **ABOUT)


ROWS = [
    attention(Q, K, V),
    attention(Q, K, V, opset=24, scale=0.5, softcap=2.0),
    attention(Q, Q, Q, is_causal=1, softmax_precision=1),
    attention(Q, K, V, opset=25, softcap=3.0),
    attention((2, 6, 5, 7), (2, 6, 11, 7), (2, 6, 11, 7), W(5, 11)),
    attention(Q, K, V, (1, 5, 11)),
    attention(Q, K, V, Of(bool, (1, 1, 5, 11))),
    attention(Q, K, V, W(3, 5, 11), accepts="heads of batches"),
    attention(Q, K, V, (2, 1, 5, 11), accepts="heads of batches"),
    attention(Q, K, V, (2, 3, 5, 11), accepts="heads of batches"),
    attention((2, 6, 5, 7), K, V, accepts="heads of batches"),
    attention((2, 5, 21), (2, 11, 21), (2, 11, 39), q_num_heads=3, kv_num_heads=3, accepts="none", out=(2, 5, 39)),
    attention(Q, K, (2, 3, 11, 7), None, (2, 3, 13, 7), (2, 3, 13, 7), outputs=3, accepts="none"),
]
