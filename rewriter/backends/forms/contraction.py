"""Products of matrices."""

import numpy as np
import tensorflow as tf

from rewriter.backends.forms.node import Form, Node, Value, known, rank


def matmul(_: Node, a: Value, b: Value) -> Value:
    """As numpy: of a vector an axis is added, and taken away again."""
    if rank(a) == 1 and rank(b) == 1:
        return tf.tensordot(a, b, 1)
    if rank(a) == 1:
        return tf.squeeze(tf.matmul(a[None, :], b), -2)
    if rank(b) == 1:
        return tf.squeeze(tf.matmul(a, b[:, None]), -1)
    if rank(a) == rank(b) == 2 and known(a) is not None and known(b) is None:
        return tf.squeeze(tf.matmul(a[None], b[None]), 0)  # a constant matrix on the left TFLite transposes, no batch
    return tf.matmul(a, b)


def gemm(node: Node, a: Value, b: Value, c: Value | None = None) -> Value:
    """``alpha * a * b + beta * c``."""
    alpha, beta = np.float32(node.attr("alpha", 1.0)), np.float32(node.attr("beta", 1.0))
    y = tf.matmul(a, b, transpose_a=bool(node.attr("transA", 0)), transpose_b=bool(node.attr("transB", 0)))
    y = y if alpha == 1 else y * alpha
    return y if c is None else y + (c if beta == 1 else c * beta)


def einsum(node: Node, *operands: Value) -> Value:
    """TensorFlow takes ONNX's equations, without spaces."""
    return tf.einsum(node.attr("equation").replace(" ", ""), *operands)


ROWS: dict[str, Form] = {"Einsum": einsum, "Gemm": gemm, "MatMul": matmul}
