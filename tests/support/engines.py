"""Models run: by onnxruntime, without and with its optimiser, and by onnx's own evaluator."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime as ort
from onnx import ModelProto
from onnx.inliner import inline_local_functions
from onnx.reference import ReferenceEvaluator

from rewriter.validation.session import Session, dtype_of

Feeds = Mapping[str, Any]
Engine = Callable[[ModelProto, Feeds], list[Any]]
Level = Literal["disabled", "basic", "extended", "default"]

LEVELS: dict[Level, Any] = {
    "disabled": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "default": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
ort.set_default_logger_severity(4)  # errors come as exceptions, which say the same


def session(model: ModelProto, level: Level = "disabled", **options: Any) -> Any:
    """A session of onnxruntime on one thread of the CPU; ``options`` as in its SessionOptions."""
    every = {"graph_optimization_level": LEVELS[level], "intra_op_num_threads": 1, "log_severity_level": 4, **options}
    settings = ort.SessionOptions()
    for name, setting in every.items():
        setattr(settings, name, setting)
    return ort.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])


def disabled(model: ModelProto, feeds: Feeds) -> list[Any]:
    """The results in onnxruntime as the model stands."""
    return _run(model, feeds, "disabled")


def default(model: ModelProto, feeds: Feeds) -> list[Any]:
    """The results in onnxruntime, optimised as by default."""
    return _run(model, feeds, "default")


def reference(model: ModelProto, feeds: Feeds) -> list[Any]:
    """onnx's own evaluator, which fails where a function refers to an attribute that its call has not.

    A GroupNormalization in a function is inlined: it wants to know types.
    """
    inside = {node.op_type for function in model.functions for node in function.node}
    known = inline_local_functions(model) if "GroupNormalization" in inside else model
    with np.errstate(all="ignore"):
        return list(ReferenceEvaluator(known).run(None, dict(feeds)))


def by_name(model: ModelProto, feeds: Feeds) -> dict[str, Any]:
    """What `disabled` gives, by the names of the outputs."""
    return dict(zip((value.name for value in model.graph.output), disabled(model, feeds), strict=True))


def optimised(model: ModelProto, level: Level) -> ModelProto:
    """The model as onnxruntime runs it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        session(model, level, optimized_model_filepath=str(path))
        return onnx.load(path)


def _run(model: ModelProto, feeds: Feeds, level: Literal["disabled", "default"]) -> list[Any]:
    plain = session(model, level)
    if any(_is_foreign(value.type) for value in (*plain.get_inputs(), *plain.get_outputs())):
        return Session(model.SerializeToString(), "cpu", level).run(dict(feeds))
    return list(plain.run(None, {name: _in_memory(value) for name, value in feeds.items()}))


def _is_foreign(ort_type: str) -> bool:
    """Whether numpy itself lacks the type, as it does bfloat16."""
    dtype = dtype_of(ort_type)
    return dtype is not None and dtype.isbuiltin == 2


def _in_memory(value: Any) -> Any:
    return np.asarray(value, order="C") if isinstance(value, np.ndarray) else value
