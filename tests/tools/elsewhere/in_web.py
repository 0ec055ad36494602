"""onnxruntime-web: its WebAssembly build, one thread, in Node.js, which `in_web.mjs` is run by."""

import json
import os
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import numpy as np

from tests.tools.elsewhere import loaded


class Loaded(loaded.Loaded):
    about = "onnxruntime-web"

    def __init__(self, path: Path) -> None:
        command = ["node", str(Path(__file__).with_suffix(".mjs")), os.environ["ELSEWHERE"], str(path)]
        self._node = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.about = self._answer()["about"]

    def run(self, array: Any) -> Any:
        self._ask(array)
        found = self._answer()
        return np.frombuffer(b64decode(found["data"]), np.float32).reshape(found["shape"])

    def seconds(self, array: Any) -> float:
        """Of the inference alone: what goes to Node.js and back is not counted."""
        self._ask(array)
        return float(self._answer()["seconds"])

    def _ask(self, array: Any) -> None:
        assert self._node.stdin
        print(json.dumps({"shape": array.shape, "data": b64encode(array.tobytes()).decode()}), file=self._node.stdin)
        self._node.stdin.flush()

    def _answer(self) -> Any:
        assert self._node.stdout
        line = self._node.stdout.readline()
        if not line:
            raise ValueError(f"Node.js ended with code {self._node.wait()}.")
        answer = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer
