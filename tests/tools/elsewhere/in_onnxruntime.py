"""onnxruntime's CPU provider, as it optimises by default."""

from pathlib import Path
from typing import Any

import onnxruntime as ort

from tests.tools.elsewhere import loaded


class Loaded(loaded.Loaded):
    about = f"onnxruntime {ort.__version__}, CPU provider"

    def __init__(self, path: Path) -> None:
        settings = ort.SessionOptions()
        settings.intra_op_num_threads, settings.log_severity_level = 1, 4
        self._session = ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        self._name = self._session.get_inputs()[0].name

    def run(self, array: Any) -> Any:
        return self._session.run(None, {self._name: array})[0]
