"""Files of frameworks given as MODEL: one sentence that says how to make an ONNX model of them."""

import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy

from rewriter import cli
from rewriter.files.no_models import NO_MODELS
from rewriter.weights import cli as weights_cli
from tests.support.graphs import conv, model, random

USAGE = 2


def zipped() -> bytes:
    """As PyTorch's, Keras's and NumPy's files are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", b"\x80\x02}q\x00.")
    return file.getvalue()


COMMANDS = {
    "rewriter": lambda path, output: cli.main([path, "--to", "nhwc", "-o", output]),
    "weights": lambda path, output: weights_cli.main([path, "--for", "keras", "-o", output]),
}
CONTENT = {
    ".weights.h5": b"\x89HDF\r\n\x1a\n" + bytes(64),
    ".safetensors": safetensors.numpy.save({"w": np.zeros((3, 5))}),
    ".msgpack": b"\x81\xa6params\x80",
}


@pytest.mark.parametrize(
    ("command", "ending"),
    [(command, ending) for command in COMMANDS for ending in NO_MODELS],
)
def test_how_to_export_is_told(command: str, ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"Net{ending.upper() if ending == '.pt' else ending}"
    path.write_bytes(CONTENT.get(ending, zipped()))
    assert COMMANDS[command](str(path), str(tmp_path / "y.npz")) == USAGE
    assert capsys.readouterr().err == f"error: {path}: {NO_MODELS[ending]}\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_that_is_told_names_files_of_this_tool() -> None:
    """What is said to be taken as --checkpoint is."""
    from rewriter.weights.files.checkpoint import READERS

    assert {ending for ending, told in NO_MODELS.items() if "--checkpoint" in told} == READERS.keys()


def test_an_onnx_model_of_any_name_is_one(tmp_path: Path) -> None:
    proto = model([conv("x", "y")], {"x": [2, 3, 5, 7]}, {"y": None}, {"w": random(10, 3, 3, 3)})
    for ending in (".pb", ".bin"):
        path = tmp_path / f"net{ending}"
        path.write_bytes(proto.SerializeToString())
        assert weights_cli.main([str(path), "--for", "keras", "-q"]) == 0
        assert cli.main([str(path), "--to", "nhwc", "-q", "-o", str(tmp_path / "y.onnx")]) == 0
        assert onnx.load(tmp_path / "y.onnx").graph.node
