"""Attention as exporters write it, told by what it computes: ``Product(Softmax(Product(q, k) * scale + mask), v)``.

Products are MatMuls or Einsums; scales may stand on q, on k and on the scores; Reshapes may merge and divide batches of
the scores; a guard may put 0 where the Softmax is NaN, as PyTorch does for rows that are masked out.
"""

from collections import Counter
from dataclasses import dataclass, replace
from math import isfinite, prod
from string import ascii_uppercase

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir import constants
from passes.ir.graph import is_standard
from passes.layout.perm import Perm

RESHAPES = ("Reshape", "Squeeze", "Unsqueeze", "Identity")
Readers = Counter[str]


@dataclass(frozen=True)
class Operand:
    """A value that is ``[*batch, sequence, features]`` once it is transposed by ``perm``."""

    tensor: gs.Tensor
    perm: Perm

    @property
    def shape(self) -> list[int | str] | None:
        """As transposed; ``None`` if not all is known."""
        shape = self.tensor.shape
        return None if shape is None or None in shape else [shape[axis] for axis in self.perm]


@dataclass(frozen=True)
class Scores:
    """``[*batch, T, S]``: what a Softmax reads. ``factors`` are scales by batch, ``masks`` stand where shapes are."""

    q: Operand
    k: Operand
    shape: list[int | str]
    scale: float = 1.0
    factors: tuple[gs.Tensor, ...] = ()
    masks: tuple[tuple[gs.Tensor, list[int | str]], ...] = ()


@dataclass(frozen=True)
class Attention:
    """``last`` gives the result, which is ``[*batch, T, features]`` transposed by ``perm``."""

    scores: Scores
    v: Operand
    last: gs.Node
    perm: Perm
    is_guarded: bool


def attention_of(softmax: gs.Node, readers: Readers) -> Attention | None:
    """The attention around a Softmax of opset 13 or later, if it is of one; ``readers``: how many read each value."""
    tensor = softmax.inputs[0]
    scores = _scores(tensor, readers)
    if scores is None or softmax.attrs.get("axis", -1) not in (-1, len(tensor.shape or ()) - 1):
        return None
    probabilities, is_guarded = _guarded(softmax.outputs[0], readers)
    while readers[probabilities.name] == 1 and probabilities.outputs[0].op in (*RESHAPES, "Dropout"):
        node = probabilities.outputs[0]
        if len(node.outputs) > 1 or (node.op == "Dropout" and len(node.inputs) > 2):
            return None
        probabilities = node.outputs[0]
    if readers[probabilities.name] != 1 or tensor.shape[-2:] != scores.shape[-2:]:
        return None
    last = probabilities.outputs[0]
    end = _weighted(last, probabilities)
    if end is None or probabilities.shape != scores.shape:
        return None
    q, k, v = scores.q.shape, scores.k.shape, end[0].shape
    if q is None or k is None or v is None or not q[:-2] == k[:-2] == v[:-2]:
        return None
    if (q[-1], k[-2]) != (k[-1], v[-2]) or {t.dtype for t in (scores.q.tensor, end[0].tensor)} != {np.dtype("f4")}:
        return None
    return Attention(_unscaled(scores, readers), end[0], last, end[1], is_guarded)


def _scores(tensor: gs.Tensor, readers: Readers) -> Scores | None:
    """What is computed above a value that nobody else reads."""
    if readers[tensor.name] != 1 or len(tensor.inputs) != 1 or not is_standard(tensor.inputs[0]):
        return None
    node = tensor.inputs[0]
    if node.op in RESHAPES:
        return _scores(node.inputs[0], readers)
    if node.op in ("MatMul", "Einsum"):
        return _product(node)
    ways = {"Mul": ((0, 1), (1, 0)), "Add": ((0, 1), (1, 0)), "Div": ((0, 1),)}.get(node.op, ())
    for mine, others in ways:
        above, other = _scores(node.inputs[mine], readers), node.inputs[others]
        if above is not None:
            return _masked(above, other, tensor) if node.op == "Add" else _scaled(above, other, node)
    return None


def _masked(scores: Scores, mask: gs.Tensor, result: gs.Tensor) -> Scores | None:
    """The scores with a mask of all rows and columns, or of some batches of these."""
    shape, own = result.shape, mask.shape
    if shape is None or own is None or not list(own[-2:]) == list(shape[-2:]) == scores.shape[-2:]:
        return None
    return replace(scores, masks=(*scores.masks, (mask, list(shape))))


def _scaled(scores: Scores, factor: gs.Tensor, node: gs.Node) -> Scores | None:
    """The scores times a number, or one for each head; what is masked is not scaled any more."""
    if scores.masks:
        return None
    number = _number(factor)
    if number is not None:
        return replace(scores, scale=scores.scale * (1 / number if node.op == "Div" else number))
    shape, own = node.outputs[0].shape, factor.shape
    if node.op == "Div" or shape is None or own is None or list(own[-2:]) != [1, 1] or list(shape) != scores.shape:
        return None
    return replace(scores, factors=(*scores.factors, factor))


def _number(tensor: gs.Tensor) -> float | None:
    """The value of a constant that is one positive number."""
    if not isinstance(tensor, gs.Constant) or prod(tensor.shape) != 1 or np.dtype(tensor.dtype).kind != "f":
        return None
    number = float(constants.array_of(tensor).reshape(()))
    return number if number > 0 and isfinite(number) and isfinite(1 / number) else None


def _unscaled(scores: Scores, readers: Readers) -> Scores:
    """The scores of q and k before these are multiplied by numbers."""
    (q, of_q), (k, of_k) = (_bare(operand.tensor, readers) for operand in (scores.q, scores.k))
    scale = scores.scale * of_q * of_k
    return replace(scores, q=replace(scores.q, tensor=q), k=replace(scores.k, tensor=k), scale=scale)


def _bare(tensor: gs.Tensor, readers: Readers) -> tuple[gs.Tensor, float]:
    """A value before it is multiplied by numbers, and these."""
    if not tensor.inputs or readers[tensor.name] != 1:
        return tensor, 1.0
    node = tensor.inputs[0]
    for mine, other in {"Mul": ((0, 1), (1, 0)), "Div": ((0, 1),)}.get(node.op, ()):
        number = _number(node.inputs[other])
        if number is not None and node.inputs[mine].shape == tensor.shape:
            bare, scale = _bare(node.inputs[mine], readers)
            return bare, scale * (1 / number if node.op == "Div" else number)
    return tensor, 1.0


def _guarded(tensor: gs.Tensor, readers: Readers) -> tuple[gs.Tensor, bool]:
    """``Where(IsNaN(p), 0, p)`` for p, if that is all that reads it, and whether it is."""
    guards = {node.op: node for node in tensor.outputs}
    if readers[tensor.name] != 2 or guards.keys() != {"IsNaN", "Where"}:
        return tensor, False
    test, zero, other = guards["Where"].inputs
    is_zero = isinstance(zero, gs.Constant) and prod(zero.shape) == 1 and not constants.array_of(zero).any()
    if not is_zero or other is not tensor or test is not guards["IsNaN"].outputs[0] or readers[test.name] != 1:
        return tensor, False
    return guards["Where"].outputs[0], True


def _product(node: gs.Node) -> Scores | None:
    """The product of queries and keys: batches first, then a row for each query, and a column for each key."""
    terms, shape = _terms(node), node.outputs[0].shape
    if terms is None or shape is None or None in shape:
        return None
    *operands, made = zip(terms, (*node.inputs, node.outputs[0]), strict=True)
    *batch, row, column = list(made[0])
    for (left, q), (right, k) in (operands, operands[::-1]):
        shared = "".join(letter for letter in left if letter in right and letter not in made[0])
        perms = _perm(left, [*batch, row, *shared]), _perm(right, [*batch, column, *shared])
        if len(shared) == 1 and perms[0] is not None and perms[1] is not None:
            return Scores(Operand(q, perms[0]), Operand(k, perms[1]), list(shape))
    return None


def _weighted(node: gs.Node, probabilities: gs.Tensor) -> tuple[Operand, Perm] | None:
    """The values that a product weighs by probabilities, and the perm of its result."""
    terms = _terms(node) if node.op in ("MatMul", "Einsum") and is_standard(node) else None
    if terms is None or node.inputs[0] is not probabilities or node.inputs[1] is probabilities:
        return None
    *batch, row, column = list(terms[0])
    features = [letter for letter in terms[1] if letter not in terms[0]]
    v, result = _perm(terms[1], [*batch, column, *features]), _perm("".join([*batch, row, *features]), [*terms[2]])
    return None if v is None or result is None or len(features) != 1 else (Operand(node.inputs[1], v), result)


def _terms(node: gs.Node) -> tuple[str, str, str] | None:
    """The letters of the axes of both operands and of the result, of three axes at least."""
    ranks = [len(t.shape) if t.shape is not None else 0 for t in node.inputs]
    if len(ranks) != 2 or min(ranks) < 3:
        return None
    if node.op == "MatMul":
        batch = ascii_uppercase[: ranks[0] - 2]
        return (f"{batch}mk", f"{batch}kn", f"{batch}mn") if ranks[0] == ranks[1] else None
    left, arrow, right = node.attrs["equation"].replace(" ", "").partition("->")
    terms = (*left.split(","), right)
    return terms if arrow and len(terms) == 3 and "." not in left + right else None


def _perm(letters: str, wanted: list[str]) -> Perm | None:
    """The perm that brings different letters into an order; ``None`` if it are others."""
    if sorted(letters) != sorted(wanted) or len(set(letters)) < len(letters):
        return None
    return tuple(letters.index(letter) for letter in wanted)
