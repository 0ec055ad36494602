"""The largest error that a comparison has found, as a fraction of the original's scale, by file of tests."""

import os

largest: dict[str, float] = {}  # printed at the end


def note(error: float, file: str = "") -> None:
    """Of the test that runs, or of a ``file`` of tests."""
    file = file or os.environ["PYTEST_CURRENT_TEST"].partition("::")[0].rpartition("/")[-1]
    largest[file] = max(largest.get(file, 0.0), error)
