"""What tensors are called in the file: as their module has them, also where the exporter calls them otherwise.

tf2onnx: ``sequential_1/c1_1/convolution/ReadVariableOp:0`` is ``c1/kernel``; PyTorch's exporter with ``dynamo=False``:
``onnx::Conv_25`` of the node ``/layer1/layer1.0/conv1/Conv`` is ``layer1.0.conv1.weight``.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import takewhile

import onnx_graphsurgeon as gs

from rewriter.errors import UsageError
from rewriter.weights.coercion import shown
from rewriter.weights.framework import Framework
from rewriter.weights.frameworks.pytorch import PyTorch
from rewriter.weights.layers.trace import name_of
from rewriter.weights.manifest.manifest import Export, LayerEntry, Manifest

TRACED = re.compile(r"_\d+$")  # what tracing a Keras 3 model puts behind the names of models and layers
RECURRENT = re.compile(r"(?P<module>.*\.)?weight_ih_l(?P<layer>\d+)(_reverse)?")  # of torch.nn.LSTM and GRU
PARAMETRISED = re.compile(r"parametrizations\.(?P<new>\w+)\.original\d$|(?P<old>\w+)_[gv]$")
LEGACY = "onnx::"  # PyTorch's exporter with dynamo=False, for what it computed
NORM = "batchnorm"  # where tf2onnx folded a normalisation into a layer, paths are the normalisation's


def module_names(manifest: Manifest, framework: Framework) -> dict[str, str]:
    """New names, by name, of the parameters whose names are the exporter's; as they are where two would be one."""
    names: dict[str, str] = {}
    for layer, entry in manifest.layers.items() if framework.separator else ():
        for tensor, name in parameter_names(manifest, framework, layer, entry):
            names.setdefault(tensor, name)
    counts = Counter(names.get(name, name) for name in manifest.tensors)
    return {name: new for name, new in names.items() if counts[new] == 1}


def parameter_names(
    manifest: Manifest, framework: Framework, layer: str, entry: LayerEntry
) -> Iterator[tuple[str, str]]:
    """Tensors of a layer and their new names: PyTorch's where others beside them have these."""
    sources = [manifest.tensors[tensor].source for tensor in entry.parameters.values()]
    if not sources or (path := module_of(layer, sources)) is None:
        return
    is_legacy = sources[0].startswith(LEGACY)
    for source, (parameter, tensor) in zip(sources, entry.parameters.items(), strict=True):
        if not is_legacy:
            yield tensor, framework.separator.join([*path, parameter])
        elif source.startswith(LEGACY):
            place = framework.parameters[entry.kind].index(parameter)
            yield tensor, ".".join([*path, PyTorch.parameters[entry.kind][place]])


def module_of(layer: str, sources: list[str]) -> list[str] | None:
    """The path of a layer's module; ``None`` if its parameters have names of their own, or it is not known."""
    if sources[0].startswith(LEGACY):
        return legacy_module(layer)
    if not sources[0].startswith("const_fold") and not (":" in sources[0] and "/" in sources[0]):
        return None
    paths = [path.split("/")[:-1] for path in (sources[0], layer, *sources[1:])]
    found = (traced_module(path) for path in paths if NORM not in path)
    return next(filter(None, found), None) or (shared_module(*paths[:2]) if NORM not in paths[1] else None)


def legacy_module(node: str) -> list[str] | None:
    """Of ``/layer1/layer1.0/conv1/Conv``: a part that the next one repeats with a dot behind it is no level."""
    parts = node.split("/")[1:-1]
    if not node.startswith("/") or not parts:
        return None
    following = [*parts[1:], ""]
    return [part for part, after in zip(parts, following, strict=True) if not after.startswith(f"{part}.")]


def traced_module(path: list[str]) -> list[str]:
    """Of ``sequential_1/c1_1/convolution``: the layer's parts, behind the model's, are numbered; operators are not."""
    return [TRACED.sub("", part) for part in list(takewhile(TRACED.search, path))[1:]]


def shared_module(kernel: list[str], reader: list[str]) -> list[str]:
    """Without numbers: what the paths of a kernel and of the operator that reads it share behind the model's name."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(kernel, reader, strict=False))
    return [part for part, _ in pairs][1:]


def recurrent_module(node: gs.Node, sources: Iterable[str]) -> tuple[str, int]:
    """The module of an LSTM or GRU, and the number of the layer in it; ``sources``: constants that W is made of.

    PyTorch's parameters say both; tf2onnx has the module in the names of the operators around.
    """
    found = filter(None, map(RECURRENT.fullmatch, sources))
    if (match := next(found, None)) is not None:
        return (match["module"] or "").rstrip("."), int(match["layer"])
    paths = [str(made.name).split("/")[:-1] for made in (node, *node.inputs[0].inputs)]
    traced = next(filter(None, map(traced_module, paths)), None)
    return "/".join(traced or [name_of(node)]), 0


def parametrised(sources: Iterable[str]) -> str:
    """The name of the parameter that PyTorch computes of these by a weight norm, in either spelling; else empty."""
    names = {PARAMETRISED.sub(lambda m: m["new"] or m["old"], name) for name in sources}
    return names.pop() if len(names) == 1 else ""


def own_names(manifest: Manifest, wanted: Mapping[str, str]) -> dict[str, str]:
    """New names by name: ``wanted`` has names of tensors, or paths of modules, of which the longest counts.

    Raises UsageError on a key that is neither, and where two tensors would have one name.
    """
    if not isinstance(wanted, Mapping) or not all(isinstance(name, str) for name in (*wanted, *wanted.values())):
        raise UsageError(f"names is {shown(wanted)}: give new names by names, as {{'0.weight': 'conv1.weight'}}")
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
