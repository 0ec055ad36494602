"""Runtimes that run here, whose prices are measured: how long a model takes in each, on one thread."""

import time
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import onnx
import onnxruntime as ort
from onnx import ModelProto

from tests.support import engines

Feeds = Mapping[str, np.ndarray]


class Loaded(Protocol):
    """A model in a runtime, on one thread."""

    def get_inputs(self) -> list[Any]:
        """Its inputs, each with ``name`` and ``shape``."""

    def run(self, feeds: Feeds) -> list[np.ndarray]:
        """Its outputs."""

    def seconds(self, feeds: Feeds) -> float:
        """What one inference takes."""


class InOnnxRuntime:
    """A model as onnxruntime runs it by default."""

    def __init__(self, model: ModelProto) -> None:
        self._session = engines.session(model, "default")

    def get_inputs(self) -> list[Any]:
        return list(self._session.get_inputs())

    def run(self, feeds: Feeds) -> list[np.ndarray]:
        return list(self._session.run(None, feeds))

    def seconds(self, feeds: Feeds) -> float:
        return thread_seconds(self.run, feeds)


class Input(NamedTuple):
    name: str
    shape: list[int | str]


class InOpenVino:
    """A model as OpenVINO's CPU plugin runs it, in float32."""

    def __init__(self, model: ModelProto, counts: bool = False) -> None:
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERF_COUNT": counts}
        core = openvino().Core()
        self._request = core.compile_model(core.read_model(model.SerializeToString()), "CPU", settings)
        self._request = self._request.create_infer_request()
        constants = {constant.name for constant in model.graph.initializer}
        self._inputs = [value for value in model.graph.input if value.name not in constants]

    def get_inputs(self) -> list[Input]:
        shapes = [value.type.tensor_type.shape.dim for value in self._inputs]
        return [
            Input(value.name, [dim.dim_param or dim.dim_value for dim in dims])
            for value, dims in zip(self._inputs, shapes, strict=True)
        ]

    def run(self, feeds: Feeds) -> list[np.ndarray]:
        found = self._request.infer([feeds[value.name] for value in self._inputs], share_inputs=True)
        return [np.asarray(found[i]) for i in range(len(found))]

    def seconds(self, feeds: Feeds) -> float:
        return thread_seconds(self.run, feeds)


class OperatorsOfOpenVino(InOpenVino):
    """The same, timed by the plugin's own counters, without its reorders: where operators follow one another, these do
    not come between, and what goes into a model and comes out is not copied."""

    def __init__(self, model: ModelProto) -> None:
        super().__init__(model, counts=True)

    def seconds(self, feeds: Feeds) -> float:
        self.run(feeds)
        nodes = self._request.profiling_info
        taken: float = sum(one.real_time.total_seconds() for one in nodes if one.node_type != "Reorder")
        return max(taken, LEAST_COUNT)


LEAST_COUNT = 1e-6  # seconds, which OpenVINO counts in whole microseconds


class Engine(NamedTuple):
    """A runtime: what it is, how nets and operators are timed in it, and what its table says that is not timed.

    ``changes``: how changes of layout are written in files for it; ``einsum``: the Transposes that an element takes
    inside of an Einsum; ``half``: what one of float16 costs besides, and why; ``bias``: whether one is fused into a
    product with a constant on its right, and only so; ``seen``: what is seen otherwise of operators than in others;
    ``dearest``: prices that tell no size from another, so that the dearest holds; ``cleaned``: a model as the runtime
    leaves it before it chooses kernels, in standard operators.
    """

    about: str
    clock: str  # of operators
    nets: Callable[[ModelProto], Loaded]
    operators: Callable[[ModelProto], Loaded]
    facts: Mapping[str, Any]
    changes: tuple[str, ...]
    einsum: float
    half: tuple[float, str]
    bias: bool = False
    seen: Mapping[str, str] = {}
    dearest: Collection[str] = ()
    cleaned: Callable[[ModelProto], ModelProto] = lambda model: model


def in_onnxruntime() -> Engine:
    about = f"onnx {onnx.__version__}, onnxruntime {ort.__version__}, CPU provider"
    facts = {"dialect": "onnxruntime", "undoes": True, "tie": 0.01, "blocked": ["Conv"], "folds": ["MatMul", "Gemm"]}
    half = 2.0, "it is computed as float32, between two Casts"
    return Engine(
        about,
        "processor time",
        InOnnxRuntime,
        InOnnxRuntime,
        facts,
        changes=("Transpose", "Einsum"),
        einsum=2.0,
        half=half,
        cleaned=lambda model: engines.optimised(model, "basic"),
    )


def in_openvino() -> Engine:
    about = f"onnx {onnx.__version__}, openvino {openvino().__version__.split('-')[0]}, CPU plugin"
    facts = {"dialect": "onnx", "tie": 0.01}
    half = 1.0, "a guess: all is float32 inside"
    return Engine(
        about,
        "the plugin's counters without its reorders",
        InOpenVino,
        OperatorsOfOpenVino,
        facts,
        changes=("Transpose",),
        einsum=1.0,
        half=half,
        bias=True,
        seen={"resized": "resized_positions"},  # the plugin stores images channels last around its Convs
        dearest=["cubic_last"],
    )


ENGINES: Mapping[str, Callable[[], Engine]] = {"onnxruntime": in_onnxruntime, "openvino": in_openvino}


@cache
def openvino() -> Any:
    """The package, which only its own environment has (`make prices-openvino`)."""
    import openvino

    return openvino


def thread_seconds(run: Callable[[Feeds], object], feeds: Feeds) -> float:
    """Processor time of this thread."""
    start = time.thread_time()
    run(feeds)
    return time.thread_time() - start
