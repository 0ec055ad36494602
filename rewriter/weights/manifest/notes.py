"""What is told of an export as a whole, besides its numbers."""

from collections.abc import Iterator, Sequence

from rewriter.errors import UsageError
from rewriter.weights.framework import Framework
from rewriter.weights.manifest.manifest import Manifest

MOST = 3  # names in a sentence
MAPS = {"nhwc": ("HWC", "CHW"), "nchw": ("CHW", "HWC")}  # as a Flatten reads them, by direction, and as it does not


def some(names: Sequence[str]) -> str:
    """The first few of these names, for a sentence."""
    return ", ".join(map(repr, names[:MOST])) + (", ..." if len(names) > MOST else "")


def empty_note(manifest: Manifest) -> Iterator[str]:
    """A note on a model that has no weights. Raises UsageError if it has no layers either."""
    if manifest.tensors:
        return
    advice = "export it with its parameters, if it should have some"
    if not manifest.layers:
        raise UsageError(f"no weights are in the model and no layers, so that there is nothing to write: {advice}")
    yield f"no weights are in the model: {advice}"


def reordered_note(manifest: Manifest, framework: Framework) -> Iterator[str]:
    """A note on what was reordered for a Flatten: a net that transposes before its own wants it as it was."""
    names = [name for name, t in manifest.tensors.items() if t.change.layout.is_divided and not t.shuffled]
    if names:
        here, other = MAPS[framework.direction]
        yield (
            f"reordered for a Flatten (or Unflatten) of {here}: {some(names)}; a net that transposes to {other} for it "
            "needs --keep-flatten-order"
        )
