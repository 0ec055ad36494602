"""Branches, and loops whose number of steps is known: TFLite gets their steps one after the other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from onnx import GraphProto

from rewriter.backends.forms.node import Form, Node, NoForm, Value, known

MOST_STEPS = 256  # of a loop, which are all in the file


def branches(node: Node, condition: Value) -> Any:
    """One of both, where it is known which."""
    constant = known(condition)
    if constant is not None:
        return node.run("then_branch" if constant.item() else "else_branch", {})
    sides = [lambda side=side: list(map(tf.identity, node.run(side, {}))) for side in ("then_branch", "else_branch")]
    return tf.cond(tf.reshape(condition, []), *sides)


def loop(node: Node, count: Value | None, condition: Value | None = None, *state: Value) -> list[Value]:
    """As often as its count and its condition say; the last states, then slices of all steps.

    Steps whose number is known are written one after the other, others as a loop, without slices.
    """
    body = node.attr("body")
    try:
        return _steps(node, body, count, condition, state)
    except _Computed:
        if len(body.output) > 1 + len(state):
            raise NoForm("the number of its slices is computed") from None
    return _while(node, body, count, condition, state)


def _steps(
    node: Node, body: GraphProto, count: Value | None, condition: Value | None, state: Sequence[Value]
) -> list[Value]:
    """One after the other. Raises _Computed where it is not known how many there are."""
    names = [value.name for value in body.input]
    values, slices = list(state), list[list[Value]]()
    most = None if count is None else _number(count)
    go, step = condition is None or bool(_number(condition)), 0
    while go and (most is None or step < most):
        if step == MOST_STEPS:
            raise NoForm(f"it has more than {MOST_STEPS} steps")
        given = [np.asarray(step, np.int64), np.asarray(True), *values]
        again, *results = node.run("body", dict(zip(names, given, strict=True)))
        values = results[: len(state)]
        slices.append(results[len(state) :])
        go, step = bool(_number(again)), step + 1
    if not slices and len(body.output) > 1 + len(state):
        raise NoForm("it makes no step")
    return [*values, *(tf.stack(list(made)) for made in zip(*slices, strict=True))]


def _while(
    node: Node, body: GraphProto, count: Value | None, condition: Value | None, state: Sequence[Value]
) -> list[Value]:
    """As TensorFlow's loop: a number of steps, a condition and states."""
    names = [value.name for value in body.input]
    most = tf.constant(2**31 - 1, tf.int64) if count is None else tf.reshape(count, [])

    def step(number: Value, go: Value, *values: Value) -> list[Value]:
        again, *results = node.run("body", dict(zip(names, [number, go, *values], strict=True)))
        return [number + 1, tf.reshape(again, []), *results]

    begin = tf.constant(True) if condition is None else tf.reshape(condition, [])
    states = [tf.constant(0, tf.int64), begin, *map(tf.convert_to_tensor, state)]
    return list(tf.while_loop(lambda number, go, *_: tf.logical_and(go, number < most), step, states))[2:]


class _Computed(Exception):
    """It is not known now how many steps a loop has."""


def _number(value: Value) -> Any:
    """What must be known. Raises _Computed."""
    constant = known(value)
    if constant is None:
        raise _Computed
    return constant.item()


ROWS: dict[str, Form] = {"If": branches, "Loop": loop}
