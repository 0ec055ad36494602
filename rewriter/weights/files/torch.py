"""PyTorch's files: a plain dict of tensors, which ``torch.load(weights_only=True)`` reads (the extra ``torch``)."""

from pathlib import Path
from pickle import UnpicklingError

from rewriter.errors import UsageError
from rewriter.extras import needed
from rewriter.weights.files.state_dict import entries_in
from rewriter.weights.manifest.manifest import Export
from rewriter.weights.tensors.arrays import to_numpy, to_torch
from rewriter.weights.tensors.letters import Array


def write_pt(export: Export, path: Path) -> None:
    """For ``module.load_state_dict(torch.load(path))``. Raises UsageError without PyTorch, or on a type it lacks."""
    torch = needed("torch", "torch", path)
    try:
        tensors = {name: to_torch(torch, array) for name, array in export.tensors.items()}
    except TypeError as error:
        raise UsageError(f"{path}: PyTorch has no tensors of such a type ({error}): write .safetensors") from None
    torch.save(tensors, path)


def read_pt(path: Path) -> dict[str, Array]:
    """The tensors of a state dict, or of dicts in dicts by path; no code of the file is run. Raises UsageError."""
    torch = needed("torch", "torch", path)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise UsageError(
            f"{path}: it holds more than tensors, which only code of its own can read: save model.state_dict() instead"
        ) from None
    tensors = dict(entries_in(held))
    if not tensors:
        raise UsageError(f"{path}: no state dict is in it: save model.state_dict()")
    return {name: to_numpy(torch, tensor) for name, tensor in tensors.items()}
