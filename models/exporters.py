"""From a net of the catalogs to an ONNX model, by the exporter that it names, and the net as a function of arrays."""

from __future__ import annotations

import importlib
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from net import Net

Arrays = list[np.ndarray]
Forward = Callable[..., Arrays]


def samples(net: Net, shapes: Mapping[str, Sequence[int]], seed: int) -> Arrays:
    """Random inputs of the given shapes for the net, in their order."""
    return [sample(net, shape, seed + 10 * place) for place, shape in enumerate(shapes.values())]


def sample(net: Net, shape: Sequence[int], seed: int) -> np.ndarray:
    """A random input of the given shape for the net."""
    rng = np.random.default_rng(seed)
    if np.dtype(net.dtype).kind != "f":
        limits = np.iinfo(net.dtype)
        return rng.integers(limits.min, limits.max, shape, dtype=net.dtype, endpoint=True)
    return rng.normal(0, net.deviation, shape).astype(net.dtype)


def export_torch(net: Net) -> tuple[onnx.ModelProto, Forward]:
    """Build and export with torch: the ONNX model, and the net as a function of arrays."""
    import torch

    nets = importlib.import_module(net.module or "torch_nets")
    torch.manual_seed(0)
    module = nets.randomise(net.build(nets), *map(torch.from_numpy, samples(net, net.measured, seed=1)))
    inputs = tuple(map(torch.from_numpy, samples(net, net.shapes, seed=0)))
    names: dict[str, Any] = {
        "input_names": [*net.shapes],
        "output_names": [*net.outputs],
        "opset_version": net.opset,
    }
    export = _dynamo if net.exporter == "dynamo" else _legacy

    def forward(*arrays: np.ndarray) -> Arrays:
        with torch.no_grad():
            results = module(*map(torch.from_numpy, arrays))
        return [result.numpy() for result in ([results] if isinstance(results, torch.Tensor) else results)]

    return export(net, module, inputs, names), forward


def _dynamo(net: Net, module: Any, inputs: tuple[Any, ...], names: dict[str, Any]) -> onnx.ModelProto:
    """Export with torch.export, torch's default. Open axes of size 1 are allowed."""
    import torch

    dims = {axis: torch.export.Dim(name, min=1) for axis, name in net.dynamic.items()}
    shapes = (dims, *({} for _ in net.more))
    program = torch.onnx.export(
        module, inputs, dynamo=True, dynamic_shapes=shapes, optimize=net.fold, verbose=False, **names
    )
    assert program is not None
    return program.model_proto


def _legacy(net: Net, module: Any, inputs: tuple[Any, ...], names: dict[str, Any]) -> onnx.ModelProto:
    """Export with TorchScript, which folds batch normalisations unless told to preserve the net's mode."""
    import torch

    results = module(*inputs)
    axes = {"input": net.dynamic}
    for name, result in zip(net.outputs, [results] if isinstance(results, torch.Tensor) else results, strict=True):
        axes[name] = {axis: dim for axis, dim in net.dynamic.items() if axis < result.dim()}
    mode = torch.onnx.TrainingMode.EVAL if net.fold else torch.onnx.TrainingMode.PRESERVE
    file: Any = io.BytesIO()
    torch.onnx.export(
        module, inputs, file, dynamo=False, dynamic_axes=axes, training=mode, do_constant_folding=net.fold, **names
    )
    return onnx.load_from_string(file.getvalue())


def export_keras(net: Net) -> tuple[onnx.ModelProto, Forward]:
    """Build and export with Keras and tf2onnx: the ONNX model, and the net as a function of arrays."""
    import tensorflow as tf
    import tf2onnx

    model = keras_model(net)
    spec = [None if axis in net.dynamic else d for axis, d in enumerate(net.shape)]

    @tf.function(input_signature=[tf.TensorSpec(spec, net.dtype, name="input")])
    def infer(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"output": model(x, training=False)}

    exported, _ = tf2onnx.convert.from_function(infer, infer.input_signature, opset=net.opset)
    return exported, lambda array: [model(array, training=False).numpy()]


def export_tflite(net: Net) -> tuple[onnx.ModelProto, Forward]:
    """Build with Keras, quantise to int8 with TFLite and export with tf2onnx; the function is TFLite's."""
    import tensorflow as tf
    import tf2onnx

    converter = tf.lite.TFLiteConverter.from_keras_model(keras_model(net))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample(net, net.shape, seed)] for seed in range(8))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    flat = converter.convert()
    interpreter = tf.lite.Interpreter(model_content=flat)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def forward(array: np.ndarray) -> Arrays:
        interpreter.set_tensor(source["index"], array)
        interpreter.invoke()
        return [interpreter.get_tensor(target["index"])]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{net.name}.tflite")  # its name ends up in the model
        path.write_bytes(flat)
        exported, _ = tf2onnx.convert.from_tflite(str(path), opset=net.opset)
    _rename(exported, {exported.graph.input[0].name: "input", exported.graph.output[0].name: "output"})
    return exported, forward


def keras_model(net: Net) -> Any:
    """The net's Keras model, with random weights."""
    import keras
    import tf2onnx

    keras.utils.set_random_seed(0)
    # tf2onnx keeps nodes in sets: by their addresses, every process would take them in another order.
    tf2onnx.graph.Node.__hash__ = lambda node: hash(node.name)
    nets = importlib.import_module(net.module or "keras_nets")
    shape = tuple(None if axis in net.dynamic else d for axis, d in enumerate(net.shape))
    return nets.randomise(net.build(nets, shape[1:]), *samples(net, net.measured, seed=1), net.bias)


def _rename(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Give inputs and outputs other names."""
    for value in (*model.graph.input, *model.graph.output):
        value.name = names[value.name]
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]


def export_script(net: Net) -> tuple[onnx.ModelProto, Forward]:
    """A model written in onnxscript; the function is onnx's reference evaluator."""
    from onnx.reference import ReferenceEvaluator

    model = net.build(importlib.import_module(net.module))
    return model, lambda *arrays: ReferenceEvaluator(model).run(None, dict(zip(net.shapes, arrays, strict=True)))


def quantised(model: onnx.ModelProto, net: Net) -> onnx.ModelProto:
    """The model, quantised by onnxruntime as the net says, from eight random inputs."""
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(q.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [dict(zip(net.shapes, samples(net, net.shapes, seed), strict=True)) for seed in range(8)]

        def get_next(self) -> dict[str, np.ndarray] | None:
            return self.left.pop() if self.left else None

    with tempfile.TemporaryDirectory() as folder:
        before, ready, after = (str(Path(folder, f"{stage}.onnx")) for stage in ("before", "ready", "after"))
        onnx.save(model, before)
        quant_pre_process(before, ready, skip_symbolic_shape=True)
        if net.quantise == "dynamic":
            q.quantize_dynamic(ready, after, weight_type=q.QuantType.QUInt8)
        else:
            form = q.QuantFormat.QDQ if net.quantise == "qdq" else q.QuantFormat.QOperator
            q.quantize_static(ready, after, Reader(), quant_format=form, per_channel=net.quantise == "qdq")
        return onnx.load(after)


EXPORTERS = {
    "dynamo": export_torch,
    "legacy": export_torch,
    "tf2onnx": export_keras,
    "tflite": export_tflite,
    "onnxscript": export_script,
}
