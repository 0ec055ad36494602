"""Which models, and what each writes: for each the arguments of a run of its own; refused before any work."""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from rewriter.choices import TARGETS
from rewriter.errors import UsageError
from rewriter.files.json_file import check_json, is_stdout
from rewriter.files.outputs import check_outputs, identity, output_of, result_path
from rewriter.many.arguments import stands_for_models

RESULTS = tuple(f".{to}" for to in TARGETS)  # how their stems end


def tasks_of(args: argparse.Namespace) -> list[argparse.Namespace]:
    """The arguments for each of ``args.models``. Raises UsageError if what they would write is not theirs alone."""
    for option, path, suffix in (("-o", args.output, ".onnx"), ("--report", args.report, ".html")):
        _check_folder(option, path, suffix)
    if (args.bench or args.explain) and not args.report:
        raise UsageError("--bench and --explain tell of one model; for several add --report DIR, for a page of each")
    if args.bench and args.jobs > 1:
        raise UsageError("--bench times a model that runs alone; leave out --jobs")
    tasks = [_task(args, model) for path in args.models for model in _models(path)]
    _refuse_shared(args, tasks)
    return tasks


def _check_folder(option: str, path: Path | None, suffix: str) -> None:
    if path is None or os.path.isdir(path):
        return
    if os.path.lexists(path) or path.suffix == suffix:
        raise UsageError(f"{option} {path}: there are several models; give a folder for what is made of them")
    check_outputs({option: path / f"model{suffix}"})


def _models(path: Path) -> Sequence[Path]:
    """The models that a path stands for. Raises UsageError if a folder has none."""
    if not stands_for_models(path):
        return [path]
    found = sorted(file for file in path.glob("*.onnx") if file.is_file() and not _is_result(file))
    if not found:
        raise UsageError(f"{path} is a folder without models: it has no .onnx files, or only results of this tool")
    return found


def _is_result(file: Path) -> bool:
    """Whether it is named as the result of a model that is beside it."""
    original, target = os.path.splitext(file.stem)
    return target in RESULTS and file.with_name(f"{original}.onnx").exists()


def _task(args: argparse.Namespace, model: Path) -> argparse.Namespace:
    name = result_path(model, args.to).name
    own = {
        "model": model,
        "output": args.output and args.output / name,
        "report": args.report and (args.report / name).with_suffix(".html"),
        "save_repro": args.save_repro and args.save_repro / Path(name).stem,
        "json": None,
        "quiet": True,
    }
    return argparse.Namespace(**{**vars(args), **own})


def _refuse_shared(args: argparse.Namespace, tasks: Sequence[argparse.Namespace]) -> None:
    """Raises UsageError if two write one file, or one writes what is read."""
    check_json(args.json)
    told = {} if args.json is None or is_stdout(args.json) else {"--json": args.json}
    check_outputs(told)
    read = {known: task.model for task in tasks if (known := identity(task.model))}
    written: dict[object, str] = {}
    for who, path in [*told.items(), *((str(task.model), path) for task in tasks for path in _written(task))]:
        known = identity(path) or os.path.realpath(path)
        if known in read:
            raise UsageError(f"{path} would be written for {who}, and is a model to convert; leave one of them out")
        if other := written.get(known):
            raise UsageError(f"{path} would be written for {other} and for {who}; convert them one at a time")
        written[known] = who


def _written(task: argparse.Namespace) -> Iterator[Path]:
    yield from [] if task.dry_run else [output_of(task)]
    yield from filter(None, [task.report, task.save_repro])
