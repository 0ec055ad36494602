"""Frameworks quiet, on the CPU, and with few threads; set before any of them is imported."""

import os
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["JAX_PLATFORMS"] = "cpu"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The largest error of each file of tests, as a fraction of the original's scale."""
    from tests.interop.common import largest

    for file, error in sorted(largest.items()):
        terminalreporter.write_line(f"{file}: largest error {error:.1e}")
