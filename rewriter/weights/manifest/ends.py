"""The values that a layer reads and gives in the model, and how the target has them."""

from dataclasses import dataclass

from passes.layout.layout import Layout


@dataclass(frozen=True)
class End:
    """A value of the model's main graph, by name, and the layout that it has in the target."""

    name: str
    layout: Layout


@dataclass(frozen=True)
class Ends:
    """``zeros``: what the layer is given besides, which must be zeros for it to be the target's layer."""

    reads: End
    gives: End
    zeros: tuple[str, ...] = ()
