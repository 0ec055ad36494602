"""Every committed net and net of the zoo as a TFLite file: is it right, how many Transposes, how large.

``.venv-interop/bin/python -m tests.tools.tflite_zoo [MODELS]`` prints a table (several minutes for all).
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rewriter.backends.arguments import LAYOUT
from rewriter.backends.base import Job
from rewriter.backends.packages import silence
from rewriter.backends.tflite import BACKEND
from rewriter.backends.validate import Proof, validate
from rewriter.errors import RewriterError
from rewriter.pipeline import rewrite
from rewriter.validation.inputs import InputRequest
from rewriter.validation.layouts import of_perms

FOLDERS = ("models", "models/kinds", "models/zoo")
RUNS = 2
LONGEST = 150  # letters of a reason


class Row(NamedTuple):
    """What became of a net: ``planned``, ``written``: Transposes of the plan, and of the file."""

    name: str
    verdict: str
    planned: int = 0
    written: int = 0
    size: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        """As a line of a table in Markdown."""
        numbers = f"{self.planned} | {self.written} | {self.size / 1e6:.2f} | {self.seconds:.1f}"
        return f"| {self.name} | {self.verdict[:LONGEST]} | {numbers if self.size else ' | | | '} |"


def operators(file: bytes) -> Counter[str]:
    """How many there are of each operator in a TFLite file."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    model = schema.ModelT.InitFromPackedBuf(file, 0)
    codes = [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    return Counter(codes[operator.opcodeIndex] for graph in model.subgraphs for operator in graph.operators)


def converted(path: Path, folder: Path) -> Row:
    """Convert a net and compare it with onnxruntime's results."""
    begin, name = time.perf_counter(), str(path.relative_to("models")).removesuffix(".onnx")
    try:
        result = rewrite(path, "nhwc", weight_layout=LAYOUT, runtime=BACKEND.prices, graphs=False, measure_on={})
        written = BACKEND.write(Job(result.model, name), folder, None)
        with silence(quiet=True):
            proof = Proof(path, BACKEND, written, of_perms(result.layouts), InputRequest(RUNS, 0, {}, {}))
            (verdict,) = validate(proof).providers
    except RewriterError as error:
        return Row(name, f"refused: {' '.join(str(error).split())}")
    file = written.file.read_bytes()
    planned = sum(node.op_type == "Transpose" for node in result.model.graph.node)
    said = f"right ({verdict.max_rel or 0:.0e})" if verdict.status == "passed" else f"WRONG: {verdict.reason}"
    return Row(name, said, planned, operators(file)["TRANSPOSE"], len(file), time.perf_counter() - begin)


def rows(paths: Sequence[Path]) -> Iterator[Row]:
    """A row for each, as they come."""
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            yield converted(path, Path(folder))


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    paths = [*map(Path, arguments)] or [path for folder in FOLDERS for path in sorted(Path(folder).glob("*.onnx"))]
    print("| net | verdict (largest error) | Transposes planned | written | MB | s |\n|---|---|---:|---:|---:|---:|")
    right = 0
    for row in rows(paths):
        right += row.verdict.startswith("right")
        print(row, flush=True)
    print(f"\n{right} of {len(paths)} are right.")


if __name__ == "__main__":
    main(sys.argv[1:])
