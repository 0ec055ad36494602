"""Flax's variables, nested by module, and its files of them (the extra ``flax``)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewriter.errors import UsageError
from rewriter.extras import needed
from rewriter.weights.manifest.manifest import Export
from rewriter.weights.tensors.letters import Array

Tree = dict[str, Any]


def write_msgpack(export: Export, path: Path) -> None:
    """For ``flax.serialization.msgpack_restore`` and ``from_bytes``. Raises UsageError without Flax."""
    path.write_bytes(needed("flax.serialization", "flax", path).msgpack_serialize(tree_of(export)))


def write_orbax(export: Export, path: Path) -> None:
    """For ``orbax.checkpoint.StandardCheckpointer``, which writes a folder. Raises UsageError without Orbax."""
    with needed("orbax.checkpoint", "flax", path).StandardCheckpointer() as checkpointer:
        checkpointer.save(path.absolute(), tree_of(export))


def tree_of(export: Export) -> Tree:
    """The variables of an export."""
    return nested(export.tensors, export.manifest.to_json()["tensors"])


def nested(tensors: Mapping[str, Array], entries: Mapping[str, Any]) -> Tree:
    """Arrays by collection, module and parameter. Raises UsageError where one path goes through another."""
    tree: Tree = {}
    for name, array in tensors.items():
        path = path_of(name, entries[name])
        place = tree
        for part in path[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise UsageError(f"{name!r} is below another array, {part!r}: give it a name with --names")
        if path[-1] in place:
            raise UsageError(f"{name!r} has the path {'/'.join(path)} of another tensor: give it a name with --names")
        place[path[-1]] = array
    return tree


def path_of(name: str, entry: Mapping[str, Any]) -> list[str]:
    """A parameter's collection, its layer's module and its name there; else the parts of its own name."""
    parts = re.split("[./]", name)
    if "parameter" not in entry:
        return ["params", *parts]
    own = entry["parameter"].split(".")  # a cell's have the Dense in front
    return [entry["collection"], *(parts[: -len(own)] or [entry["layer"]]), *own]
