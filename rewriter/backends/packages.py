"""TensorFlow, imported when it is first needed (the extra ``tensorflow``), and silent."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path

from rewriter.errors import UsageError
from rewriter.weights.tflite_file import quiet_stderr

EXTRA = "tensorflow"


def require(path: Path) -> None:
    """Raises UsageError, which says what to install to write ``path``, where there is no TensorFlow."""
    if find_spec("tensorflow") is None:
        raise UsageError(f"{path}: this needs tensorflow: pip install '.[{EXTRA}]'")


@contextmanager
def silence(quiet: bool) -> Iterator[None]:
    """What TensorFlow logs meanwhile is not shown."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if quiet else "0")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # constants are folded, no net is run
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR if quiet else logging.INFO)
    try:
        with quiet_stderr() if quiet else nullcontext(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on what TensorFlow itself calls
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
