"""SavedModels: the function of one signature."""

from pathlib import Path
from typing import Any

import numpy as np

from rewriter.errors import UsageError
from rewriter.frontends import Asked
from rewriter.frontends.converting import Converted
from rewriter.frontends.tf_graph import of_function, tensorflow

USUAL = "serving_default"


def convert(path: Path, asked: Asked) -> Converted:
    """The model of a SavedModel's folder. Raises UsageError if it is not told which of several signatures."""
    tf = tensorflow(path)
    loaded = tf.saved_model.load(str(path))
    signatures = {name: one for name, one in loaded.signatures.items() if not name.startswith("_")}
    function = signatures[_chosen(path, [*signatures], asked.signature)]
    inputs = function._arg_keywords  # in the order of its tensors
    outputs = sorted(function.structured_outputs)  # as its tensors are
    model = of_function(path, asked, function, inputs, outputs)

    def run(feed: Any) -> list[Any]:
        assert loaded  # whose variables the function has not of its own
        found = function(**{name: tf.constant(array) for name, array in feed.items()})
        return [np.asarray(found[name]) for name in outputs]

    return Converted(model, run)


def _chosen(path: Path, names: list[str], asked: str) -> str:
    told = ", ".join(names) or "none"
    if asked:
        if asked in names:
            return asked
        raise UsageError(f"--tf-signature {asked}: {path} has no such signature; it has {told}")
    if USUAL in names:
        return USUAL
    if len(names) == 1:
        return names[0]
    raise UsageError(f"{path}: which signature is meant? It has {told}; name one with --tf-signature")
