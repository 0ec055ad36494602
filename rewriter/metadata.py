"""Entries of this tool's in a model's metadata, a text by key."""

from onnx import ModelProto, helper


def entry_of(model: ModelProto, key: str) -> str | None:
    """The text of an entry, ``None`` if there is none."""
    return next((entry.value for entry in model.metadata_props if entry.key == key), None)


def put_entry(model: ModelProto, key: str, text: str | None) -> None:
    """Write an entry, or (``None``) remove it; the others stay as they are."""
    others = {entry.key: entry.value for entry in model.metadata_props if entry.key != key}
    helper.set_model_props(model, others if text is None else {**others, key: text})
