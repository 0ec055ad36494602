"""Recurrent layers: one product for the inputs of all steps, then the steps, one after the other."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rewriter.backends.forms.control import MOST_STEPS
from rewriter.backends.forms.node import Form, Node, NoForm, Value, dims, known, whole

ACTIVATIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


class Weights(NamedTuple):
    """Of one direction: of hidden states ``[H, gates * H]``, and biases ``[gates * H]`` of inputs and states."""

    states: Value
    bias: Value
    states_bias: Value


Cell = Callable[[Node, Value, list[Value], Weights], list[Value]]  # (projected input, states) -> new states


def lstm(_: Node, x: Value, states: list[Value], weights: Weights) -> list[Value]:
    """Gates in the order input, output, forget, cell."""
    h, c = states
    gates = x + tf.matmul(h, weights.states) + weights.states_bias
    i, o, f, g = tf.split(gates, 4, -1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return [tf.sigmoid(o) * tf.tanh(c), c]


def gru(node: Node, x: Value, states: list[Value], weights: Weights) -> list[Value]:
    """Gates in the order update, reset, hidden."""
    (h,) = states
    parts = tf.split(x, 3, -1)
    kernels, biases = tf.split(weights.states, 3, -1), tf.split(weights.states_bias, 3, -1)
    z, r = (tf.sigmoid(parts[i] + tf.matmul(h, kernels[i]) + biases[i]) for i in (0, 1))
    if node.attr("linear_before_reset", 0):
        new = tf.tanh(parts[2] + r * (tf.matmul(h, kernels[2]) + biases[2]))
    else:
        new = tf.tanh(parts[2] + tf.matmul(r * h, kernels[2]) + biases[2])
    return [(1 - z) * new + z * h]


def rnn(_: Node, x: Value, states: list[Value], weights: Weights) -> list[Value]:
    """One gate."""
    return [tf.tanh(x + tf.matmul(states[0], weights.states) + weights.states_bias)]


def recurrent(cell: Cell, states: int) -> Form:
    """Of one or both directions: all hidden states ``[T, directions, N, H]``, and the last of each kind of state."""

    def form(node: Node, x: Value, kernel: Value, recurrence: Value, *rest: Value | None) -> list[Value]:
        _refuse(node, dims(x)[0])
        bias, _, *initial = [*rest, *[None] * 4][:4]
        directions, _, size = whole(dims(recurrence))
        outputs, last = [], list[list[Value]]()
        for d in range(directions):
            gates = GATES[node.op] * size
            biases = np.zeros(2 * gates, np.float32) if bias is None else bias[d]
            weights = Weights(_turned(recurrence[d]), biases[:gates], biases[gates:])
            begin = [_initial(x, value, d, size) for value in initial[:states]]
            projected = tf.matmul(x, _turned(kernel[d])) + weights.bias
            backwards = d == 1 or node.attr("direction", "forward") == "reverse"
            made, end = _steps(node, cell, projected, begin, weights, backwards)
            outputs.append(made)
            last.append(end)
        return [tf.stack(outputs, 1), *(tf.stack(list(kind)) for kind in zip(*last, strict=True))]

    return form


def _refuse(node: Node, steps: int | None) -> None:
    """Raises NoForm for what is not written here."""
    usual = ACTIVATIONS[node.op]
    directions = 2 if node.attr("direction", "forward") == "bidirectional" else 1
    given = [name.decode() for name in node.attr("activations", [])] or usual * directions
    if given != usual * directions or node.attr("clip") or node.attr("input_forget", 0) or node.attr("layout", 0):
        raise NoForm("it has other activations, a clip, coupled gates or another layout")
    if node.given(7):
        raise NoForm("it has peepholes")
    if steps is None or steps > MOST_STEPS:
        raise NoForm(f"its steps are not known, or more than {MOST_STEPS}")
    if node.given(4) and (known(node.inputs[4]) is None or set(node.static(4).tolist()) != {steps}):
        raise NoForm("its sequences have lengths of their own")


def _steps(
    node: Node, cell: Cell, x: Value, states: list[Value], weights: Weights, backwards: bool
) -> tuple[Value, list[Value]]:
    """All hidden states ``[T, N, H]``, and the last states."""
    (steps,) = whole(dims(x)[:1])
    outputs: list[Any] = [None] * steps
    for step in range(steps)[:: -1 if backwards else 1]:
        states = cell(node, x[step], states, weights)
        outputs[step] = states[0]
    return tf.stack(outputs), states


def _initial(x: Value, value: Value | None, direction: int, size: int) -> Value:
    return tf.zeros([tf.shape(x)[1], size]) if value is None else value[direction]


def _turned(kernel: Value) -> Value:
    constant = known(kernel)
    return tf.transpose(kernel) if constant is None else constant.T


ROWS: dict[str, Form] = {"GRU": recurrent(gru, 1), "LSTM": recurrent(lstm, 2), "RNN": recurrent(rnn, 1)}
