"""IREE: the file is imported, compiled for this machine's processor and run in one thread."""

import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from iree import runtime

from tests.tools.elsewhere import loaded

TOOLS = Path(sys.executable).parent
TARGET = (
    "--iree-hal-target-device=local",
    "--iree-hal-local-target-device-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=host",
)


class Loaded(loaded.Loaded):
    about = f"IREE {version('iree-base-runtime')}, llvm-cpu, local-sync"

    def __init__(self, path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            module, file = Path(folder, "module.mlir"), Path(folder, "module.vmfb")
            ran("import", [TOOLS / "iree-import-onnx", path, "--opset-version", "17", "-o", module])
            ran("compile", [TOOLS / "iree-compile", module, *TARGET, "-o", file])
            bound = runtime.load_vm_flatbuffer(file.read_bytes(), driver="local-sync")
        (name,) = (name for name in bound.vm_module.function_names if "$" not in name and not name.startswith("__"))
        self._function = bound[name]

    def run(self, array: Any) -> Any:
        return self._function(array).to_host()


def ran(what: str, command: list[Any]) -> None:
    """Runs a tool. Raises ValueError with its first error."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        why = re.search(r"error: (.*)", done.stderr)
        operator = re.search(r'name = "(onnx\.\w+)"', why[1] if why else "")
        said = re.sub(r"to be \d+, but found \d+", "of another size", why[1] if why else done.stderr)
        raise ValueError(f"IREE does not {what} {operator[1] if operator else 'it'}: {said}")
