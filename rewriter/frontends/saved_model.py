"""SavedModels: the function of one signature."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rewriter.errors import UsageError
from rewriter.frontends import Asked
from rewriter.frontends.converting import Converted
from rewriter.frontends.tf_graph import of_function, refuse_unknown, sized, tensorflow

USUAL = "serving_default"


def convert(path: Path, asked: Asked) -> Converted:
    """The model of a SavedModel's folder. Raises UsageError if it is not told which of several signatures."""
    tf = tensorflow(path)
    loaded = tf.saved_model.load(str(path))
    signatures = {name: one for name, one in loaded.signatures.items() if not name.startswith("_")}
    function = signatures[_chosen(path, [*signatures], asked.signature)]
    inputs = function._arg_keywords  # in the order of its tensors
    outputs = sorted(function.structured_outputs)  # as its tensors are
    refuse_unknown(path, asked, inputs)
    given = function.structured_input_signature[1]
    fixed = {name: tf.TensorSpec(sized(path, asked, name, given[name].shape), given[name].dtype) for name in inputs}
    traced = _retraced(tf, function, fixed, outputs) if asked.shapes else function
    model = of_function(path, asked, traced, inputs, outputs)

    def run(feed: Any) -> list[Any]:
        assert loaded  # whose variables the function has not of its own
        found = function(**{name: tf.constant(array) for name, array in feed.items()})
        return [np.asarray(found[name]) for name in outputs]

    return Converted(model, run)


def _retraced(tf: Any, function: Any, specs: Mapping[str, Any], outputs: Sequence[str]) -> Any:
    """The same function on inputs of these shapes."""

    def called(*given: Any) -> list[Any]:
        found = function(**dict(zip(specs, given, strict=True)))
        return [found[name] for name in outputs]

    return tf.function(called).get_concrete_function(*specs.values())


def _chosen(path: Path, names: list[str], asked: str) -> str:
    if not names:
        raise UsageError(f"{path}: it has no signature, which says what its inputs and outputs are; save it with one")
    told = ", ".join(names)
    if asked:
        if asked in names:
            return asked
        raise UsageError(f"--tf-signature {asked}: {path} has no such signature; it has {told}")
    if USUAL in names:
        return USUAL
    if len(names) == 1:
        return names[0]
    raise UsageError(f"{path}: which signature is meant? It has {told}; name one with --tf-signature")
