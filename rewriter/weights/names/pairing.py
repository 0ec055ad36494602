"""Which layer of the graph is which module of a checkpoint: by name, else by value, else because nothing else fits."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from rewriter.errors import UsageError
from rewriter.weights.framework import KERNEL_KINDS
from rewriter.weights.manifest.manifest import Export, parts_of
from rewriter.weights.tensors.letters import Array

MOST = 3  # layers in a sentence
STRAIGHT = 1e-9  # of a cosine's square: a kernel that was scaled in float32 keeps 1e-12


@dataclass(frozen=True)
class Pairing:
    """``own``: the graph's export in the checkpoint's layout; ``modules`` have their arrays by parameter."""

    own: Export
    modules: Mapping[str, Mapping[str, Array]]

    def layers(self) -> dict[str, str]:
        """The module of each layer with parameters, of several with the same of the first. Raises UsageError."""
        entries = self.own.manifest.layers
        firsts: dict[tuple[str, ...], str] = {}
        for name, entry in entries.items():
            if entry.parameters:
                firsts.setdefault(tuple(entry.parameters.values()), name)
        found: dict[str, str] = {}
        for looks in (self.is_named, self.is_equal, self.is_scaled, self.fits):
            left = [name for name in firsts.values() if name not in found]
            free = [module for module in self.modules if module not in found.values()]
            found |= dict(sure(left, free, looks))
        if left := [name for name in firsts.values() if name not in found]:
            free = [module for module in self.modules if module not in found.values()]
            raise UsageError("; ".join(self.told(name, free) for name in left[:MOST]))
        return found

    def fits(self, layer: str, module: str) -> bool:
        """Whether the module has the layer's first parameter, and no parameter of another shape."""
        pairs = list(self.pairs(layer, module))
        first = next(iter(self.own.manifest.layers[layer].parameters))
        return first in self.modules[module] and all(same_shape(graph, saved) for graph, saved in pairs)

    def is_named(self, layer: str, module: str) -> bool:
        """By the name of its first parameter."""
        first = next(iter(self.own.manifest.layers[layer].parameters.values()))
        return parts_of(first)[0] == module and self.fits(layer, module)

    def is_equal(self, layer: str, module: str) -> bool:
        """Bit for bit, as far as both have the parameters."""
        pairs = self.pairs(layer, module)
        return self.fits(layer, module) and all(np.array_equal(g.ravel(), s.ravel()) for g, s in pairs)

    def is_scaled(self, layer: str, module: str) -> bool:
        """By output channel: a normalisation behind it was folded into the kernel."""
        entry = self.own.manifest.layers[layer]
        if entry.kind not in KERNEL_KINDS or not self.fits(layer, module):
            return False
        letters = self.own.manifest.tensors[next(iter(entry.parameters.values()))].new or ""
        graph, saved = next(self.pairs(layer, module))
        return parallel(by_output(graph, letters), by_output(saved.reshape(graph.shape), letters))

    def pairs(self, layer: str, module: str) -> Iterator[tuple[Array, Array]]:
        """Arrays of the graph and of the checkpoint, of parameters that both have."""
        for parameter, name in self.own.manifest.layers[layer].parameters.items():
            if parameter in self.modules[module]:
                yield self.own.tensors[name], self.modules[module][parameter]

    def told(self, layer: str, free: list[str]) -> str:
        """What a layer may be."""
        shape = self.own.tensors[next(iter(self.own.manifest.layers[layer].parameters.values()))].shape
        may = [module for module in free if self.fits(layer, module)]
        be = f"may be {', '.join(map(repr, may))}: export names as the checkpoint has them" if may else "is not in it"
        return f"layer {layer!r} of shape {'x'.join(map(str, shape))} {be}"


def sure(left: list[str], free: list[str], looks: Callable[[str, str], bool]) -> Iterator[tuple[str, str]]:
    """Those pairs of which each has no other."""
    may = {layer: [module for module in free if looks(layer, module)] for layer in left}
    counts = Counter(module for modules in may.values() for module in modules)
    yield from ((layer, m[0]) for layer, m in may.items() if len(m) == 1 and counts[m[0]] == 1)


def modules_of(arrays: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """Arrays by module and parameter."""
    found: dict[str, dict[str, Array]] = {}
    for name, array in arrays.items():
        module, parameter = parts_of(name)
        found.setdefault(module, {})[parameter] = array
    return found


def same_shape(a: Array, b: Array) -> bool:
    """But for axes of size one, which do not move elements."""
    return [n for n in a.shape if n != 1] == [n for n in b.shape if n != 1]


def by_output(kernel: Array, letters: str) -> Array:
    """The elements of each output channel as a row."""
    axes = [i for i, letter in enumerate(letters) if letter in ("CM" if "M" in letters else "O")]
    sizes = [kernel.shape[axis] for axis in axes]
    return np.moveaxis(kernel, axes, range(len(axes))).reshape(prod(sizes), -1).astype(np.float64)


def parallel(a: Array, b: Array) -> bool:
    """Whether each row of one is a multiple of that of the other, which of one element says nothing."""
    product = (a * b).sum(1) ** 2
    squares = (a * a).sum(1) * (b * b).sum(1)
    return a.shape[1] > 1 and bool(squares.any()) and bool((np.abs(product - squares) <= STRAIGHT * squares).all())
