"""Reports as JSON: to a file, which appears whole or not at all, or to stdout."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewriter.errors import UsageError
from rewriter.files.whole import write_whole


def is_stdout(path: Path | None) -> bool:
    """Whether ``-`` is given for a path."""
    return str(path) == "-"


def check_json(path: Path | None) -> None:
    """Raises UsageError if it is to be written to stdout, which is closed."""
    if is_stdout(path) and sys.__stdout__ is None:
        raise UsageError("--json -: stdout is closed; give a path")


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write plain data; the path may be ``-``."""
    text = json.dumps(data, indent=2) + "\n"
    if is_stdout(path):
        sys.stdout.write(text)
    else:
        write_whole(path, text)
