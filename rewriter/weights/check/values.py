"""What onnxruntime makes of the values of a model's main graph, in one run."""

from collections.abc import Iterable
from contextlib import ExitStack

import numpy as np
from onnx import ModelProto

from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.validation.inputs import InputRequest, make_feeds
from rewriter.validation.providers import CPU
from rewriter.validation.session import Session, source
from rewriter.validation.values import Values
from rewriter.weights.tensors.letters import Array


def values_of(model: ModelProto, names: Iterable[str], seed: int) -> dict[str, Array]:
    """By name, those that are tensors and in the main graph, on the random inputs that validation makes of ``seed``.

    Raises CouldNotValidate where the model does not run.
    """
    with ExitStack() as stack:
        try:
            whole = source(model, stack)
            feed = make_feeds(Session(whole, CPU, "disabled"), InputRequest(1, seed, {}, {}))[0]
            held = Values(whole)
            constants = {tensor.name for tensor in model.graph.initializer}
            inner = [name for name in dict.fromkeys(names) if name in held.makers or name in constants]
            session = Session(held.giving(inner, stack), CPU, "disabled") if inner else None
            found = dict(zip(inner, session.run(feed), strict=True)) if session else {}
        except RunFailed as error:
            raise CouldNotValidate(f"--check: onnxruntime does not run the model ({error}).") from error
    return {name: value for name, value in (feed | found).items() if isinstance(value, np.ndarray)}
