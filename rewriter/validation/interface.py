"""How one model stores what another's inputs and outputs hold: as told, as the files say, or found by trying."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

from onnx import ModelProto

from passes.layout import perm
from passes.layout.choice import Choice
from passes.layout.layout import Layout, natural, permuted
from passes.layout.perm import Perm
from rewriter.errors import CouldNotValidate, RunFailed, UsageError
from rewriter.interface import LAYOUTS_KEY
from rewriter.preprocess import FRAMES_KEY
from rewriter.validation.inputs import InputRequest, make_feeds
from rewriter.validation.layouts import recorded, stored
from rewriter.validation.session import Session, source
from rewriter.validation.tried import CLOSE, fitting_perms, is_alike, likeness

MOST_TRIES = 200  # combinations of the inputs' layouts


@dataclass(frozen=True)
class FoundLayouts:
    """Those that are not as in the original, and sentences on where they come from."""

    layouts: dict[str, Layout]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, list[int]]:
        """The perms by name."""
        return {name: list(layout.perm) for name, layout in self.layouts.items()}


def found_layouts(
    original: ModelProto | str | Path,
    rewritten: ModelProto | str | Path,
    request: InputRequest,
    given: Mapping[str, Choice],
) -> FoundLayouts:
    """The layouts of the second model's inputs and outputs: ``given``, else of the metadata, else by trying on the CPU.

    Raises UsageError for a name that is none of them, or a layout that does not fit; ``CouldNotValidate`` if the
    original does not run.
    """
    with ExitStack() as stack:
        try:
            one = Session(source(original, stack), "cpu", "disabled")
        except RunFailed as error:
            raise CouldNotValidate(f"A does not load in onnxruntime ({error}).") from error
        try:
            other = Session(source(rewritten, stack), "cpu", "disabled")
        except RunFailed:  # of which validation makes a verdict
            return FoundLayouts({})
        ranks = {spec.name: len(spec.shape) for spec in (*one.inputs, *one.specs)}
        told = {name: permuted(_perm(name, choice, ranks)) for name, choice in given.items()}
        if any({LAYOUTS_KEY, FRAMES_KEY} & session.metadata.keys() for session in (one, other)):
            known = {**recorded(one.metadata, other.metadata), **told}
            if _fit(one, other, known):
                return FoundLayouts(known, ("Layouts of inputs and outputs are those of the files' metadata.",))
        found = _tried(one, other, request, told)
    flipped = {name: layout for name, layout in found.items() if not layout.is_natural}
    return FoundLayouts({**flipped, **told}, _note(flipped.keys() - told.keys(), flipped))


def _fit(one: Session, other: Session, layouts: Mapping[str, Layout]) -> bool:
    """Whether shapes are those that the layouts make of A's: not if A and B are of different first originals."""
    own, shapes = ({spec.name: spec.shape for spec in (*side.inputs, *side.specs)} for side in (one, other))
    flipped = [name for name in layouts if name in own and name in shapes and layouts[name].fits(own[name])]
    known = {**own, **{name: layouts[name].shape(own[name]) for name in flipped}}
    return all(is_alike(known[name], shapes[name]) for name in known.keys() & shapes.keys())


def _note(names: Any, layouts: Mapping[str, Layout]) -> tuple[str, ...]:
    listed = ", ".join(f"{name} is stored {layouts[name]}" for name in layouts if name in names)
    return (f"Found by trying: {listed}.",) if listed else ()


def _perm(name: str, choice: Choice, ranks: Mapping[str, int]) -> Perm:
    """What a user says of B, whose letters or target are not A's."""
    if name not in ranks:
        raise UsageError(f"--layout {name}: A has no such input or output; it has {', '.join(map(repr, ranks))}")
    rank = ranks[name]
    wanted = choice.perm or _of_letters(choice.letters) or perm.identity(rank)
    if choice.to in ("nhwc", "nchw") and not choice.letters and not choice.perm:
        if rank < 3:
            raise UsageError(f"--layout {name}={choice.to}: it has {rank} axes; nhwc and nchw are for 3 or more")
        wanted = perm.channels_last(rank) if choice.to == "nhwc" else perm.channels_first(rank)
    if len(wanted) != rank:
        raise UsageError(f"--layout {name}: it has {rank} axes, the layout given {len(wanted)}")
    return wanted


def _of_letters(letters: str) -> Perm:
    """The perm from the same letters with the channels on the other side of the positions."""
    lead = letters[: len(letters) - len(letters.lstrip("NT"))]
    rest = letters[len(lead) :]
    others = f"{lead}C{rest[:-1]}" if rest.endswith("C") else f"{lead}{rest[1:]}C"
    return tuple(others.index(letter) for letter in letters)


def _tried(one: Session, other: Session, request: InputRequest, told: Mapping[str, Layout]) -> dict[str, Layout]:
    """The layouts in which the outputs agree best; none if the second model runs with none."""
    try:
        feed = make_feeds(one, request)[0]
        expected = one.run(feed)
    except RunFailed as error:
        raise CouldNotValidate(f"A does not run on cpu ({error}): give other sizes or data.") from error
    best: tuple[float, dict[str, Layout]] = float("inf"), {}
    if one.outputs != other.outputs or feed.keys() != {spec.name for spec in other.inputs}:
        return {}
    for layouts in islice(_combinations(feed, other.inputs, told), MOST_TRIES):
        try:
            got = other.run({name: stored(name, array, layouts) for name, array in feed.items()})
        except RunFailed:
            continue
        alike = [likeness(*pair) for pair in zip(expected, got, strict=True)]
        most = max((error for error, _ in alike), default=0.0)
        if most < best[0]:
            outputs = {name: layout for name, (_, layout) in zip(one.outputs, alike, strict=True)}
            best = most, {**layouts, **outputs}
        if most <= CLOSE:
            break
    return best[1]


def _combinations(
    feed: Mapping[str, Any], inputs: Sequence[Any], told: Mapping[str, Layout]
) -> Iterator[dict[str, Layout]]:
    """The layouts of all inputs that fit their shapes, those first that people use."""
    shapes = {spec.name: spec.shape for spec in inputs}
    every = []
    for name, array in feed.items():
        fitting = (permuted(p) for p in fitting_perms(array.shape, shapes[name]))
        every.append([told[name]] if name in told else [*fitting] or [natural(array.ndim)])
    for layouts in product(*every):
        yield dict(zip(feed, layouts, strict=True))
