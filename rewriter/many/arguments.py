"""MODEL on the command line: one, or several, or folders of them."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rewriter.frontends import front_end_of, kinds

MOST_JOBS = 1024
HELP = f"""the model to convert ({", ".join(kinds())}; what is not ONNX needs the extra tf or pt2); it is never written
to. Several, or a folder, which stands for its *.onnx but for results beside their originals (net.nhwc.onnx beside
net.onnx), are converted each in a process of its own, all with the options given; what becomes of one is of no
consequence to the others"""


class _Models(argparse.Action):
    """``model`` is the first; ``many``: whether that is not all."""

    def __call__(self, _: Any, namespace: argparse.Namespace, values: Any, __: str | None = None) -> None:
        given: Sequence[Path] = values
        namespace.model, namespace.models = given[0], given
        namespace.many = len(given) > 1 or stands_for_models(given[0])


def stands_for_models(path: Path) -> bool:
    """Whether it is a folder of models, and none itself."""
    return os.path.isdir(path) and front_end_of(path) is None  # both are false of what cannot be


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add MODELs and ``--jobs``."""
    parser.add_argument("model", metavar="MODEL", type=Path, nargs="+", action=_Models, help=HELP)
    parser.add_argument("--jobs", type=_jobs, default=1, metavar="N",
                        help="how many models to convert at a time (default: %(default)s)")  # fmt: skip
    parser.set_defaults(told=None)  # who is handed the report as a document, besides


def _jobs(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= MOST_JOBS:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST_JOBS:,}")
