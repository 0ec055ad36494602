"""MODEL as commands are given it: an ONNX file stays where it is, any other model is converted, once for all steps."""

import argparse
from pathlib import Path
from typing import NamedTuple

from onnx import ModelProto

from rewriter import options
from rewriter.errors import UsageError
from rewriter.files.reader import OnRead, convert
from rewriter.frontends import OF_TENSORFLOW, Asked, front_end_of
from rewriter.validation.inputs import InputRequest


class Given(NamedTuple):
    """A model to be rewritten, or compared; ``note``: what its framework says of its conversion."""

    onnx: Path | ModelProto
    note: str = ""


def given(
    path: Path, args: argparse.Namespace, on_read: OnRead | None = None, compare_on: InputRequest | None = None
) -> Given:
    """The model of a file or folder, compared with its framework on these inputs, if any.

    Raises UsageError, what ``on_read`` raises, and ResultDiffers, if the converter has changed what it computes.
    """
    asked = asked_of(args)
    front = front_end_of(path)
    if front is None:
        if path.exists() and any(getattr(asked, name) for name in OF_TENSORFLOW):
            raise UsageError(f"{path} is read as ONNX, which takes no --tf options; leave them out")
        return Given(path)
    found = convert(path, front, on_read, asked)
    if compare_on is None:
        return Given(found.model)
    from rewriter.validation.agreement import agreement  # with onnxruntime

    return Given(found.model, agreement(path, front, found, compare_on))


def asked_of(args: argparse.Namespace) -> Asked:
    """What the options of ``add_front_ends`` say, and ``--input-shape`` where there is one."""
    inputs, outputs = (tuple(filter(None, (text or "").split(","))) for text in (args.tf_inputs, args.tf_outputs))
    shapes = options.shapes_of(getattr(args, "input_shape", ()))
    return Asked(args.tf_signature or "", inputs, outputs, bool(args.verbose), shapes=shapes)
