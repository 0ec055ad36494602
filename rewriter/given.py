"""MODEL as commands are given it: an ONNX file stays where it is, any other model is converted, once for all steps."""

import argparse
from pathlib import Path

from onnx import ModelProto

from rewriter.errors import UsageError
from rewriter.files.reader import OnRead, convert
from rewriter.frontends import OF_TENSORFLOW, Asked, front_end_of
from rewriter.frontends.converting import Converted


def given(path: Path, args: argparse.Namespace, on_read: OnRead | None = None) -> Path | Converted:
    """The path of an ONNX file, of another its conversion. Raises UsageError, and what ``on_read`` raises."""
    asked = asked_of(args)
    front = front_end_of(path)
    if front is not None:
        return convert(path, front, on_read, asked)
    if path.exists() and any(getattr(asked, name) for name in OF_TENSORFLOW):
        raise UsageError(f"{path} is read as ONNX, which takes no --tf options; leave them out")
    return path


def onnx_of(model: Path | Converted) -> Path | ModelProto:
    """What is rewritten, and compared with the result."""
    return model.model if isinstance(model, Converted) else model


def asked_of(args: argparse.Namespace) -> Asked:
    """What the options of ``add_front_ends`` say."""
    inputs, outputs = (tuple(filter(None, (text or "").split(","))) for text in (args.tf_inputs, args.tf_outputs))
    return Asked(args.tf_signature or "", inputs, outputs, bool(args.verbose))
