"""The frameworks that weights are written for: each is one file, and named here."""

from rewriter.errors import UsageError
from rewriter.weights.framework import Framework
from rewriter.weights.frameworks.flax import Flax
from rewriter.weights.frameworks.pytorch import PyTorch
from rewriter.weights.frameworks.tensorflow import TensorFlow
from rewriter.weights.frameworks.tflite import TFLite

FRAMEWORKS: dict[str, type[Framework]] = {cls.name: cls for cls in (PyTorch, TensorFlow, TFLite, Flax)}
TARGETS = tuple(FRAMEWORKS)
ALIASES = {"keras": "tensorflow", "jax": "flax"}


def framework_of(name: str, argument: str = "target", **choices: bool) -> Framework:
    """The framework of this name, with its choices. Raises UsageError, which names the argument, on an unknown one."""
    given, name = name, str(name).lower()
    name = ALIASES.get(name, name)
    if name not in FRAMEWORKS:
        raise UsageError(f"{argument} is {given!r}; it must be {', '.join(TARGETS)}")
    chosen = {choice: value for choice, value in choices.items() if value}
    for choice in chosen.keys() - FRAMEWORKS[name].choices().keys():
        owner = next(cls.__name__ for cls in FRAMEWORKS.values() if choice in cls.choices())
        raise UsageError(f"{choice} is {owner}'s; {name} has no such choice")
    return FRAMEWORKS[name](**chosen)
