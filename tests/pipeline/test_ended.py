"""Models and engines that end the process, or do not end: one sentence, exit code 4, nothing written, nothing left."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from tests.support.broken_data import bombs
from tests.support.broken_nodes import net
from tests.support.command import IMAGE, NOT_VALIDATED, USAGE
from tests.support.graphs import conv, ints, model, node, random
from tests.support.program import end

INTERNAL = 4

INFER = "onnx.shape_inference.infer_shapes = lambda *_, **__: "
DEATHS = [
    (INFER + "os.abort()", (), "ended by SIGABRT in the step 'read/infer_shapes': a fault of the model"),
    (INFER + "ctypes.string_at(8)", (), "ended by SIGSEGV in the step 'read/infer_shapes'"),
    (INFER + "os._exit(0)", (), "a library has ended the process in the step 'read/infer_shapes'"),
    (INFER + "os.kill(os.getpid(), 9)", (), "killed in the step 'read/infer_shapes', as the system does"),
    (INFER + "os.write(2, b'last words') and os.abort()", (), "a library (last words)"),
    (INFER + "[*iter(int, 1)]", ("--timeout", "1"), "'read/infer_shapes' took more than 1 seconds; --timeout"),
    (INFER + "bytearray(2**31)", ("--memory", "1"), "out of memory (of this machine, or what --memory allows)"),
    ("Session._run = lambda *_: os.abort()", (), "step 'validate: the original on cpu: onnxruntime runs a model'"),
    ("os.replace = lambda *_: os.abort()", (), "in the step 'write'"),
    ("rewriter.files.writer.TWO_GIB = 0; Session._run = lambda *_: os.abort()", (), "the original on cpu"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "more", "message"), DEATHS, ids=range(len(DEATHS)))
def test_an_engine_that_ends_the_process(path: Path, plant: str, more: tuple[str, ...], message: str) -> None:
    """Its temporary folders, beside the output and for models over 2 GiB, are cleared away, too."""
    code, said = end(path, *more, plant=plant)
    assert code == INTERNAL
    assert said.count("\n") == 1
    assert said.startswith("error: ")
    assert message in said


# Models that nothing is planted in


def behind(*nodes: onnx.NodeProto, **constants: object) -> ModelProto:
    """Nodes behind a Conv; what they make is y."""
    held = {name: np.asarray(value) for name, value in constants.items()}
    return model([conv("x", "c"), *nodes], {"x": IMAGE}, {"y": None}, {"w": random(3, 3, 3, 3), **held})


def endless() -> ModelProto:
    """A Loop of 2^62 turns."""
    ends = [helper.make_tensor_value_info(*known) for known in
            (("i", TensorProto.INT64, []), ("go", TensorProto.BOOL, []), ("s", 1, IMAGE),
             ("on", TensorProto.BOOL, []), ("t", 1, IMAGE))]  # fmt: skip
    nodes = [helper.make_node("Relu", ["s"], ["t"]), helper.make_node("Identity", ["go"], ["on"])]
    loop = node("Loop", ["n", "yes", "c"], ["y"], body=helper.make_graph(nodes, "body", ends[:3], ends[3:]))
    return behind(loop, n=np.int64(2**62), yes=np.bool_(True))


def bomb() -> ModelProto:
    """24 functions, each of which calls the next one twice."""
    made = net()
    bombs(24)(made)
    return made


@pytest.mark.parametrize(
    ("make", "plant", "message"),
    [
        (endless, "", "'validate: the original on cpu: onnxruntime runs a model' took more than 2 seconds"),
        (bomb, "rewriter.pipeline.refuse_broken = lambda _: None", "took more than 2 seconds"),
    ],
)
def test_a_model_without_end(tmp_path: Path, make: Callable[[], ModelProto], plant: str, message: str) -> None:
    """One is refused before it hangs, but for others like it that nobody has thought of."""
    onnx.save(make(), tmp_path / "net.onnx")
    code, said = end(tmp_path / "net.onnx", "--timeout", "2", plant=plant)
    assert code == INTERNAL
    assert said.count("\n") == 1
    assert message in said


SKY = [
    lambda n: behind(node("ConstantOfShape", ["n"], ["k"]), node("Add", ["c", "k"], ["y"]), n=ints(1, 1, n, 1)),
    lambda n: behind(node("ReduceMax", ["c"], ["m"], keepdims=0), node("Expand", ["m", "n"], ["y"]), n=ints(n)),
    lambda n: behind(node("Tile", ["c", "n"], ["y"]), n=ints(1, 1, 1, n)),
    lambda n: behind(node("Resize", ["c", "", "s"], ["y"], mode="nearest"), s=np.array([1, 1, n, 1], np.float32)),
    lambda n: behind(node("Pad", ["c", "n"], ["y"]), n=ints(0, 0, 0, 0, 0, 0, 0, n)),
]


@pytest.mark.parametrize("size", [2**32, 2**40, 2**62])
@pytest.mark.parametrize("make", SKY)
def test_an_allocation_of_the_sky(tmp_path: Path, make: Callable[[int], ModelProto], size: int) -> None:
    onnx.save(make(size), tmp_path / "net.onnx")
    code, said = end(tmp_path / "net.onnx", "--memory", "2")
    assert code in (USAGE, NOT_VALIDATED, INTERNAL)
    assert said.count("\n") == 1
    assert said.startswith("error: ")
