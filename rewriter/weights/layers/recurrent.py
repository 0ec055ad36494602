"""LSTM and GRU: the parameters of a framework's layer, cut out of ONNX's three and their gates put in its order.

Sources: the operators LSTM and GRU of ONNX (W, R and B by direction; gates i o f c, z r h), ``torch.nn.LSTM`` and
``GRU``, ``keras.layers.LSTM`` and ``GRU``, ``flax.linen.LSTMCell`` and ``GRUCell``.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import onnx_graphsurgeon as gs

from passes.layout import perm
from passes.layout.layout import natural, permuted
from rewriter.weights.framework import Framework
from rewriter.weights.layers.trace import Use
from rewriter.weights.manifest.manifest import Tensor
from rewriter.weights.tensors.letters import Array, perm_between
from rewriter.weights.tensors.transform import TensorTransform
from rewriter.weights.windows import Settings

GATES = {"LSTM": "iofc", "GRU": "zrh"}
W, R, B = 1, 2, 3  # inputs
# attributes that say another layer than frameworks have, and what these have
USUAL = {"clip": None, "input_forget": 0, "activation_alpha": None, "activation_beta": None}
ACTIVATIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}
PEEPHOLES = 7  # input of LSTM


class Part(NamedTuple):
    """A parameter: the gates, in the framework's order, of some of ``W R Wb Rb`` ("+": of their sum, "," one above
    the other). ``needed``: whether there is one of zeros in a layer whose file has no biases."""

    name: str
    of: str
    gates: str
    needed: bool = False


def flax_cell(inputs: str, hidden: str, biased: Mapping[str, str], names: Mapping[str, str]) -> tuple[Part, ...]:
    """A cell of Flax, which has a Dense for each gate. ``biased``: of these, what their bias is."""
    kernels = [Part(f"{side}{names[g]}.kernel", of, g) for side, of, gates in (("i", "W", inputs), ("h", "R", hidden))
               for g in gates]  # fmt: skip
    return (*kernels, *(Part(f"{dense}.bias", of, names_back(names, dense), True) for dense, of in biased.items()))


def names_back(names: Mapping[str, str], dense: str) -> str:
    """The gate of ONNX that a Dense of Flax is for."""
    return next(gate for gate, name in names.items() if name == dense[1:])


FLAX_LSTM, FLAX_GRU = {"i": "i", "f": "f", "c": "g", "o": "o"}, {"r": "r", "z": "z", "h": "n"}
SUMS = "Wb+Rb"
ROWS: dict[tuple[str, str], tuple[Part, ...]] = {
    ("pytorch", op): tuple(
        Part(f"{name}_l0", of, gates)
        for name, of in (("weight_ih", "W"), ("weight_hh", "R"), ("bias_ih", "Wb"), ("bias_hh", "Rb"))
    )
    for op, gates in (("LSTM", "ifco"), ("GRU", "rzh"))
}
ROWS["tensorflow", "LSTM"] = tuple(
    Part(name, of, "ifco") for name, of in (("kernel", "W"), ("recurrent_kernel", "R"), ("bias", SUMS))
)
ROWS["tensorflow", "GRU"] = tuple(
    Part(name, of, "zrh") for name, of in (("kernel", "W"), ("recurrent_kernel", "R"), ("bias", "Wb,Rb"))
)
ROWS["flax", "LSTM"] = flax_cell("ifco", "ifco", dict.fromkeys(("hi", "hf", "hg", "ho"), SUMS), FLAX_LSTM)
ROWS["flax", "GRU"] = flax_cell("rzh", "rzh", {"ir": SUMS, "iz": SUMS, "in": "Wb", "hn": "Rb"}, FLAX_GRU)
BACKWARD = {"pytorch": "{}_reverse"}


def parameters(node: gs.Node, target: str, values: Mapping[int, Array]) -> Iterator[tuple[str, Array]]:
    """Names and arrays, kernels as [gates x hidden, input], of a node whose W, R and maybe B have these values."""
    for direction in range(values[W].shape[0]):
        given = {"W": values[W][direction], "R": values[R][direction]}
        if B in values:
            given["Wb"], given["Rb"] = np.split(values[B][direction], 2)
        for part in ROWS[target, node.op]:
            name = part.name if not direction else BACKWARD.get(target, "backward.{}").format(part.name)
            if "b" not in part.of or B in values:
                yield name, cut(part, given, node)
            elif part.needed:
                yield name, np.zeros(given["R"].shape[1], given["R"].dtype)


def cut(part: Part, given: Mapping[str, Array], node: gs.Node) -> Array:
    """One parameter."""
    apart = "," in part.of and bool(node.attrs.get("linear_before_reset"))
    rows = [given[of] for of in part.of.replace(",", "+").split("+")]
    ordered = [in_order(row, GATES[node.op], part.gates) for row in rows]
    return np.stack(ordered) if apart else np.asarray(sum(ordered[1:], start=ordered[0]))


def in_order(array: Array, held: str, wanted: str) -> Array:
    """The gates ``wanted`` of an array that holds the gates ``held``, one above the other."""
    gates = dict(zip(held, np.split(array, len(held)), strict=True))
    return np.concatenate([gates[gate] for gate in wanted])


def written(use: Use, key: str, framework: Framework) -> Tensor:
    """A parameter as the framework has it: kernels of Dense layers as these, vectors and stacks of them as they are."""
    shape = tuple(use.constant.shape)
    letters = framework.kernels["dense", 0]
    if key.endswith("bias") or len(shape) < 2:
        return use.tensor(TensorTransform(shape, natural(len(shape)), shape))
    p = perm_between("OI", letters)
    return use.tensor(TensorTransform(shape, permuted(p), tuple(perm.reorder(p, shape))), "OI", letters)


def named(module: str, layer: int, key: str, framework: Framework) -> str:
    """A parameter's name in the file: for PyTorch that of a module of several layers, else each layer is one."""
    if framework.name == "pytorch":
        return ".".join(filter(None, [module.replace("/", "."), key.replace("_l0", f"_l{layer}")]))
    own = f"{module}_l{layer}" if layer else module
    return ".".join(filter(None, [own, key]))


def settings(node: gs.Node, target: str) -> Settings:
    """What the layer is built with."""
    told = {"hidden_size": node.attrs["hidden_size"], "direction": node.attrs.get("direction", "forward")}
    after = bool(node.attrs.get("linear_before_reset"))
    return told | ({"reset_after": after} if (target, node.op) == ("tensorflow", "GRU") else {})


def unusual(node: gs.Node, target: str) -> list[str]:
    """What it has that no layer of the framework has."""
    found = [key for key, usual in USUAL.items() if node.attrs.get(key, usual) != usual]
    wanted = ACTIVATIONS[node.op]
    if node.attrs.get("activations") not in (None, wanted, wanted * 2):
        found.append("activations")
    if len(node.inputs) > PEEPHOLES and node.inputs[PEEPHOLES].name:
        found.append("peepholes")
    if node.op == "GRU" and target != "tensorflow" and not node.attrs.get("linear_before_reset"):
        found.append("linear_before_reset = 0")
    return found


def notes(node: gs.Node, target: str) -> Iterator[str]:
    """What frameworks' layers do otherwise."""
    if found := unusual(node, target):
        yield f"its {', '.join(found)}: no layer of {target} has these"
    if target == "pytorch" and node.attrs.get("direction") == "reverse":
        yield "it runs backwards only: reverse the sequence before and behind the layer"
