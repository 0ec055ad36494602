"""TensorFlow, imported when it is first needed (the extra ``tensorflow``), and silent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from rewriter.extras import missing
from rewriter.frontends.converting import quiet as quietly

EXTRA = "tensorflow"


def require(path: Path) -> None:
    """Raises UsageError, which says what to install to write ``path``, where there is no TensorFlow."""
    if find_spec("tensorflow") is None:
        raise missing("tensorflow", EXTRA, path)


@contextmanager
def silence(quiet: bool) -> Iterator[None]:
    """What TensorFlow logs meanwhile is not shown."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # constants are folded, no net is run
    with quietly(verbose=not quiet):
        yield
