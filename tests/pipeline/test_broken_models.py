"""Models that are broken: refused in one sentence that names the node or value, nothing written.

All begin as one Conv whose kernel is a weight, too large for shape inference to be shown.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, GraphProto, ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper

from rewriter.faults.find import refuse_broken
from rewriter.interface import LAYOUTS_KEY
from tests.support.command import NOT_VALIDATED, USAGE, convert, error, folder
from tests.support.graphs import COMMITTED, INT64, LIGHT, graph, ints, model, node, random, value

Spoil = Callable[[ModelProto], None]
MARK = "@@@@"


def net() -> ModelProto:
    """One Conv and a Reshape by a constant."""
    conv = node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1])
    reshape = node("Reshape", ["c", "s"], ["y"], "reshape")
    constants = {"w": random(64, 16, 3, 3), "s": ints(1, 64, 8, 8)}
    return model([conv, reshape], {"x": [1, 16, 8, 8]}, {"y": [1, 64, 8, 8]}, constants)


# Text that is not UTF-8


def set_text(path: str) -> Spoil:
    """Set the field ``graph.node.0.name`` and the like."""

    def place(m: ModelProto) -> None:
        *steps, last = path.split(".")
        target: object = m
        for step in steps:
            target = target[int(step)] if step.isdigit() else getattr(target, step)  # type: ignore[index]
        if last.isdigit():
            target[int(last)] = MARK  # type: ignore[index]
        else:
            setattr(target, last, MARK)

    return place


def metadata(m: ModelProto) -> None:
    m.metadata_props.add(key="k", value=MARK)


def symbol(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.shape.dim[0].dim_param = MARK


def string_attribute(m: ModelProto) -> None:
    m.graph.node[0].attribute.append(helper.make_attribute("auto_pad", MARK))


def in_a_body(m: ModelProto) -> None:
    body = graph([node("Neg", ["c"], [MARK])], {}, {MARK: None})
    m.graph.node.append(node("If", ["flag"], ["o"], "if", then_branch=body, else_branch=body))
    m.graph.initializer.append(helper.make_tensor("flag", TensorProto.BOOL, [], [True]))


def in_a_function(m: ModelProto) -> None:
    m.functions.append(helper.make_function("d", "F", ["a"], [MARK], [node("Neg", ["a"], [MARK])], m.opset_import))


def string_data(m: ModelProto) -> None:
    m.graph.initializer.append(numpy_helper.from_array(np.asarray([MARK], object), "words"))


TEXTS = [
    set_text("graph.node.0.name"), set_text("graph.node.0.op_type"), set_text("graph.node.0.domain"),
    set_text("graph.node.0.doc_string"), set_text("graph.node.0.input.0"), set_text("graph.node.0.output.0"),
    set_text("graph.node.0.attribute.0.name"), set_text("graph.input.0.name"), set_text("graph.output.0.name"),
    set_text("graph.initializer.0.name"), set_text("graph.initializer.0.doc_string"), set_text("graph.name"),
    set_text("producer_name"), set_text("domain"), set_text("opset_import.0.domain"), metadata, symbol,
    string_attribute, in_a_body, in_a_function, string_data,
]  # fmt: skip

# Wrong numbers of axes


def attribute(name: str, ints: Sequence[int]) -> Spoil:
    def spoil(m: ModelProto) -> None:
        kept = [a for a in m.graph.node[0].attribute if a.name != name]
        del m.graph.node[0].attribute[:]
        m.graph.node[0].attribute.extend([*kept, AttributeProto(name=name, type=AttributeProto.INTS, ints=ints)])

    return spoil


def kernel_of_rank(rank: int) -> Spoil:
    def spoil(m: ModelProto) -> None:
        m.graph.initializer[0].CopyFrom(numpy_helper.from_array(random(*[9216, 1, 1, 1, 1, 1][:rank]), "w"))

    return spoil


def input_of_rank(rank: int) -> Spoil:
    def spoil(m: ModelProto) -> None:
        m.graph.input[0].CopyFrom(value("x", [1, 16, 8, 8, 8, 8][:rank]))

    return spoil


def transposed(*perm: int) -> Spoil:
    def spoil(m: ModelProto) -> None:
        m.graph.node.append(node("Transpose", ["x"], ["t"], "transpose", perm=perm))
        m.graph.output.append(value("t", None))

    return spoil


def pooled(**attrs: object) -> Spoil:
    def spoil(m: ModelProto) -> None:
        m.graph.node.append(node("MaxPool", ["x"], ["p"], "pool", **attrs))
        m.graph.output.append(value("p", None))

    return spoil


def inner_perm(m: ModelProto) -> None:
    """A Transpose of a value whose rank only inference tells; onnx does not mind."""
    m.graph.node.append(node("Transpose", ["c"], ["t"], "transpose", perm=[0, 1, 2]))
    m.graph.output.append(value("t", None))


def inner_rank(m: ModelProto) -> None:
    """A Conv on what a Reshape has made of rank 3."""
    m.graph.initializer[1].CopyFrom(numpy_helper.from_array(ints(1, 16, 256), "s"))
    m.graph.node.append(node("Conv", ["y", "w"], ["z"], "second"))
    del m.graph.output[:]
    m.graph.output.append(value("z", None))


RANKS = [
    *(attribute("pads", [1] * size) for size in (0, 2, 3, 6)), *(attribute("strides", [1] * size) for size in (1, 3)),
    *(attribute("dilations", [1] * size) for size in (1, 5)), *(attribute("kernel_shape", [3] * n) for n in (1, 3)),
    *(kernel_of_rank(rank) for rank in (1, 2, 3, 5)), *(input_of_rank(rank) for rank in (0, 1, 2, 3, 5)),
]  # fmt: skip
PERMS = [transposed(*perm) for perm in ([0, 0, 1, 2], [0, 1, 2], [0, 1, 2, 9], [0, 1, 2, -1], [0, 1, 2, 3, 4])]
POOLS = [
    pooled(kernel_shape=[2]), pooled(kernel_shape=[2, 2, 2]), pooled(kernel_shape=[2, 2], strides=[1]),
    pooled(kernel_shape=[2, 2], pads=[0, 0, 0]), pooled(),
]  # fmt: skip

# Data that does not fit


def initializer(**fields: object) -> Spoil:
    """Fields of the kernel's protobuf."""

    def spoil(m: ModelProto) -> None:
        tensor = m.graph.initializer[0]
        for name, given in fields.items():
            if isinstance(given, list):
                del getattr(tensor, name)[:]
                getattr(tensor, name).extend(given)
            else:
                setattr(tensor, name, given)

    return spoil


def without_data(m: ModelProto) -> None:
    m.graph.initializer[0].ClearField("raw_data")


def another_field(m: ModelProto) -> None:
    tensor = m.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.int64_data.extend(range(9216))


strings = initializer(data_type=TensorProto.STRING)


def constant_node(m: ModelProto, name: str = "const_value") -> None:
    tensor = TensorProto(name=name, dims=[5], data_type=TensorProto.FLOAT, raw_data=b"12")
    m.graph.node.append(node("Constant", [], ["k"], "const", value=tensor))


def nameless_constant(m: ModelProto) -> None:
    constant_node(m, "")


def constant_in_a_body(m: ModelProto) -> None:
    body = graph([node("Identity", ["k"], ["o"])], {}, {"o": None})
    body.initializer.append(TensorProto(name="k", dims=[5], data_type=1, raw_data=b"12"))
    m.graph.node.append(node("If", ["flag"], ["o"], "if", then_branch=body, else_branch=body))
    m.graph.initializer.append(helper.make_tensor("flag", TensorProto.BOOL, [], [True]))


DATA = [
    initializer(raw_data=b"\0" * (9216 * 4 - 3)), initializer(raw_data=b""), initializer(raw_data=b"\0" * 9216 * 8),
    initializer(dims=[64, 16, 3, 4]), initializer(dims=[64, 16, 3]), initializer(dims=[2**40, 2**40]),
    initializer(dims=[64, 16, -3, -3]), initializer(data_type=TensorProto.DOUBLE), initializer(data_type=99),
    initializer(data_type=0), initializer(data_type=TensorProto.INT4),
    initializer(dims=[2**62, 4, 3, 3]), without_data, another_field,
]  # fmt: skip

# Sparse weights


def sparse(indices: list[list[int]] | list[int], dims: list[int], nnz: int | None = None) -> Spoil:
    def spoil(m: ModelProto) -> None:
        values = numpy_helper.from_array(random(len(indices) if nnz is None else nnz), "sp")
        places = numpy_helper.from_array(np.asarray(indices, dtype=np.int64), "sp_indices")
        m.graph.sparse_initializer.append(SparseTensorProto(values=values, indices=places, dims=dims))
        m.graph.node.append(node("Neg", ["sp"], ["n"], "neg"))
        m.graph.output.append(value("n", None))

    return spoil


SPARSE = [
    sparse([0, 99], [5, 7]), sparse([0, -1], [5, 7]), sparse([[0, 0], [5, 0]], [5, 7]), sparse([[0, 0, 0]], [5, 7]),
    sparse([[0, 0], [0, 7]], [5, 7]), sparse([0], [2**40]), sparse([0], [2**40, 2**40]), sparse([0], [5, -7]),
    sparse([0, 1], [5, 7], nnz=3), sparse([[0, -1]], [5, 7]),
]  # fmt: skip

# Attributes, functions


def referring(name: str, kind: int) -> Spoil:
    def spoil(m: ModelProto) -> None:
        one = m.graph.node[0]
        kept = [a for a in one.attribute if a.name != name]
        del one.attribute[:]
        one.attribute.extend([*kept, AttributeProto(name=name, type=kind, ref_attr_name="outside")])  # type: ignore[arg-type]

    return spoil


def reference_of_perm(m: ModelProto) -> None:
    transposed(0, 1, 2, 3)(m)
    del m.graph.node[2].attribute[:]
    m.graph.node[2].attribute.append(AttributeProto(name="perm", type=AttributeProto.INTS, ref_attr_name="outside"))


def of_another_type(m: ModelProto) -> None:
    m.graph.node[0].attribute[0].type = AttributeProto.STRING


def of_no_type(m: ModelProto) -> None:
    m.graph.node[0].attribute[0].ClearField("type")


def functions(*calls: Sequence[int | str]) -> Spoil:
    """Functions F0, F1, ... of which each calls those of these numbers."""

    def spoil(m: ModelProto) -> None:
        for i, numbers in enumerate(calls):
            ends = ["a", *(f"v{j}" for j in range(len(numbers) - 1)), "b"]
            nodes = [node(f"F{f}", [ends[j]], [ends[j + 1]], domain="d") for j, f in enumerate(numbers)]
            nodes = nodes or [node("Neg", ["a"], ["b"])]
            imports = [*m.opset_import, helper.make_opsetid("d", 1)]
            m.functions.append(helper.make_function("d", f"F{i}", ["a"], ["b"], nodes, imports))
        m.opset_import.append(helper.make_opsetid("d", 1))
        m.graph.node.append(node("F0", ["c"], ["f"], "call", domain="d"))
        m.graph.output.append(value("f", None))

    return spoil


def bombs(n: int) -> Spoil:
    """Each function calls the next one twice."""
    return functions(*([i + 1, i + 1] for i in range(n)), [])


def bomb_in_bodies(m: ModelProto) -> None:
    """The same, each call in the branch of an If."""
    bombs(24)(m)
    for function in m.functions[:-1]:
        calls = [graph([node(call.op_type, ["a"], ["o"], domain="d")], {}, {"o": None}) for call in function.node]
        del function.node[:]
        flag = helper.make_tensor("flag", TensorProto.BOOL, [], [True])
        function.node.append(node("Constant", [], ["flag"], value=flag))
        function.node.append(node("If", ["flag"], ["b"], then_branch=calls[0], else_branch=calls[1]))


def chain(n: int) -> Spoil:
    return functions(*([i + 1] for i in range(n)), [])


REFERENCES = [referring("pads", AttributeProto.INTS), referring("group", AttributeProto.INT), reference_of_perm]


# Other


def deep_record(m: ModelProto) -> None:
    m.metadata_props.add(key=LAYOUTS_KEY, value="[" * 100_000)


def deep_object(m: ModelProto) -> None:
    m.metadata_props.add(key=LAYOUTS_KEY, value='{"x":' * 100_000)


def unknown_function(m: ModelProto) -> None:
    m.opset_import.append(helper.make_opsetid("rewriter.nhwc", 1))
    m.graph.node.append(node("Nonsense", ["c"], ["f"], "call", domain="rewriter.nhwc"))
    m.graph.output.append(value("f", None))


def element_type(m: ModelProto) -> None:
    m.graph.input[0].type.tensor_type.elem_type = 99


def least_shape(m: ModelProto) -> None:
    m.graph.initializer[1].CopyFrom(numpy_helper.from_array(ints(-(2**63), 64, 8, 8), "s"))


def negative_index(m: ModelProto) -> None:
    m.graph.initializer.append(TensorProto(name="i", dims=[-1], data_type=INT64, raw_data=b"\0" * 8))
    m.graph.node.append(node("Gather", ["c", "i"], ["g"], "gather"))
    m.graph.output.append(value("g", None))


def dense_behind(m: ModelProto) -> None:
    """The Conv's pads cleared: the Dense behind its Flatten no longer fits."""
    nodes = [node("Flatten", ["c"], ["f"], "flatten"), node("Gemm", ["f", "d"], ["o"], "dense")]
    m.graph.node.extend(nodes)
    m.graph.initializer.append(numpy_helper.from_array(random(64 * 64, 5), "d"))
    m.graph.output.append(value("o", None))
    del m.graph.node[0].attribute[:]
    m.graph.initializer[1].CopyFrom(numpy_helper.from_array(ints(1, 64, 6, 6), "s"))
    m.graph.output[0].CopyFrom(value("y", [1, 64, 6, 6]))


def declared_size(size: int) -> Spoil:
    def spoil(m: ModelProto) -> None:
        m.graph.input[0].CopyFrom(value("x", [1, 16, size, 8]))
        del m.graph.node[1:], m.graph.output[:]
        m.graph.output.append(value("c", None))

    return spoil


CASES = [
    *((spoil, "is not UTF-8") for spoil in TEXTS),
    *((spoil, "(Conv): its numbers of axes do not agree") for spoil in RANKS),
    *((spoil, "(Transpose): perm") for spoil in PERMS),
    *((spoil, "(MaxPool)") for spoil in POOLS),
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
    """Five times the nodes, at most ten times as long: measured 5.0 to 5.4."""
    small, large = (_seconds(_long(nodes)) for nodes in (2_000, 10_000))
    assert large < 10 * small


def _long(nodes: int) -> ModelProto:
    chain = [node("Transpose", [f"v{i}"], [f"v{i + 1}"], perm=[0, 1]) for i in range(nodes)]
    return model(chain, {"v0": [1, 2]}, {f"v{nodes}": [1, 2]})


def _seconds(made: ModelProto) -> float:
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        refuse_broken(made)
        times.append(time.perf_counter() - begin)
    return min(times)


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
