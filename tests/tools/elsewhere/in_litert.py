"""LiteRT's interpreter with its usual kernels (XNNPACK where it takes a node)."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from ai_edge_litert.interpreter import Interpreter

from tests.tools.elsewhere import loaded


class Loaded(loaded.Loaded):
    about = f"LiteRT {version('ai-edge-litert')}"

    def __init__(self, path: Path) -> None:
        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._input, self._output = (
            ends[0]["index"] for ends in (self._interpreter.get_input_details(), self._interpreter.get_output_details())
        )
        self._interpreter.allocate_tensors()

    def run(self, array: Any) -> Any:
        self._interpreter.set_tensor(self._input, array)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)
