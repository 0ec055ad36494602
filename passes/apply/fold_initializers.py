"""Folds permutations and edits into initializers: a constant is written as its readers need it, one for each way."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

import onnx_graphsurgeon as gs

from passes.ir import constants
from passes.ir.graph import copied
from passes.rules.api import Layout, Move


class Initializers:
    """The constants of a graph as a plan has them stored. ``name`` gives a free name like the one wished for."""

    def __init__(self, name: Callable[[str], str]) -> None:
        self.name = name
        self.folded: dict[tuple[str, Layout], gs.Constant] = {}
        self.layouts: dict[str, set[Layout]] = defaultdict(set)  # asked of each constant
        self.reads: Counter[str] = Counter()

    def count(self, nodes: Iterable[gs.Node], moves: Iterable[Move], outputs: Mapping[str, Layout]) -> None:
        """Note how ``nodes`` that make ``moves``, and graph outputs, read each constant."""
        for node, move in zip(nodes, moves, strict=True):
            self.reads.update(tensor.name for tensor in node.inputs)
            for i, tensor in enumerate(node.inputs):
                if isinstance(tensor, gs.Constant) and i not in move.edits:
                    self.layouts[tensor.name].add(move.inputs[i])
        for name, layout in outputs.items():
            self.layouts[name].add(layout)

    def stored(self, tensor: gs.Constant, layout: Layout) -> gs.Constant:
        """The constant in ``layout``: under its own name where only one layout is asked of it."""
        key = (tensor.name, layout)
        if key not in self.folded:
            alone = self.layouts[tensor.name] == {layout} or layout.is_natural
            name = tensor.name if alone else self.name(f"{tensor.name}_{suffix(layout)}")
            self.folded[key] = copied(tensor, name) if layout.is_natural else constants.changed(tensor, name, layout)
        return self.folded[key]

    def edited_name(self, tensor: gs.Tensor) -> str:
        """The name of an edited constant: its own, if nobody else reads it."""
        alone = isinstance(tensor, gs.Constant) and self.reads[tensor.name] == 1 and tensor.name not in self.layouts
        return tensor.name if alone else self.name(f"{tensor.name or 'axes'}_moved")


def suffix(layout: Layout) -> str:
    """What is added to the name of a value that is stored in ``layout``, too."""
    return "original" if layout.is_natural else "p" + "".join(map(str, layout.axis_perm))
