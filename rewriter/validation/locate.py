"""Finds the first node where a rewritten model parts from its original.

Every value that exists in both is made an output of both, in batches of bounded memory, and compared in its own layout
by the rules of ``validate``. What differs need not be wrong: noise adds up on the way. So each such value, in the
original's order, is computed again in both models by the nodes alone that lie between it and the values before it,
from what these are in the original. The first one that differs so is the place. In float16 or bfloat16, which hide
mistakes, both models are asked in float32 first.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from passes.layout.layout import Layout, natural
from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.files.light import LightModel
from rewriter.validation.frames import frames_between, preprocessed
from rewriter.validation.inputs import InputRequest, make_raw_feeds
from rewriter.validation.layouts import Layouts, recorded, stored
from rewriter.validation.located import Located, Repro, Search, label, statistics
from rewriter.validation.measure import measure
from rewriter.validation.session import Feed, Session, dtype_of, proto, source
from rewriter.validation.tried import arrangement
from rewriter.validation.validate import Task, compare, float32_task, listened, reference_of
from rewriter.validation.values import Values
from rewriter.validation.verdict import Finding
from rewriter.validation.wider import coarse_types

BATCH_BYTES = 2**26  # of values that are compared at once; of each there are some six copies
UNSIZED = 2**20  # bytes that a value counts for whose size is not known

IN_FLOAT32 = "Values are compared with all float16 turned float32."
TRIED = "Values inside are compared in the layouts in which they agree best."
ELSEWHERE = "are not in the main graphs of both under one name"
IN_ANOTHER_ORDER = "are in an order that no perm explains"


def locate(
    original: ModelProto | str | Path,
    rewritten: ModelProto | str | Path,
    request: InputRequest,
    *,
    layouts: Layouts | None = None,
    values: Layouts | None = None,
    provider: str = "cpu",
    run: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
) -> Search:
    """Compares all values of two models on the inputs of one ``run`` of those that ``validate`` makes of ``request``.

    ``layouts``: those of inputs and outputs (``None``: as the metadata say). ``values``: those of all values that may
    be compared, by name, as ``RewriteResult.stored`` has them; ``None``: they are found by trying, which the result
    says. Raises ``CouldNotValidate`` where the original does not run.
    """
    with ExitStack() as stack:
        first, second = (source(model, stack) for model in (original, rewritten))
        try:
            session = Session(first, provider, "disabled")
            request = replace(request, takes=frames_between(original, rewritten))
            feed = make_raw_feeds(session, request)[run]
            if layouts is None:
                layouts = recorded(session.metadata, Session(second, provider, "disabled").metadata)
            del session
        except RunFailed as error:
            raise CouldNotValidate(f"The values inside cannot be compared: a model does not load ({error}).") from error
        task = Task(first, second, layouts, InputRequest(1, request.seed, {}, feed, request.takes), rtol, atol or 0.0)
        coarse = proto(first)
        if coarse_types(coarse):
            wide = float32_task(task, coarse, stack)
            with suppress(CouldNotValidate, RunFailed):  # of what has no float32
                found = _Pair(provider, wide, values, stack).search()
                if found.located is not None:
                    return replace(found, notes=(IN_FLOAT32, *found.notes))
        return _Pair(provider, task, values, stack).search()


@dataclass
class _Compared:
    """The values seen so far: ``layouts`` of those that are stored otherwise, the tensors that are ``known`` to both.

    Of those ``differing``, in the original's order, the first ``cleared`` do not when they are made alone.
    """

    layouts: dict[str, Layout]
    known: set[str]
    differing: list[str] = field(default_factory=list)
    cleared: int = 0
    compared: int = 0
    disordered: int = 0


class _Pair:
    """Two models, and how the second stores values of the first; ``feed`` has frames where the second takes these."""

    def __init__(self, provider: str, task: Task, values: Layouts | None, stack: ExitStack) -> None:
        self.provider, self.task, self.values, self.stack = provider, task, values, stack
        self.original, self.rewritten = Values(task.original), Values(task.rewritten)
        self.feed: Feed = dict(task.request.arrays)
        self.takes = task.request.takes

    def search(self) -> Search:
        common = [name for name in self.original.in_order() if name in self.rewritten.makers]
        if self.values is not None:
            common = [name for name in common if name in self.values]
        seen = _Compared(dict(self.task.layouts or {}), set(self.feed))
        for batch in self._batches(common):
            self._compare(batch, seen)
            for name in seen.differing[seen.cleared :]:
                found = self._alone(name, seen)
                if found is not None:
                    return self._search(seen, *found)
            seen.cleared = len(seen.differing)
        return self._search(seen)

    def _search(self, seen: _Compared, located: Located | None = None, repro: Repro | None = None) -> Search:
        others = len(self.original.makers) - seen.compared - seen.disordered if located is None else 0
        skipped = {why: n for why, n in ((ELSEWHERE, others), (IN_ANOTHER_ORDER, seen.disordered)) if n}
        notes = [] if self.values is not None else [TRIED]
        if located is None and seen.differing:
            notes.append(f"{len(seen.differing)} values differ, but none of them if its own nodes alone are run.")
        return Search(self.provider, seen.compared, skipped, located, tuple(notes), repro)

    def _batches(self, names: Sequence[str]) -> Iterator[list[str]]:
        """The values, so many at a time as may be held."""
        sizes, held = self._sizes(names) if names else {}, 0
        batch: list[str] = []
        for name in names:
            held += sizes[name]
            if batch and held > BATCH_BYTES:
                yield batch
                batch, held = [], sizes[name]
            batch.append(name)
        if batch:
            yield batch

    def _sizes(self, names: Sequence[str]) -> dict[str, int]:
        """Bytes of values, by one run."""
        with ExitStack() as stack:
            session = Session(self.original.giving(names, stack), self.provider, "disabled")
        kinds = {spec.name: dtype_of(spec.type) for spec in session.specs}
        del session
        sizes = {name: dtype.itemsize for name, dtype in kinds.items() if dtype is not None}
        shapes = measure(LightModel(proto(self.task.original)), self.task.request, [*sizes])
        return {name: math.prod(shapes[name]) * sizes[name] if name in shapes else UNSIZED for name in names}

    def _compare(self, batch: Sequence[str], seen: _Compared) -> None:
        """See which values of a batch differ."""
        with ExitStack() as stack:
            models = [side.giving(batch, stack) for side in (self.original, self.rewritten)]
            layouts = self._layouts(models, batch)
            seen.layouts |= {name: layout for name, layout in layouts.items() if not layout.is_natural}
            mine = {name: seen.layouts[name] for name in (*self.feed, *batch) if name in seen.layouts}
            task = replace(self.task, original=models[0], rewritten=models[1], layouts=mine, shaken=None)
            reference = reference_of(self.provider, task)
            findings = compare(self.provider, task, reference).findings
        failed = [finding.difference.text for finding in findings if finding.where is None]
        if failed and len(failed) == len(findings):
            raise CouldNotValidate(f"The values inside cannot be compared: the rewritten model {failed[0]}.")
        arrays = {n for n, value in zip(batch, reference.values[0], strict=True) if isinstance(value, np.ndarray)}
        suspects = {finding.where.output for finding in findings if finding.where and finding.excess > 1}
        seen.compared += len(layouts)
        seen.disordered += len(batch) - len(layouts)
        seen.known |= arrays & layouts.keys()
        seen.differing += [name for name in batch if name in suspects & arrays & layouts.keys()]

    def _layouts(self, models: Sequence[bytes | str], batch: Sequence[str]) -> dict[str, Layout]:
        """How the values of a batch are stored, as far as that can be told."""
        if self.values is not None:
            return {name: self.values[name] for name in batch}
        feeds = preprocessed(self.feed, self.takes), self._stored(self.feed, self.task.layouts or {})
        try:
            results = [
                Session(model, self.provider, "disabled").run(feed) for model, feed in zip(models, feeds, strict=True)
            ]
        except RunFailed as error:
            raise CouldNotValidate(f"The values inside cannot be compared: a model does not run ({error}).") from error
        found = {name: arrangement(*pair) for name, pair in zip(batch, zip(*results, strict=True), strict=True)}
        told = self.task.layouts or {}
        found |= {name: told.get(name, natural(None)) for name in batch if name in self.original.outputs}
        return {name: layout for name, layout in found.items() if layout is not None}

    def _alone(self, name: str, seen: _Compared) -> tuple[Located, Repro] | None:
        """What differs if a value is made by its own nodes from what these read in the original, if anything does."""
        known = seen.known - {name}
        (nodes, read), (others, also) = (side.between(known, name) for side in (self.original, self.rewritten))
        feed = self._made(sorted(read | also))
        layouts = {one: seen.layouts[one] for one in (*feed, name) if one in seen.layouts}
        moved = self._stored(feed, layouts)
        takes = {one: frames for one, frames in self.takes.items() if one in feed}
        mine = preprocessed(feed, takes)
        parts = [self.original.part(nodes, mine, name), self.rewritten.part(others, moved, name)]
        shaken = [Values(self.task.shaken).part(others, moved, name)] if self.task.shaken is not None else []
        with ExitStack() as stack:
            models = [source(part, stack) for part in (*parts, *shaken)]
            request = InputRequest(1, self.task.request.seed, {}, feed, takes)
            task = Task(models[0], models[1], layouts, request, self.task.rtol, self.task.atol, *models[2:])
            found = self._clearly(task, moved)
        if found is None:
            return None
        labels = [
            tuple(label(side.nodes[i]) for i in some)
            for side, some in ((self.original, nodes), (self.rewritten, others))
        ]
        repro = Repro(name, parts[0], parts[1], mine, moved, layouts, self.provider, found[0].rtol)
        return _located(name, labels, layouts.get(name), *found), repro

    def _clearly(self, task: Task, moved: Feed) -> tuple[Finding, Any, Any] | None:
        """How two models of one output differ by more than noise, and what they give."""
        try:
            reference = reference_of(self.provider, task)
            findings = listened(self.provider, task, reference, compare(self.provider, task, reference)).findings
        except CouldNotValidate:
            return None
        for finding in findings:
            if finding.where and finding.excess > 1 and not finding.is_noise:
                got = Session(task.rewritten, self.provider, finding.where.level).run(moved)
                return finding, reference.values[0][0], got[0]
        return None

    def _made(self, names: Sequence[str]) -> Feed:
        """What the original makes, or is given."""
        made = [name for name in names if name not in self.feed]
        feed = {name: self.feed[name] for name in names if name in self.feed}
        if made:
            with ExitStack() as stack:
                session = Session(self.original.giving(made, stack), self.provider, "disabled")
                feed |= zip(made, session.run(preprocessed(self.feed, self.takes)), strict=True)
        return feed

    def _stored(self, feed: Feed, layouts: Layouts) -> Feed:
        """Values as the rewritten model stores them."""
        return {name: stored(name, array, layouts) for name, array in feed.items()}


def _located(
    name: str, labels: Sequence[tuple[str, ...]], layout: Layout | None, finding: Finding, expected: Any, got: Any
) -> Located:
    difference, where = finding.difference, finding.where
    return Located(
        value=name,
        nodes=labels[0],
        rewritten_nodes=labels[1],
        layout=None if layout is None else str(layout),
        text=difference.text,
        index=where.index if where else None,
        error=difference.relative if math.isfinite(difference.absolute) else None,
        original=statistics(expected),
        rewritten=statistics(got),
    )
