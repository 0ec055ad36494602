"""OpenVINO's CPU plugin, which reads TFLite files, too."""

from pathlib import Path
from typing import Any

import openvino

from tests.tools.elsewhere import loaded

SETTINGS = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}


class Loaded(loaded.Loaded):
    about = f"openvino {openvino.__version__.split('-')[0]}, CPU plugin"

    def __init__(self, path: Path) -> None:
        core = openvino.Core()
        self._request = core.compile_model(core.read_model(path), "CPU", SETTINGS).create_infer_request()

    def run(self, array: Any) -> Any:
        return self._request.infer([array], share_inputs=True)[0]
