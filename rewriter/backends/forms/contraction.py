"""Products of matrices."""

import re
from collections.abc import Sequence
from functools import reduce
from operator import mul

import numpy as np
import tensorflow as tf

from passes.layout.matrices import Matrices, as_matrices
from rewriter.backends.forms.node import Form, Node, Value, known, rank, sizes


def matmul(_: Node, a: Value, b: Value) -> Value:
    """As numpy: of a vector an axis is added, and taken away again."""
    if rank(a) == 1 and rank(b) == 1:
        return tf.tensordot(a, b, 1)
    if rank(a) == 1:
        return tf.squeeze(tf.matmul(a[None, :], b), -2)
    if rank(b) == 1:
        return tf.squeeze(tf.matmul(a, b[:, None]), -1)
    return multiplied(a, b)


def multiplied(a: Value, b: Value, turned: bool = False) -> Value:
    """Of matrices, or batches of them; the second one is read transposed if it is ``turned``."""
    if rank(a) == rank(b) == 2 and known(a) is not None and known(b) is None:
        batch = tf.matmul(a[None], b[None], transpose_b=turned)
        return tf.squeeze(batch, 0)  # a constant matrix on the left TFLite transposes, no batch
    return tf.matmul(a, b, transpose_b=turned)


def gemm(node: Node, a: Value, b: Value, c: Value | None = None) -> Value:
    """``alpha * a * b + beta * c``."""
    alpha, beta = np.float32(node.attr("alpha", 1.0)), np.float32(node.attr("beta", 1.0))
    y = tf.matmul(a, b, transpose_a=bool(node.attr("transA", 0)), transpose_b=bool(node.attr("transB", 0)))
    y = y if alpha == 1 else y * alpha
    return y if c is None else y + (c if beta == 1 else c * beta)


def einsum(node: Node, *operands: Value) -> Value:
    """A product of batches of matrices, which transposes less than TensorFlow's Einsum; else that."""
    equation = node.attr("equation").replace(" ", "")
    terms, constant = re.split(",|->", equation), {i for i, x in enumerate(operands) if known(x) is not None}
    found = as_matrices(terms, constant) if "->" in equation and "." not in equation else None
    return tf.einsum(equation, *operands) if found is None else of_matrices(found, terms, operands)


def of_matrices(found: Matrices, terms: Sequence[str], operands: Sequence[Value]) -> Value:
    """The product, each group of letters one axis of its operands."""
    size = dict(zip("".join(terms[:2]), [n for x in operands for n in sizes(x)], strict=True))
    row, summed, column = (reduce(mul, (size[letter] for letter in group), 1) for group in found[1:4])
    batch, right = [size[letter] for letter in found.batch], [column, summed] if found.turned else [summed, column]
    a, b = (in_order(operands[i], terms[i], found.wanted[i]) for i in (found.first, 1 - found.first))
    made = multiplied(tf.reshape(a, [*batch, row, summed]), tf.reshape(b, [*batch, *right]), found.turned)
    result = tf.reshape(made, [size[letter] for letter in found.wanted[2]])
    return in_order(result, found.wanted[2], terms[2])


def in_order(x: Value, term: str, wanted: str) -> Value:
    """The value with its axes, which are called by the letters of a term, in another order."""
    return x if term == wanted else tf.transpose(x, [term.index(letter) for letter in wanted])


ROWS: dict[str, Form] = {"Einsum": einsum, "Gemm": gemm, "MatMul": matmul}
