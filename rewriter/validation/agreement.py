"""Whether a front end's ONNX file computes what the framework does that the model is of, on the validation's inputs."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from rewriter.errors import CouldNotValidate, ResultDiffers, RunFailed
from rewriter.frontends import FrontEnd
from rewriter.frontends.converting import Converted, quiet, shortened
from rewriter.steps import step
from rewriter.validation.compare import Array
from rewriter.validation.inputs import InputRequest, make_feeds
from rewriter.validation.providers import CPU
from rewriter.validation.session import Session, source

ALLOWED = 1e-2  # of an output's scale: deep nets differ by 1e-3 between runtimes, a wrong kernel by far more
ALLOWED_QUANTISED = 0.1  # whose steps are 1/255, and broken otherwise at ties, layer by layer


def agreement(path: Path, front: FrontEnd, found: Converted, request: InputRequest) -> str:
    """A sentence on how both agree, or why that is not known. Raises ResultDiffers."""
    with step(f"comparing with {front.framework}"):
        try:
            names, pairs = _outputs(found, request)
        except (RunFailed, CouldNotValidate) as error:
            return f"{front.converter}'s file was not compared with {front.framework}: {shortened(str(error))}"
    worst = 0.0
    for ours, theirs in pairs:
        if len(ours) != len(theirs):
            raise _differs(path, front, f"it has {len(ours)} outputs, and not {len(theirs)}")
        for name, one, other in zip(names, ours, theirs, strict=True):
            worst = max(worst, off := error_of(np.asarray(one), other))
            if not off <= (ALLOWED_QUANTISED if _is_quantised(found.model) else ALLOWED):
                raise _differs(path, front, f"output {name!r} is off by {off:.1e} of its scale")
    return f"{front.converter}'s file computes what {front.framework} does: largest error {worst:.1e} of the scale."


def error_of(found: Array, expected: Array) -> float:
    """The largest error, as a fraction of the expected output's scale; infinite where shapes, NaN or inf differ."""
    if found.shape != expected.shape:
        return float("inf")
    if found.dtype.kind in "OSU":
        return 0.0 if np.array_equal(found.astype(str), expected.astype(str)) else float("inf")
    one, other = found.astype(np.float64), expected.astype(np.float64)
    same = (one == other) | np.isnan(one) & np.isnan(other)
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0.0, np.abs(one - other))
    scale = np.abs(other).max(initial=0.0, where=np.isfinite(other)) or 1.0
    return float(np.nan_to_num(error, nan=np.inf).max(initial=0.0) / scale)


def _outputs(found: Converted, request: InputRequest) -> tuple[list[str], list[tuple[list[Any], Sequence[Array]]]]:
    """The names of the outputs, and what both give in each run."""
    with contextlib.ExitStack() as stack:
        session = Session(source(found.model, stack), CPU, "disabled")
    pairs = []
    for feed in make_feeds(session, request):
        with quiet(verbose=False):
            try:
                theirs = found.run(feed)
            except Exception as error:  # frameworks have each their own
                raise CouldNotValidate(f"it does not run it here ({error})") from error
        pairs.append((session.run(feed), theirs))
    return session.outputs, pairs


def _is_quantised(model: ModelProto) -> bool:
    return any("QuantizeLinear" in node.op_type for node in model.graph.node)


def _differs(path: Path, front: FrontEnd, what: str) -> ResultDiffers:
    return ResultDiffers(
        f"{path}: {front.converter}'s file differs from what {front.framework} computes: {what}; nothing was written, "
        "report it to its authors, or give an ONNX file of another exporter"
    )
