"""The inputs that both models are run on: the caller's, and random ones of sizes at which the original runs."""

from __future__ import annotations  # np.random takes a while to import

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.validation.compare import RTOL, Array
from rewriter.validation.frames import Takes, preprocessed
from rewriter.validation.session import Feed, Session, dtype_of

Shapes = dict[str, tuple[int, ...]]
MOST_ELEMENTS = 2**31  # of an input that is made up
SIZES = (64, 96, 32, 224, 256)  # what an open dimension other than the batch may be, in the order of trying


@dataclass(frozen=True)
class InputRequest:
    """What is said about the inputs: their sizes and data by name, how many runs at most, and how to make up the rest.

    ``takes``: those for which data are frames, and what the original takes in place of these.
    """

    runs: int
    seed: int
    shapes: Mapping[str, Sequence[int]]
    arrays: Mapping[str, Array]
    takes: Takes = field(default_factory=dict)


def make_feeds(session: Session, request: InputRequest) -> list[Feed]:
    """The inputs of each run of the original, of ``make_raw_feeds``. Raises what that does."""
    return [preprocessed(feed, request.takes) for feed in make_raw_feeds(session, request)]


def make_raw_feeds(session: Session, request: InputRequest) -> list[Feed]:
    """The inputs of each run, frames not preprocessed: the given arrays, and random ones for the rest.

    Data of all inputs are as many runs as they have times the rows of a fixed batch. What is made up is of shapes where
    given. Open dimensions take two sizes in turn, the batch 1 and 2, as far as the model runs with them. Raises
    ``CouldNotValidate`` for a name that is no input, a type that cannot be made up, data that does not fit, and a model
    that runs at none of the sizes.
    """
    arrays = request.arrays
    dtypes = {spec.name: dtype_of(spec.type) for spec in session.inputs}
    dtypes |= {name: np.dtype(one.frames.dtype) for name, one in request.takes.items()}
    for what, names in (("input_shapes", request.shapes), ("inputs", arrays)):
        unknown = sorted(set(names) - set(dtypes))
        if unknown:
            raise CouldNotValidate(
                f"{what} names {', '.join(unknown)}, but the original's inputs are {', '.join(dtypes)}: fix it."
            )
    for name, dtype in dtypes.items():
        if name in arrays and dtype is not None and dtype not in (np.object_, arrays[name].dtype):
            raise CouldNotValidate(f"The data for input {name} is {arrays[name].dtype}: convert it to {dtype}.")
    for name, array in arrays.items():
        if array.size and array.dtype in RTOL and np.isnan(array.astype(np.float64)).all():
            raise CouldNotValidate(f"The data for input {name} is all NaN, which proves nothing: give real data.")
    if len(arrays) == len(dtypes):
        return _runs_of(session.inputs, arrays)[: request.runs]
    shapes = {name: tuple(shape) for name, shape in request.shapes.items()}
    shapes |= {name: array.shape for name, array in arrays.items()}
    sizes = _find_sizes(session, shapes, request)
    return [
        _feed(session.inputs, sizes[run % len(sizes)], request, np.random.default_rng([request.seed, run]))
        for run in range(request.runs)
    ]


def _runs_of(inputs: list[Any], arrays: Mapping[str, Array]) -> list[Feed]:
    """The data, cut into the batches of a model whose batch is fixed; one run where it is open."""
    counts = {_batches(spec.shape, arrays[spec.name].shape) for spec in inputs}
    if len(counts) != 1 or 0 in counts:
        return [dict(arrays)]
    parts = {name: np.split(array, next(iter(counts))) for name, array in arrays.items()}
    return [dict(zip(parts, run, strict=True)) for run in zip(*parts.values(), strict=True)]


def _batches(declared: Sequence[int | str | None], shape: Sequence[int]) -> int:
    """How many times the rows that are declared there are, 0 where that is not said or they do not fill a batch."""
    batch = declared[0] if declared else None
    return shape[0] // batch if isinstance(batch, int) and batch and shape and shape[0] % batch == 0 else 0


def _find_sizes(session: Session, fixed: Shapes, request: InputRequest) -> list[Shapes]:
    """One or two ways to size the inputs at which ``session`` runs, found by trying."""
    first_choices = [_resolve(session.inputs, fixed, 1, size) for size in SIZES]
    second_choices = [_resolve(session.inputs, fixed, n, size) for n in (2, 1) for size in (*SIZES[1:], SIZES[0])]
    if second_choices[0] == first_choices[0]:
        return first_choices[:1]  # nothing is open; if it does not run, the caller learns why
    sizes: list[Shapes] = []
    errors: dict[str, RunFailed] = {}  # by what was tried
    for choices in (first_choices, second_choices):
        for shapes in choices:
            if shapes in sizes or _text(shapes) in errors:
                continue
            try:
                feed = _feed(session.inputs, shapes, request, np.random.default_rng(0))
                session.run(preprocessed(feed, request.takes))
            except RunFailed as error:
                errors[_text(shapes)] = error
            else:
                sizes.append(shapes)
                break
        if not sizes:
            text, fault = next(iter(errors.items()))
            raise CouldNotValidate(
                f"The original does not run at {text} ({fault}), nor at the other sizes that "
                "were tried: give the right ones with --input-shape NAME=..."
            ) from fault
    return sizes


def _resolve(inputs: list[Any], fixed: Shapes, batch: int, size: int) -> Shapes:
    """The shape of each input: as ``fixed``, the same where a name is shared, else ``batch`` or ``size``."""
    named = {
        dim: actual
        for spec in inputs
        for dim, actual in zip(spec.shape, fixed.get(spec.name, ()), strict=False)
        if isinstance(dim, str)
    }
    batches = {spec.shape[0] for spec in inputs if spec.shape and isinstance(spec.shape[0], str)}

    def resolve(axis: int, dim: int | str | None) -> int:
        if isinstance(dim, int):
            return dim
        if dim in named:
            return named[dim]
        return batch if axis == 0 or dim in batches else size

    shapes = {spec.name: tuple(resolve(axis, dim) for axis, dim in enumerate(spec.shape)) for spec in inputs}
    return shapes | fixed


def _feed(inputs: list[Any], shapes: Shapes, request: InputRequest, rng: np.random.Generator) -> Feed:
    missing = (spec for spec in inputs if spec.name not in request.arrays)
    return {spec.name: _random(spec, shapes[spec.name], request.takes, rng) for spec in missing} | dict(request.arrays)


def _random(spec: Any, shape: tuple[int, ...], takes: Takes, rng: np.random.Generator) -> Array:
    dtype = dtype_of(spec.type)
    if min(shape, default=1) < 0 or math.prod(shape) > MOST_ELEMENTS:
        raise CouldNotValidate(
            f"Input {spec.name} of shape {list(shape)} cannot be made up: give a size that can be (--input-shape)."
        )
    if spec.name in takes:
        return takes[spec.name].made(shape, rng)
    if dtype in RTOL:
        return rng.standard_normal(shape).astype(dtype)
    if dtype in (np.uint8, np.int8):  # image data
        return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    if dtype is not None and dtype.kind in "iu":  # safe as an index, a token or a mask
        return rng.integers(0, 2, shape, dtype)
    if dtype == np.bool_:
        return rng.random(shape) < 0.5
    raise CouldNotValidate(f"Input {spec.name} is a {spec.type}, which cannot be made up: give real data.")


def _text(shapes: Shapes) -> str:
    return ", ".join(f"{name} [{', '.join(map(str, shape))}]" for name, shape in shapes.items())
