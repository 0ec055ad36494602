"""Models that are broken: refused in one sentence that names the node or value, nothing written.

All begin as one Conv whose kernel is a weight, too large for shape inference to be shown.
"""

import cProfile
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from rewriter.faults.find import refuse_broken
from rewriter.interface import LAYOUTS_KEY
from tests.support.broken_data import (
    DATA,
    REFERENCES,
    SPARSE,
    bomb_in_bodies,
    bombs,
    chain,
    constant_in_a_body,
    constant_node,
    declared_size,
    deep_object,
    deep_record,
    dense_behind,
    element_type,
    functions,
    least_shape,
    nameless_constant,
    negative_index,
    of_another_type,
    of_no_type,
    strings,
    unknown_function,
)
from tests.support.broken_nodes import MARK, PERMS, POOLS, RANKS, TEXTS, Spoil, deformed, inner_perm, inner_rank, net
from tests.support.command import NOT_VALIDATED, USAGE, convert, error, folder
from tests.support.graphs import COMMITTED, LIGHT, graph, ints, model, node, random

CASES = [
    *((spoil, "is not UTF-8") for spoil in TEXTS),
    *((spoil, "(Conv): its numbers of axes do not agree") for spoil in RANKS),
    *((spoil, "(Transpose): perm") for spoil in PERMS),
    *((spoil, "(MaxPool)") for spoil in POOLS),
    (deformed, "(DeformConv): its numbers of axes do not agree: input has 4 axes, kernel has 3 axes"),
    (inner_rank, "second"),
    (inner_perm, "perm [0, 1, 2] is of 3 axes, its input has 4"),
    *((spoil, "tensor 'w' has") for spoil in DATA),
    (strings, "tensor 'w' holds strings as raw data"),
    (constant_node, "tensor 'const_value' has 2 bytes, [5] of type FLOAT needs 20"),
    (nameless_constant, "node 'const' (Constant) has 2 bytes, [5] of type FLOAT needs 20"),
    (constant_in_a_body, "tensor 'k' has 2 bytes, [5] of type FLOAT needs 20"),
    *((spoil, "sparse tensor 'sp'") for spoil in SPARSE),
    *((spoil, "refers to 'outside', but only a function's nodes can") for spoil in REFERENCES),
    (of_another_type, "attribute 'pads' of node 'conv' (Conv) is said to be STRING, but holds ints"),
    (of_no_type, "attribute 'pads' of node 'conv' (Conv) has no type"),
    *((functions(*calls), "calls itself") for calls in (["0"], ["1", "0"], ["01", "2", "1"])),
    *((bombs(n), "stand for more than 1,000,000 operators") for n in (24, 62, 300)),
    (bomb_in_bodies, "stand for more than 1,000,000 operators"),
    (chain(300), "its functions are 301 deep in one another"),
    *((spoil, LAYOUTS_KEY) for spoil in (deep_record, deep_object)),
    (unknown_function, "node 'call' (Nonsense): the domain rewriter.nhwc has no such operator"),
    (element_type, "value 'x' has element type 99"),
    (negative_index, "tensor 'i' has a negative size"),
    (declared_size(2**62), "value 'x' has more elements than can be counted"),
]


@pytest.mark.parametrize("more", [(), ("--no-validate",)], ids=lambda more: " ".join(more))
@pytest.mark.parametrize(("spoil", "message"), CASES, ids=[f"{number}" for number in range(len(CASES))])
def test_broken(
    tmp_path: Path, spoil: Spoil, message: str, more: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    made, path = net(), tmp_path / "net.onnx"
    spoil(made)
    path.write_bytes(made.SerializeToString().replace(MARK.encode(), b"\xff\xfe\xc0\x80"))
    assert convert(path, *more) == USAGE
    assert message in error(capsys)
    assert folder(path) == {"net.onnx"}


UNRUNNABLE = [least_shape, dense_behind, declared_size(2**40)]


@pytest.mark.parametrize("spoil", UNRUNNABLE)
def test_sound_but_not_to_be_run(tmp_path: Path, spoil: Spoil, capsys: pytest.CaptureFixture[str]) -> None:
    made, path = net(), tmp_path / "net.onnx"
    spoil(made)
    onnx.save(made, path)
    assert convert(path) == NOT_VALIDATED
    error(capsys)
    assert folder(path) == {"net.onnx"}


EXTERNAL = [
    ({"location": "x" * 5_000}, "not a readable ONNX model"),
    ({"location": "a/" * 2_500 + "x"}, "not a readable ONNX model"),
    ({"location": "../data"}, "not a readable ONNX model"),
    ({"location": "/etc/passwd"}, "not a readable ONNX model"),
    ({"location": "nowhere"}, "nowhere"),
    ({"location": ""}, "not a readable ONNX model"),
    ({"location": "a\0b"}, "not a readable ONNX model"),
    ({"location": "folder"}, "not a readable ONNX model"),
    ({"location": "pipe"}, "not a readable ONNX model"),
    ({"location": "link"}, "not a readable ONNX model"),
    ({}, "not a readable ONNX model"),
    ({"location": "data", "offset": "9999999"}, "not a readable ONNX model"),
    ({"location": "data", "offset": "-1"}, "not a readable ONNX model"),
    ({"location": "data", "offset": "1e3"}, "not a readable ONNX model"),
    ({"location": "data", "length": str(2**62)}, "not a readable ONNX model"),
    ({"location": "data", "length": "12"}, "tensor 'w' has 12 bytes"),
    ({"location": "data"}, "tensor 'w' has 99 bytes"),
]


@pytest.mark.parametrize(("entries", "message"), EXTERNAL, ids=range(len(EXTERNAL)))
def test_broken_external_data(
    tmp_path: Path, entries: dict[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made, path = net(), tmp_path / "net.onnx"
    weight = made.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, entry in entries.items():
        weight.external_data.add(key=key, value=entry)
    path.write_bytes(made.SerializeToString())
    (tmp_path / "data").write_bytes(b"\0" * 99)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("data")
    before = folder(path)
    assert convert(path) == USAGE
    assert message in error(capsys)
    assert folder(path) == before


@pytest.mark.parametrize("ending", ["onnx", "json", "textproto", "onnxtxt", "prototxt", "txt"])
@pytest.mark.parametrize("data", [b"{", b"[" * 100_000, b"\xff\xfe", b"<ir_version: 8", b"graph { node { }"])
def test_files_of_other_formats(tmp_path: Path, ending: str, data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """onnx reads several, by their endings."""
    path = tmp_path / f"net.{ending}"
    path.write_bytes(data)
    assert convert(path) == USAGE
    assert str(path) in error(capsys)


def other_names() -> GraphProto:
    """A body that calls values as weights outside are called, which have other ranks."""
    nodes = [node("Transpose", ["s"], ["w"], perm=[0, 2, 1]), node("Transpose", ["w"], ["o"], perm=[0, 2, 1])]
    return graph([node("Identity", ["three"], ["s"]), *nodes], {}, {"o": None}, {"three": random(2, 3, 5)})


def test_what_looks_broken_but_is_not(tmp_path: Path) -> None:
    """Data in typed fields, elements that share bytes, no elements, bytes that are no text, functions that refer."""
    made = net()
    kernel = made.graph.initializer[0]
    kernel.float_data.extend(numpy_helper.to_array(kernel).ravel())
    kernel.ClearField("raw_data")
    made.graph.initializer.extend(
        [
            helper.make_tensor("four", TensorProto.INT4, [3], [1, 2, 3]),
            helper.make_tensor("raw four", TensorProto.UINT4, [3], b"12", raw=True),
            helper.make_tensor("none", TensorProto.FLOAT, [0, 5], []),
            TensorProto(name="complex", data_type=TensorProto.COMPLEX64, dims=[2], float_data=[1, 0, 2, 0]),
            helper.make_tensor("half", TensorProto.FLOAT16, [2], [1.0, 2.0]),
            numpy_helper.from_array(np.asarray(["a", "\u00e9"], object), "words"),
        ]
    )
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1  # as some exporters write an open size
    made.graph.node.append(node("If", ["flag"], ["o"], then_branch=other_names(), else_branch=other_names()))
    refuse_broken(made)
    for path in [*COMMITTED.values(), *LIGHT.values()]:
        refuse_broken(onnx.load(path))


def test_the_cost_is_linear() -> None:
    """Five times the nodes, about five times the calls of functions."""
    small, large = (_calls(_long(nodes)) for nodes in (400, 2_000))
    assert large < 6 * small


def _long(nodes: int) -> ModelProto:
    chain = [node("Transpose", [f"v{i}"], [f"v{i + 1}"], perm=[0, 1]) for i in range(nodes)]
    return model(chain, {"v0": [1, 2]}, {f"v{nodes}": [1, 2]})


def _calls(made: ModelProto) -> int:
    profile = cProfile.Profile()
    profile.runcall(refuse_broken, made)
    return sum(entry.callcount for entry in profile.getstats())


def no_kernel(m: ModelProto) -> None:
    """A size of a kernel is 0, which onnx does not see where it does not know the data's shape."""
    attrs = (attr for each in m.graph.node for attr in each.attribute if attr.name == "kernel_shape")
    next(attrs).ints[0] = 0


def no_axis(m: ModelProto) -> None:
    """An axis beyond the last one."""
    axes = next(each.input[1] for each in m.graph.node if each.op_type == "Unsqueeze")
    held = next(tensor for tensor in m.graph.initializer if tensor.name == axes)
    held.CopyFrom(numpy_helper.from_array(ints(99), axes))


@pytest.mark.parametrize("more", [(), ("--no-validate",)], ids=lambda more: " ".join(more))
@pytest.mark.parametrize("spoil", [no_kernel, no_axis])
def test_what_only_onnxruntime_finds(
    tmp_path: Path, spoil: Spoil, more: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The rewriter fails on such a model, and is not to blame."""
    made, path = onnx.load(COMMITTED["keras_conv1d"]), tmp_path / "net.onnx"
    spoil(made)
    onnx.save(made, path)
    assert convert(path, *more, to="nchw") == USAGE
    assert "the model is not valid: it does not run in onnxruntime" in error(capsys)
    assert folder(path) == {"net.onnx"}
