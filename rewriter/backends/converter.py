"""TensorFlow's own converter to TFLite."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from rewriter.errors import UsageError
from rewriter.steps import step
from rewriter.validation.session import Feed

SIGNATURE = "serving_default"
MOST_LETTERS = 300  # of what the converter says


def converted(
    module: Any, concrete: Any, source: str, quantize: str | None = None, samples: Iterable[Feed] | None = None
) -> bytes:
    """The file that TensorFlow's converter makes of a function. Raises UsageError where it refuses.

    ``samples``: inputs, on which it measures the ranges for int8 that the function does not have.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    if quantize is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if samples is not None:
        given = [*samples]
        converter.representative_dataset = lambda: _single(given)
    try:
        with step(f"TensorFlow converts to {quantize or 'float32'}"):
            made: bytes = converter.convert()
    except Exception as error:  # the converter's errors have no narrower base
        raise UsageError(f"{source}: TensorFlow's converter refuses the graph ({short(error)})") from error
    return made


def _single(samples: Iterable[Feed]) -> Iterator[tuple[str, Feed]]:
    yield from ((SIGNATURE, feed) for feed in samples)


def short(error: Exception) -> str:
    """What a library says, on one line: of operators that have no kernel only these."""
    text = " ".join(str(error).split())
    if lacking := sorted(set(re.findall(r"'(tf\.\w+)' op is neither", text))):
        return f"TFLite has no kernel for {', '.join(lacking)} of these types or shapes"
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} …"
