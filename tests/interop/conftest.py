"""Frameworks quiet, on the CPU, and with few threads; set before any of them is imported."""

import os
from typing import Any

import pytest

from tests.interop.noted import largest, note

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["JAX_PLATFORMS"] = "cpu"


def pytest_sessionfinish(session: Any) -> None:
    """A worker of pytest-xdist hands over what it has noted."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["largest"] = largest


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Of a worker that has ended; one that died has noted nothing."""
    for file, error in getattr(node, "workeroutput", {}).get("largest", {}).items():
        note(error, file)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for file, error in sorted(largest.items()):
        terminalreporter.write_line(f"{file}: largest error {error:.1e}")
