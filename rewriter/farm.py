"""Many models from Python, on whatever engine runs a ``concurrent.futures.Executor``."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, as_completed
from functools import partial
from pathlib import Path
from typing import Any

from rewriter.choices import TARGETS
from rewriter.cli import checked, parser, run
from rewriter.command import INTERNAL
from rewriter.errors import UsageError
from rewriter.many.record import Record, converted, failed
from rewriter.many.tasks import tasks_of

Arguments = argparse.Namespace


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]


def _shapes(values: Mapping[str, Iterable[int]]) -> list[str]:
    return _pairs({name: ",".join(map(str, sizes)) for name, sizes in values.items()})


OPTIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {  # as rewrite and validate name them; on the command line
    **{name: (name, lambda value: value) for name in ("dialect", "runtime", "weight_layout", "keep_io", "explain")},
    **{name: (name, lambda value: value) for name in ("runs", "seed", "rtol", "atol", "check_all", "dry_run")},
    **{name: (name, Path) for name in ("inputs", "report", "save_repro")},
    "layouts": ("layout", _pairs),
    "input_shapes": ("input_shape", _shapes),
    "providers": ("providers", ",".join),
    "preprocess": ("preprocess", lambda texts: [f"{name}:{text}" for name, text in texts.items()]),
    "tf_signature": ("tf_signature", str),
    **{name: (name, ",".join) for name in ("tf_inputs", "tf_outputs")},
}


def rewrite_many(
    paths: str | Path | Iterable[str | Path],
    to: str = "nhwc",
    *,
    executor: Executor | None = None,
    output: str | Path | None = None,
    validate: bool = True,
    **options: Any,
) -> Iterator[Record]:
    """Convert many models, each as the command line does one, and give a record of each as soon as it is done.

    ``paths``: files, or folders, which stand for the models in them. ``executor``: where to work, on the same files;
    ``None``: here, one after the other, whenever a record is asked for. ``output``: a folder for all results; else each
    is beside its model. ``options``: those of ``rewrite`` and ``validate`` that can be written on the command line
    (``dialect``, ``runtime``, ``weight_layout``, ``layouts``, ``keep_io``, ``preprocess``, ``input_shapes``,
    ``explain``; ``runs``, ``seed``, ``rtol``, ``atol``, ``providers``, ``inputs``, a file) and ``tf_signature``,
    ``tf_inputs``, ``tf_outputs``, ``check_all``, ``save_repro``, ``report``, ``dry_run``, as they are there.

    What goes wrong with a model is in its record, the end of its worker, too. No more than what has begun is done once
    the iterator is closed. Raises, before any work, UsageError, if an option is wrong or two would write one file, and
    TypeError, if there is no such option.
    """
    tasks = tasks_of(_arguments(paths, to, output, validate, options))
    if executor is None:
        return map(partial(converted, run), tasks)
    return _records({executor.submit(converted, run, task): task for task in tasks})


def _arguments(
    paths: str | Path | Iterable[str | Path],
    to: str,
    output: str | Path | None,
    validate: bool,
    options: Mapping[str, Any],
) -> Arguments:
    models = [Path(paths)] if isinstance(paths, str | Path) else [*map(Path, paths)]
    if not models or to not in TARGETS:
        raise UsageError(f"rewrite_many needs a model at least, and to={' or '.join(TARGETS)}, not {to!r}")
    if unknown := [*options.keys() - OPTIONS.keys()]:
        raise TypeError(f"rewrite_many has no option {', '.join(sorted(unknown))}; it has {', '.join(OPTIONS)}")
    args = parser().parse_args([*map(str, models), "--to", to])
    args.output, args.no_validate = output and Path(output), not validate
    for name, value in options.items():
        there, spelled = OPTIONS[name]
        setattr(args, there, None if value is None else spelled(value))
    checked(args)
    return args


def _records(futures: Mapping[Future[Record], Arguments]) -> Iterator[Record]:
    try:
        for future in as_completed(futures):
            yield _record(future, futures[future])
    finally:
        for future in futures:
            future.cancel()


def _record(future: "Future[Record]", task: Arguments) -> Record:
    try:
        return future.result()
    except Exception as error:  # whatever engines say of a worker that is no more
        said = f"the worker that had it has ended, or lost it ({type(error).__name__}: {error})"
        return failed(task, INTERNAL, f"{task.model}: {' '.join(said.split())}", 0.0)
