"""Files of frameworks that are no ONNX models, by ending: what they are, and how to make an ONNX model of them."""

from pathlib import Path

TORCH_EXPORT = "torch.onnx.export(..., dynamo=True, optimize=False)"
KERAS_SAVED = "model.save('net.keras')"
BESIDE = "; python -m rewriter.weights takes this file too, as --checkpoint"

NO_MODELS: dict[str, str] = {
    **dict.fromkeys((".pt", ".pth"), f"a PyTorch file; build its module and export that with {TORCH_EXPORT}{BESIDE}"),
    **dict.fromkeys((".ckpt", ".bin"), f"a checkpoint; build its model and save that: {TORCH_EXPORT}, {KERAS_SAVED}"),
    ".weights.h5": f"weights of Keras; build their model and save that by {KERAS_SAVED}{BESIDE}",
    **dict.fromkeys((".safetensors", ".npz"), f"weights without a graph; export the model that they are of{BESIDE}"),
    ".msgpack": "weights of Flax without a graph; export the model that they are of to ONNX",
}


def how_to_export(path: Path) -> str:
    """What a file is by its ending, and how to export it; empty if the ending says nothing."""
    return next((told for ending, told in NO_MODELS.items() if path.name.lower().endswith(ending)), "")
