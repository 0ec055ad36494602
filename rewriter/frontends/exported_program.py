"""PyTorch's exported programs (``torch.export.save``), by PyTorch's own exporter (the extra ``pt2``)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rewriter.extras import needed
from rewriter.frontends import Asked
from rewriter.frontends.converting import Converted
from rewriter.frontends.program_archive import refuse_code

EXTRA = "pt2"
ONLY_WEIGHTS = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"  # torch.export.load asks torch.load for more, which this forbids


def convert(path: Path, asked: Asked) -> Converted:
    """The model of a .pt2 file. Raises UsageError if loading it would run code in it."""
    refuse_code(path)
    torch = needed("torch", EXTRA, path)
    needed("onnxscript", EXTRA, path)
    with _only_weights():
        program = torch.export.load(path)
    program._guards_code = []  # of which module() would make a function
    exported = torch.onnx.export(program, dynamo=True, optimize=asked.optimise, verbose=False)
    model = exported.model_proto
    names = [value.name for value in model.graph.input]

    def run(feed: Any) -> list[Any]:
        with torch.no_grad():
            found = program.module(check_guards=False)(*(torch.from_numpy(np.array(feed[name])) for name in names))
        return [value.numpy() for value in torch.utils._pytree.tree_leaves(found)]

    return Converted(model, run)


@contextmanager
def _only_weights() -> Iterator[None]:
    before = os.environ.get(ONLY_WEIGHTS)
    os.environ[ONLY_WEIGHTS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[ONLY_WEIGHTS]
        else:
            os.environ[ONLY_WEIGHTS] = before
