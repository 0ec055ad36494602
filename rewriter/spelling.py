"""Models in the words of a toolchain, in place of those that onnxruntime runs, and back.

What onnxruntime does not run is proved by its equivalent in the function dialect: both are written from one plan, the
one is validated, and the other, read back, must be the same, node by node.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TypeVar

from onnx import ModelProto

from passes import dialects
from passes.dialects.base import Dialect
from passes.dialects.respell import Words, complete, has_words, mistaken, respell, unspell
from passes.dialects.spelled import MARK, SpelledDialect
from rewriter.errors import UsageError, refused
from rewriter.files.light import LightModel
from rewriter.files.source import Source
from rewriter.files.writer import staged
from rewriter.metadata import entry_of, put_entry
from rewriter.result import RewriteResult

Given = TypeVar("Given")

STOOD_IN = (
    "The model came in the words of a toolchain: what the result is compared with is its equivalent in the function "
    "dialect."
)


def read_spelled(source: Source, words: Words | None) -> Source:
    """A model in the function dialect that came in these words, or in those of a dialect of this tool's own.

    The same source, if it did not; weights stay where they are, and a model that is given in memory as it is.
    """
    own = [dialect for dialect in dialects.DIALECTS.values() if issubclass(dialect, SpelledDialect)]
    known = [each for each in (words, *own) if each is not None and has_words(source.proto, each)]
    proto = deepcopy(source.proto) if known else source.proto
    found = [unspell(proto, each) for each in known]
    if not any(found):
        return source
    put_entry(proto, MARK, None)
    dialects.bring_functions(proto)
    return Source(proto, source.path, source.stamps)


def refuse_spelled(model: ModelProto, name: str = "the model") -> None:
    """Raises UsageError if a model is still in words that nobody has read: what they mean must not be guessed."""
    if not runs_itself(model):
        raise UsageError(
            f"{name} is in the words of a toolchain, which only a conversion reads: convert it first, with --to nchw "
            "and the --dialect that it was written in"
        )


def prepare(model: ModelProto, dialect: Dialect) -> None:
    """Give a result in the function dialect the attributes that its functions and the words of its dialect want."""
    dialects.align_calls(model)
    if isinstance(dialect, SpelledDialect):
        complete(model, type(dialect))


def spelled(model: ModelProto, dialect: Dialect) -> ModelProto:
    """A result, which is ``prepare``d, in the words of its dialect; the same, if that has none.

    Raises UsageError where one of them would mean something else to who reads them, VerificationError where we would.
    """
    if not isinstance(dialect, SpelledDialect):
        return model
    words, result = type(dialect), deepcopy(model)
    if name := mistaken(model, words):
        raise UsageError(f"node {name!r} stays channels-first, which the dialect {words.name} has no other name for")
    respell(result, words)
    dialects.bring_functions(result)
    if result.graph == model.graph:
        return model
    if mark := words.mark():
        put_entry(result, MARK, mark)
    again = deepcopy(result)
    unspell(again, words)
    if again.graph != model.graph:
        raise refused(f"in the words of {words.name} the model is read back as another")
    return result


def runs_itself(model: ModelProto) -> bool:
    """Whether onnxruntime runs a result as it is written, so that no other need be proved in its place."""
    return entry_of(model, MARK) is None


@contextmanager
def compared(
    original: Path | ModelProto, result: RewriteResult, written: Path
) -> Iterator[tuple[Path | ModelProto, Path]]:
    """What a rewrite is proved by: the original and the result, or their equivalents."""
    with _stand_in(result.original, original) as one, _stand_in(result.equivalent, written) as other:
        yield one, other


@contextmanager
def _stand_in(model: LightModel | None, file: Given) -> Iterator[Given | Path]:
    """``file``, or a temporary one of the ``model`` that stands in for it."""
    if model is None:
        yield file
        return
    with staged(model, None) as files:
        yield files.model
