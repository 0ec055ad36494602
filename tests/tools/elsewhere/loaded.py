"""What a runtime's file has to give. It stands in an environment with numpy and that runtime only."""

import time
from pathlib import Path
from typing import Any


class Loaded:
    """A file with one input and one output in a runtime, in float32 and on one thread."""

    about: str
    """The runtime and its version."""

    def __init__(self, path: Path) -> None:
        """Raises whatever the runtime raises where it refuses the file."""
        raise NotImplementedError

    def run(self, array: Any) -> Any:
        """The output's array."""
        raise NotImplementedError

    def seconds(self, array: Any) -> float:
        """Processor time of one inference."""
        begin = time.process_time()
        self.run(array)
        return time.process_time() - begin
