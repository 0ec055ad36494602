"""Several models on one command line: each in a child process, as a run of its own; a table, the worst exit code."""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rewriter.command import Run, clear_away, code_of, memory_of, tell
from rewriter.errors import Ended
from rewriter.files.json_file import is_stdout, write_json
from rewriter.many.children import Job, Limits, in_children
from rewriter.many.record import Record, converted, failed, worst
from rewriter.many.tasks import tasks_of

Tasks = Sequence[argparse.Namespace]
Done = Callable[[int, Record], None]


def convert_all(run: Run, check: Callable[[argparse.Namespace], Any], args: argparse.Namespace, *, apart: bool) -> int:
    """Convert all models, ``apart`` in child processes, else here, one after the other; the worst of the exit codes.

    ``run`` converts one, ``check`` raises UsageError if an option is wrong, as what writes to one file does: then
    nothing was done.
    """
    check(args)
    tasks = tasks_of(args)
    from rewriter.many.summary import document, progress, summarised
    from rewriter.report.text import plain_console

    console, begin = plain_console(quiet=args.quiet or is_stdout(args.json)), time.perf_counter()
    records: dict[int, Record] = {}
    with progress(console, len(tasks)) as shown:
        work = _apart if apart else _here
        work(run, tasks, records.__setitem__, lambda: shown([*records.values()]))
    ordered, seconds = [records[index] for index in range(len(tasks))], time.perf_counter() - begin
    summarised(console, ordered, seconds, dry=args.dry_run)
    for record in filter(lambda record: record.error, ordered):  # of options, sentences need not say whose
        tell(record.error if record.model in record.error else f"{record.model}: {record.error}")
    if args.json:
        write_json(args.json, document(ordered, seconds))
    return worst(record.code for record in ordered)


def _here(run: Run, tasks: Tasks, done: Done, tick: Callable[[], None]) -> None:
    for index, task in enumerate(tasks):
        tick()
        done(index, converted(run, task))


def _apart(run: Run, tasks: Tasks, done: Done, tick: Callable[[], None]) -> None:
    """Once for all, what runs need is imported, but for onnxruntime."""
    from rewriter import comparison, conversion  # noqa: F401
    from rewriter.report import document, page  # noqa: F401

    def ended(index: int, answer: Record | Ended, seconds: float) -> None:
        if isinstance(answer, Ended):
            clear_away(tasks[index])
            answer = failed(tasks[index], code_of(answer), str(answer), seconds)
        done(index, answer)

    limits = Limits(tasks[0].jobs, tasks[0].timeout, memory_of(tasks[0]))
    try:
        in_children([Job(partial(converted, run, task), str(task.model)) for task in tasks], limits, ended, tick)
    except KeyboardInterrupt:
        for task in tasks:
            clear_away(task)
        raise
