"""Files of frameworks that are no ONNX models, by ending: what they are, and how to make an ONNX model of them."""

from pathlib import Path

TORCH_EXPORT = "torch.onnx.export(..., dynamo=True, optimize=False)"
KERAS_EXPORT = "tf2onnx.convert.from_keras(model, output_path='model.onnx')"
TF2ONNX = "python -m tf2onnx.convert --output model.onnx"
BESIDE = "; python -m rewriter.weights takes this file too, as --checkpoint"

NO_MODELS: dict[str, str] = {
    **dict.fromkeys((".pt", ".pth"), f"a PyTorch file; build its module and export that with {TORCH_EXPORT}{BESIDE}"),
    ".pt2": f"a program of torch.export; load it and export its module() with {TORCH_EXPORT}",
    **dict.fromkeys(
        (".ckpt", ".bin"), f"a checkpoint; build its model and export that: {TORCH_EXPORT}, {KERAS_EXPORT}"
    ),
    ".weights.h5": f"weights of Keras; build their model and export that with {KERAS_EXPORT}{BESIDE}",
    **dict.fromkeys((".keras", ".h5"), f"a Keras model; load it and export it with {KERAS_EXPORT}"),
    ".pb": f"a TensorFlow graph; convert it with {TF2ONNX} --graphdef FILE --inputs x:0 --outputs y:0, "
    "or the folder of a SavedModel with --saved-model",
    ".tflite": f"a TFLite model; convert it with {TF2ONNX} --tflite FILE",
    **dict.fromkeys((".safetensors", ".npz"), f"weights without a graph; export the model that they are of{BESIDE}"),
    ".msgpack": "weights of Flax without a graph; export the model that they are of to ONNX",
}


def how_to_export(path: Path) -> str:
    """What a file is by its ending, and how to export it; empty if the ending says nothing."""
    return next((told for ending, told in NO_MODELS.items() if path.name.lower().endswith(ending)), "")
