"""ncnn, whose files pnnx makes of ONNX files. It has no batch axis: the one of size 1 is taken off and put back."""

import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ncnn
import numpy as np

from tests.tools.elsewhere import loaded

PNNX = Path(sys.executable).with_name("pnnx")


class Loaded(loaded.Loaded):
    about = f"ncnn {version('ncnn')} by pnnx {version('pnnx')}"

    def __init__(self, path: Path) -> None:
        self._net = ncnn.Net()
        self._net.opt.num_threads = 1
        for setting in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "bf16_packed"):
            setattr(self._net.opt, f"use_{setting}", False)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "model.onnx")
            file.write_bytes(path.read_bytes())
            # pnnx ends with 0 also where it fails, and says much
            subprocess.run([PNNX, file, "fp16=0"], cwd=folder, capture_output=True, check=False)
            if not file.with_suffix(".ncnn.param").exists():
                raise ValueError("pnnx writes no file.")
            if self._net.load_param(str(file.with_suffix(".ncnn.param"))):
                raise ValueError(f"What pnnx wrote: {foreign(file.with_suffix('.ncnn.param'))}")
            if self._net.load_model(str(file.with_suffix(".ncnn.bin"))):
                raise ValueError("ncnn does not read the weights that pnnx wrote.")

    def run(self, array: Any) -> Any:
        with self._net.create_extractor() as extractor:
            extractor.input("in0", ncnn.Mat(array[0]))
            code, found = extractor.extract("out0")
        if code:
            raise ValueError(f"ncnn does not run what pnnx wrote (code {code}).")
        return np.array(found)[np.newaxis]


def foreign(file: Path) -> str:
    """The layers of a file that ncnn does not have: pnnx keeps operators that it cannot translate."""
    kinds = {line.split()[0] for line in file.read_text().splitlines()[2:]}
    return f"ncnn has no layer {', '.join(sorted(kind for kind in kinds if ncnn.layer_to_index(kind) < 0))}."
