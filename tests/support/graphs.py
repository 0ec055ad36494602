"""Small models to convert, and the one check that every conversion must pass."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from rewriter import RewriteResult, rewrite, validate

Array = NDArray[Any]
Dims = Sequence[int | str | None]

ROOT = Path(__file__).parents[2]
COMMITTED = {path.stem: path for path in sorted((ROOT / "models").glob("*.onnx")) if "." not in path.stem}
KINDS = {path.stem: path for path in sorted((ROOT / "models" / "kinds").glob("*.onnx"))}
LIGHT = {path.stem: path for path in sorted(Path(onnx.__file__).parent.glob("backend/test/data/light/*.onnx"))}
DIRECTIONS = (("nhwc", "function"), ("nhwc", "onnx"), ("nchw", "onnx"))
FLOAT, FLOAT16, INT64, BOOL = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.BOOL


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], name: Any = None, **attrs: Any) -> NodeProto:
    """As `onnx.helper.make_node`; ``domain`` is one of ``attrs``."""
    return helper.make_node(op, inputs, outputs, name, **attrs)


def random(*shape: int, dtype: type = np.float32) -> Array:
    """Numbers that depend on the shape alone."""
    return np.asarray(np.random.default_rng(shape).standard_normal(shape), dtype=dtype)


def ints(*values: int) -> Array:
    return np.asarray(values, dtype=np.int64)


def value(name: str, dims: Dims | None, dtype: int = FLOAT) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, dims)


def graph(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, Dims] | Sequence[ValueInfoProto],
    outputs: Mapping[str, Dims | None] | Sequence[ValueInfoProto],
    constants: Mapping[str, Array] | None = None,
) -> GraphProto:
    ins, outs = (
        [value(*item) for item in side.items()] if isinstance(side, Mapping) else list(side)
        for side in (inputs, outputs)
    )
    held = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    return helper.make_graph(list(nodes), "net", ins, outs, held)


def model(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, Dims] | Sequence[ValueInfoProto],
    outputs: Mapping[str, Dims | None] | Sequence[ValueInfoProto],
    constants: Mapping[str, Array] | None = None,
    *,
    opset: int = 17,
    ir: int = 8,
    domains: Sequence[str] = (),
    functions: Sequence[FunctionProto] = (),
) -> ModelProto:
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    body = graph(nodes, inputs, outputs, constants)
    return helper.make_model(body, opset_imports=opsets, functions=list(functions), ir_version=ir)


def conv(x: str = "x", y: str = "c", w: str = "w", **attrs: Any) -> NodeProto:
    """A Conv whose 3x3 kernel keeps H and W."""
    return node("Conv", [x, w], [y], **{"pads": [1, 1, 1, 1], **attrs})


def converted(original: ModelProto | Path, to: str, dialect: str, **options: Any) -> RewriteResult:
    """The rewrite, proven: valid ONNX, the same numbers (from random inputs, if none are named), the original
    untouched."""
    result = proven(onnx.load(original) if isinstance(original, Path) else original, to, dialect, **options)
    onnx.checker.check_model(result.model, full_check=True)
    return result


def proven(
    original: ModelProto, to: str, dialect: str, inputs: Mapping[str, Array] | None = None, **options: Any
) -> RewriteResult:
    before = original.SerializeToString(deterministic=True)
    result = rewrite(original, to, dialect=dialect, **options)
    assert original.SerializeToString(deterministic=True) == before
    verdict = validate(original, result.model, layouts=result.layouts, runs=1, providers=["cpu"], inputs=inputs)
    assert verdict.ok, verdict.providers[0].reason
    return result


def count(a_model: ModelProto, op: str = "Transpose") -> int:
    """Nodes of the main graph."""
    return sum(n.op_type == op for n in a_model.graph.node)


def op_types(a_model: ModelProto) -> list[str]:
    return [n.op_type for n in a_model.graph.node]


def weights(a_model: ModelProto) -> dict[str, Array]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in a_model.graph.initializer}


def dims(values: Sequence[ValueInfoProto]) -> dict[str, list[int | str | None]]:
    """Declared shapes by name."""
    return {
        v.name: [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in v.type.tensor_type.shape.dim]
        for v in values
    }
