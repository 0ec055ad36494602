"""OpenCV's DNN module, which reads TFLite files, too, and turns these: images go in channels first."""

from pathlib import Path
from typing import Any

import cv2

from tests.tools.elsewhere import loaded

READERS = {".onnx": cv2.dnn.readNetFromONNX, ".tflite": cv2.dnn.readNetFromTFLite}
cv2.setNumThreads(1)


class Loaded(loaded.Loaded):
    about = f"OpenCV {cv2.__version__}, DNN module"

    def __init__(self, path: Path) -> None:
        self._net = READERS[path.suffix](str(path))
        self._turns = path.suffix == ".tflite"

    def run(self, array: Any) -> Any:
        self._net.setInput(array.transpose(0, 3, 1, 2).copy() if self._turns and array.ndim == 4 else array)
        return self._net.forward()
