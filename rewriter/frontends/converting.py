"""A model as ONNX: what is around every front end, which keeps converters quiet and makes sentences of their errors."""

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from onnx import ModelProto

from passes.layout.edit import Array
from rewriter.errors import RewriterError, UsageError
from rewriter.frontends import NOTHING, OF_TENSORFLOW, Asked, FrontEnd
from rewriter.steps import step

NOISE = re.compile(
    r'\x1b\[[\d;]*m|File "[^"]*", line \d+, in .*\n.*\n'
)  # in messages: colours, where AutoGraph has been


class Converted(NamedTuple):
    """A model, and what its own framework computes of inputs by their names in it: its outputs in their order."""

    model: ModelProto
    run: Callable[[Mapping[str, Array]], Sequence[Array]]


def converted(path: Path, front: FrontEnd, asked: Asked = NOTHING) -> Converted:
    """The model of a file or folder as ONNX. Raises UsageError without the packages, or if it cannot be converted."""
    for name in OF_TENSORFLOW:
        if getattr(asked, name) and name not in front.takes:
            raise UsageError(f"{path} is {front.kind}, which takes no --tf-{name}; leave it out")
    with step(f"converting {path.name} by {front.converter}"), quiet(asked.verbose):
        try:
            result: Converted = import_module(f"rewriter.frontends.{front.module}").convert(path, asked)
        except (RewriterError, MemoryError):
            raise
        except Exception as error:  # whatever a file may bring about in a framework
            said = shortened(plain(error))
            raise UsageError(f"{path}: {front.converter} does not convert {front.kind} ({said})") from error
    return result


def plain(error: Exception) -> str:
    """What an error says, on one line; its class, if it says nothing."""
    return " ".join(NOISE.sub("", str(error)).split()) or type(error).__name__


def shortened(text: str, most: int = 400) -> str:
    """The text, without its middle where it is long."""
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"


@contextmanager
def quiet(verbose: bool) -> Iterator[None]:
    """Frameworks print, warn and log; what is wrong they raise all the same. ``verbose``: what they log is shown."""
    disabled, kept = logging.root.manager.disable, os.dup(2)
    with ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        stack.enter_context(redirect_stdout(nowhere))
        sys.stderr.flush()
        if verbose:
            with suppress(OSError):  # of a stream in memory; in a child's own process it is not 2
                os.dup2(sys.stderr.fileno(), 2)
        else:
            logging.disable(logging.CRITICAL)
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            os.dup2(nowhere.fileno(), 2)  # C++ writes there before it reads any setting
        try:
            yield
        finally:
            sys.stderr.flush()
            logging.disable(disabled)
            os.dup2(kept, 2)
            os.close(kept)
