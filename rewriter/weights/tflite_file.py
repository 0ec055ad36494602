"""TFLite files as ONNX models, through tf2onnx (the extra ``tflite``)."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onnx import ModelProto

from rewriter.errors import UsageError
from rewriter.files.reader import check_file

OPSET = 17
IDENTIFIER = b"TFL3"  # at byte 4: https://flatbuffers.dev/, "file identifier"; schema.fbs of TFLite


def load_tflite(path: Path) -> ModelProto:
    """The model of a .tflite file. Raises UsageError if it is none, or without tf2onnx."""
    check_file(path)
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:] != IDENTIFIER:
        raise UsageError(f"{path}: not a TFLite model")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_stderr():
        return converted(path)


def converted(path: Path) -> ModelProto:
    """Not optimised: tf2onnx would fold kernels into constants of other names."""
    try:
        import tf2onnx
    except ImportError as error:
        raise UsageError(f"{path}: TFLite files are read by tf2onnx ({error}): pip install '.[tflite]'") from None
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    try:
        graph = tf2onnx.tfonnx.process_tf_graph(None, opset=OPSET, tflite_path=str(path))
        model: ModelProto = graph.make_model(path.name)
    except Exception as error:  # whatever a file may bring about in tf2onnx
        raise UsageError(f"{path}: tf2onnx does not convert it ({error})") from error
    return model


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """TensorFlow's C++ writes to stderr before it reads any setting; errors are raised all the same."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
