"""What the command line does where ``-o`` is another runtime's file."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
from onnx import ModelProto

from passes.layout.edit import Array
from rewriter.backends import backend_of
from rewriter.backends.base import Job, Written
from rewriter.backends.validate import Proof, validate
from rewriter.comparison import Outcome
from rewriter.files import writer
from rewriter.files.whole import folder_beside
from rewriter.result import RewriteResult
from rewriter.validation.frames import frames_between
from rewriter.validation.inputs import InputRequest, make_raw_feeds
from rewriter.validation.layouts import of_perms, stored
from rewriter.validation.providers import CPU
from rewriter.validation.session import Feed, Session, source
from rewriter.validation.verdict import ValidationReport

SAMPLES = 32  # made up, to measure ranges on; of those given all


@dataclass(frozen=True)
class Staged(writer.Staged):
    """A file that is complete, beside its place; ``written``: what is known of it."""

    written: Written


@contextmanager
def staged(args: argparse.Namespace, original: Path | ModelProto, result: RewriteResult, checks: Mapping[str, Any],
           path: Path | None, arrays: Mapping[str, Array] | None) -> Iterator[Staged]:  # fmt: skip
    """The result as the backend writes it. Raises UsageError, which lists the operators that have no form."""
    backend = backend_of(args.backend)
    samples = partial(_samples, args, original, result, checks, arrays or {}) if args.quantize == "int8" else list
    job = Job(result.model, str(args.model), samples, quiet=not args.verbose)
    with folder_beside(path or Path(gettempdir(), "model")) as folder:
        written = backend.write(job, folder, args.quantize)
        yield Staged(written.file, path or folder, (), written)


def validated(args: argparse.Namespace, original: Path | ModelProto, result: RewriteResult, files: writer.Staged,
              checks: Mapping[str, Any], arrays: Mapping[str, Array]) -> Outcome:  # fmt: skip
    """The outcome, as of two ONNX models. ``files``: what ``staged`` gave."""
    assert isinstance(files, Staged)
    request = _request(args.runs, args, original, result, checks, arrays)
    proof = Proof(
        original,
        backend_of(args.backend),
        files.written,
        of_perms(result.layouts),
        request,
        args.rtol,
        args.atol or 0.0,
        args.quantize,
    )
    report = validate(proof)
    told = [*notes(args, files.written)]
    return Outcome(ValidationReport([replace(one, notes=[*told, *one.notes]) for one in report.providers]), None)


def notes(args: argparse.Namespace, written: Written) -> Iterator[str]:
    """What else there is to say of the file, a sentence each."""
    yield from written.told
    if written.is_measured and not args.inputs:
        yield "Ranges for int8 were measured on random inputs: give real ones with --inputs."
    if written.names:
        told = ", ".join(f"{own!r} is {name!r}" for own, name in written.names.items())
        yield f"TensorFlow takes no such names: {told}."


def _request(runs: int, args: argparse.Namespace, original: Path | ModelProto, result: RewriteResult,
             checks: Mapping[str, Any], arrays: Mapping[str, Array]) -> InputRequest:  # fmt: skip
    """The inputs, frames where the result takes these."""
    takes = frames_between(original, result.model) if args.preprocess else {}
    return InputRequest(runs, args.seed, checks["input_shapes"], arrays, takes)


def _samples(args: argparse.Namespace, original: Path | ModelProto, result: RewriteResult, checks: Mapping[str, Any],
             arrays: Mapping[str, Array]) -> Sequence[Feed]:  # fmt: skip
    """Inputs to measure ranges on, as the file stores them: those given, else made up."""
    with ExitStack() as stack:
        session = Session(source(original, stack), CPU, "disabled")
    runs = max((len(np.atleast_1d(array)) for array in arrays.values()), default=SAMPLES)
    feeds = make_raw_feeds(session, _request(runs, args, original, result, checks, arrays))
    layouts = of_perms(result.layouts)
    return [{name: np.asarray(stored(name, a, layouts), order="C") for name, a in feed.items()} for feed in feeds]
