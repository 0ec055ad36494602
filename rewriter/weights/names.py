"""What tensors are called in the file: as their module has them, also where the exporter calls them otherwise.

tf2onnx: ``sequential_1/c1_1/convolution/ReadVariableOp:0`` is ``c1/kernel``; PyTorch's exporter with ``dynamo=False``:
``onnx::Conv_25`` of the node ``/layer1/layer1.0/conv1/Conv`` is ``layer1.0.conv1.weight``.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile

from rewriter.errors import UsageError
from rewriter.weights.framework import Framework
from rewriter.weights.manifest import Export, LayerEntry, Manifest

TRACED = "_1"  # what tf2onnx's tracing of a Keras 3 model puts behind every name


def module_names(manifest: Manifest, framework: Framework) -> dict[str, str]:
    """New names, by name, of the parameters whose names are the exporter's; as they are where two would be one."""
    if not framework.separator:
        return {}
    found = {name: module_of(manifest, name) for name in manifest.layers}
    paths = [path for path in found.values() if path and "/" in path]
    traced = all(part.endswith(TRACED) for path in paths for part in path.split("/"))
    names: dict[str, str] = {}
    for name, path in found.items():
        if path is None:
            continue
        parts = path.split("/")[1:] if "/" in path else path.split(".")
        parts = [part.removesuffix(TRACED) for part in parts] if "/" in path and traced else parts
        for parameter, tensor in manifest.layers[name].parameters.items():
            names.setdefault(tensor, framework.separator.join([*parts, parameter]))
    counts = Counter(names.get(name, name) for name in manifest.tensors)
    return {name: new for name, new in names.items() if counts[new] == 1}


def module_of(manifest: Manifest, name: str) -> str | None:
    """The path of a layer's module, of tf2onnx with the model's name before it; ``None`` if its names are its own."""
    layer = manifest.layers[name]
    if not layer.parameters:
        return None
    source = manifest.tensors[next(iter(layer.parameters.values()))].source
    if source.startswith("onnx::"):
        return legacy_module(name)
    if source.startswith("const_fold") or (":" in source and "/" in source):
        return traced_module(source, name)
    return None


def legacy_module(node: str) -> str | None:
    """Of ``/layer1/layer1.0/conv1/Conv``: a part that the next one repeats with a dot behind it is no level."""
    if not node.startswith("/"):
        return None
    parts = node.split("/")[1:-1]
    following = [*parts[1:], ""]
    return ".".join(part for part, after in zip(parts, following, strict=True) if not after.startswith(f"{part}."))


def traced_module(source: str, node: str) -> str | None:
    """What the paths of a kernel and of the operator that reads it share; the kernel's own where that is nothing."""
    reader = node.split("/")[:-1]
    if "/" not in source:
        return "/".join(reader) if len(reader) > 1 and reader[-1] != "batchnorm" else None
    kernel = source.split("/")[:-1]
    shared = [a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(kernel, reader, strict=False))]
    path = shared if len(shared) > 1 else kernel[:-1]
    return "/".join(path) if len(path) > 1 else None


def own_names(manifest: Manifest, wanted: Mapping[str, str]) -> dict[str, str]:
    """New names by name: ``wanted`` has names of tensors, or paths of modules, of which the longest counts.

    Raises UsageError on a key that is neither, and where two tensors would have one name.
    """
    names: dict[str, str] = {}
    used: set[str] = set()
    for name in manifest.tensors:
        paths = [name, *(name[: m.start()] for m in reversed(list(re.finditer("[./]", name))))]
        key = next((path for path in paths if path in wanted), None)
        if key is not None:
            names[name] = wanted[key] + name[len(key) :]
            used.add(key)
    if unused := [key for key in wanted if key not in used]:
        raise UsageError(f"names: no tensor and no module is called {', '.join(map(repr, unused))}")
    counts = Counter(names.get(name, name) for name in manifest.tensors)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise UsageError(f"names: more than one tensor would be called {', '.join(map(repr, twice))}")
    return names


def renamed(export: Export, names: Mapping[str, str]) -> Export:
    """The same under new names; ``source`` in the manifest stays what the model calls a tensor."""

    def layer(entry: LayerEntry) -> LayerEntry:
        return replace(entry, parameters={p: names.get(n, n) for p, n in entry.parameters.items()})

    manifest = export.manifest
    entries = {names.get(n, n): tensor for n, tensor in manifest.tensors.items()}
    layers = {n: layer(entry) for n, entry in manifest.layers.items()}
    tensors = {names.get(n, n): array for n, array in export.tensors.items()}
    return Export(tensors, replace(manifest, tensors=entries, layers=layers))
