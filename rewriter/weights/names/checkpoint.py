"""Names and values from a checkpoint, layouts from the graph: what an exporter folded or renamed does no harm.

The graph's export in the checkpoint's own layout says what each of its arrays is of; undone, it is the constant as the
graph would have it, and the target's transform makes of that what the target has.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from passes.layout.layout import natural
from rewriter.errors import UsageError
from rewriter.weights.files.checkpoint import Checkpoint
from rewriter.weights.files.state_dict import own_names_in
from rewriter.weights.framework import Framework
from rewriter.weights.frameworks.pytorch import PyTorch
from rewriter.weights.manifest.manifest import Export, LayerEntry, Manifest, Tensor, parts_of
from rewriter.weights.manifest.notes import some
from rewriter.weights.names.names import TRACED
from rewriter.weights.names.pairing import MOST, Pairing, modules_of, same_shape
from rewriter.weights.tensors.letters import Array
from rewriter.weights.tensors.transform import TensorTransform

COUNTER = "num_batches_tracked"  # of PyTorch's BatchNorm


def with_checkpoint(own: Export, wanted: Export, saved: Checkpoint, framework: Framework) -> Export:
    """``wanted``, the graph's export for ``framework``, with the checkpoint's names and values.

    ``own``: the graph's export in the checkpoint's layout. Raises UsageError where it is not clear what is what.
    """
    try:
        names = own_names_in(saved.arrays, own.manifest.tensors, nested=isinstance(saved.framework, PyTorch))
        arrays = {names[key]: array for key, array in saved.arrays.items() if key in names}
        export = _Filled(own, wanted, replace(saved, arrays=arrays), framework).run()
    except UsageError as error:
        raise UsageError(f"{saved.name}: {error}") from None
    if others := [key for key in saved.arrays if key not in names]:
        export.manifest.notes.append(f"left out, for it is beside the weights of this model: {some(others)}")
    return export


class _Filled:
    """An export that is made of another's layers and a checkpoint's arrays."""

    def __init__(self, own: Export, wanted: Export, saved: Checkpoint, framework: Framework) -> None:
        self.own, self.wanted, self.saved, self.framework = own, wanted, saved, framework
        self.stays = framework == saved.framework  # what is the checkpoint's is then the target's as it is
        self.keys: dict[str, str] = {}  # of the checkpoint, by the name of a tensor of ``own``
        self.left_out: set[str] = set()
        self.tensors: dict[str, Array] = {}
        self.manifest: Manifest = replace(wanted.manifest, tensors={}, layers={}, notes=[*wanted.manifest.notes])

    def run(self) -> Export:
        self._layers()
        self._others()
        self._fill()
        self._rest()
        return Export(self.tensors, self.manifest)

    def _layers(self) -> None:
        """Parameters of one layer are of one module: what that has not is not taken from the graph."""
        names = {parts_of(key): key for key in self.saved.arrays}
        modules = Pairing(self.own, modules_of(self.saved.arrays)).layers()
        for layer, module in modules.items():
            for parameter, tensor in self.own.manifest.layers[layer].parameters.items():
                if (module, parameter) in names:
                    self.keys[tensor] = names[module, parameter]
                else:
                    self.left_out.add(tensor)

    def _others(self) -> None:
        """Constants of no layer, by name or value; there must be nothing else that they may be."""
        for name, tensor in self.own.manifest.tensors.items():
            if tensor.layer is not None:
                continue
            array = self.own.tensors[name]
            free = [key for key in self.saved.arrays if key not in self.keys.values()]
            fitting = [key for key in free if same_shape(array, self.saved.arrays[key])]
            equal = [key for key in fitting if np.array_equal(array.ravel(), self.saved.arrays[key].ravel())]
            found = [key for key in fitting if key == name] or equal
            if len(found) == 1:
                self.keys[name] = found[0]
            elif self.stays or self._is_made_of_modules(tensor):
                self.left_out.add(name)
            elif fitting:
                raise UsageError(
                    f"the graph's {name!r} may be {', '.join(map(repr, fitting[:MOST]))}, or none of these"
                )
            else:
                self.manifest.notes.append(f"{name!r} is not in the checkpoint: it is the graph's")

    def _is_made_of_modules(self, tensor: Tensor) -> bool:
        """Whether tf2onnx computed a constant of parameters of a module, by its path: that of a normalisation."""
        names = {parts_of(key)[0].rpartition("/")[2] for key in self.saved.arrays if "/" in key}
        parts = f"{tensor.source}/{tensor.node}".split("/")
        return not names.isdisjoint(TRACED.sub("", part) for part in parts)

    def _fill(self) -> None:
        """The tensors of the target, in their order."""
        twins = dict(self._twins())
        names: dict[str, str] = {}
        for name, tensor in self.wanted.manifest.tensors.items():
            twin = twins[name]
            if twin in self.left_out:
                self.manifest.notes.append(f"{tensor.source!r} of the graph is left out: the checkpoint has none such")
                continue
            key = self.keys.get(twin)
            array = self.wanted.tensors[name] if key is None else self._value(key, twin, tensor)
            names[name] = self._add(name if key is None else self._named(key, tensor.parameter), tensor, array)
        for layer, entry in self.wanted.manifest.layers.items():
            held = {p: names[tensor] for p, tensor in entry.parameters.items() if tensor in names}
            self.manifest.layers[layer] = replace(entry, parameters=held)

    def _twins(self) -> Iterator[tuple[str, str]]:
        """By the target's names, those of ``own``, of the same constants."""
        ours, theirs = self.own.manifest, self.wanted.manifest
        for layer, entry in theirs.layers.items():
            yield from zip(entry.parameters.values(), ours.layers[layer].parameters.values(), strict=True)
        free = {(t.source, t.node): name for name, t in ours.tensors.items() if t.layer is None}
        yield from ((name, free[t.source, t.node]) for name, t in theirs.tensors.items() if t.layer is None)

    def _value(self, key: str, twin: str, tensor: Tensor) -> Array:
        change = self.own.manifest.tensors[twin].change
        return tensor.change.apply(change.undo(self.saved.arrays[key].reshape(change.shape)))

    def _named(self, key: str, parameter: str | None) -> str:
        """Keras's names as PyTorch's modules would have them; all others as they are."""
        if self.framework.separator != "." or "/" not in key:
            return key
        return ".".join([*key.split("/")[:-1], parameter or key.split("/")[-1]])

    def _add(self, name: str, tensor: Tensor, array: Array) -> str:
        """The name in the file: another where the tensor is needed in two layouts."""
        name = name if name not in self.tensors else f"{name}@{tensor.layer or tensor.node}"
        self.tensors[name], self.manifest.tensors[name] = array, replace(tensor, dtype=str(array.dtype))
        return name

    def _rest(self) -> None:
        """What the graph has not: vectors, as those of a folded normalisation, stay as they are."""
        layouts = (t.change.layout for e in (self.own, self.wanted) for t in e.manifest.tensors.values())
        reordered = {length for layout in layouts for length in layout.lengths().values()}
        modules: dict[str, dict[str, str]] = {}
        left = {key: array for key, array in self.saved.arrays.items() if key not in self.keys.values()}
        for key, array in left.items():
            if array.ndim == 1 and (self.stays or len(array) not in reordered):
                module, parameter = parts_of(key)
                modules.setdefault(module, {})[parameter] = key
            elif self.stays:
                self._add(key, as_is(key, array), array)
            elif not key.endswith(COUNTER):
                self.manifest.notes.append(f"{key!r} of the checkpoint is not in the graph, and left out")
        for module, keys in modules.items():
            self._vectors(module, keys)

    def _vectors(self, module: str, keys: dict[str, str]) -> None:
        """Of a batch normalisation, or of no layer."""
        own, names = self.saved.framework.parameters["batch_norm"], self.framework.parameters["batch_norm"]
        is_norm = set(keys) == set(own)
        held: dict[str, str] = {}
        for parameter, key in keys.items():
            new = names[own.index(parameter)] if is_norm else None
            collection = None if new is None else self.framework.collection(new)
            tensor = replace(as_is(key, self.saved.arrays[key]), parameter=new, collection=collection)
            tensor = replace(tensor, layer=module if is_norm else None)
            name = self._add(self._named(key, new), tensor, self.saved.arrays[key])
            held |= {} if new is None else {new: name}
        if is_norm:
            ordered = {name: held[name] for name in names}
            self.manifest.layers[module] = LayerEntry("batch_norm", "BatchNormalization", ordered, {})
            self.manifest.notes.append(
                f"{module!r} is no layer of the graph, which has it folded: its epsilon is unknown"
            )


def as_is(key: str, array: Array) -> Tensor:
    """A tensor that the graph has not."""
    change = TensorTransform(array.shape, natural(array.ndim), array.shape)
    return Tensor(key, "", "", str(array.dtype), change)
