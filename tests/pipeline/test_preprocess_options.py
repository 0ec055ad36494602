"""``--preprocess`` as it is written, told, recorded in files and refused."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from passes.normalize.frame_readers import Readers
from rewriter import UsageError, VerificationError, rewrite, rewrite_many
from rewriter.cli import main
from rewriter.preprocess import FRAMES_KEY, frames_of, parse_frames
from rewriter.shapes.check import verify_model
from rewriter.validate_cli import main as validate_main
from tests.support.command import DIFFERS, NOT_VALIDATED, USAGE, convert, error
from tests.support.frames import IMAGENET, one_conv
from tests.support.graphs import FLOAT16, INT64, ROOT, model, node, random, value


def test_a_wrong_type_is_refused_by_verification() -> None:
    original = one_conv()
    made = rewrite(original, "nchw", preprocess={"x": "uint8"}).model
    ends = [
        {one.name: [dim.dim_value for dim in one.type.tensor_type.shape.dim] for one in side}
        for side in (made.graph.input, made.graph.output)
    ]
    verify_model(made, ends[0], ends[1], original, {"x": parse_frames("x", "uint8")})
    with pytest.raises(VerificationError, match="'x' is of type UINT8, the contract says FLOAT"):
        verify_model(made, ends[0], ends[1], original)


def test_files_know_their_frames(tmp_path: Path) -> None:
    """There and back, whoever is compared with whom; axes are counted as each file's."""
    files = [tmp_path / f"{name}.onnx" for name in "abcd"]
    onnx.save(one_conv(), files[0])
    rewrite(files[0], "nhwc", save_to=files[1])
    rewrite(files[1], "nhwc", preprocess={"x": IMAGENET}, save_to=files[2])
    rewrite(files[2], "nchw", save_to=files[3])
    record = json.loads({one.key: one.value for one in onnx.load(files[3]).metadata_props}[FRAMES_KEY])
    assert record["x"]["axis"] == 1  # of the first
    for one, other in ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3)):
        assert validate_main([str(files[one]), str(files[other]), "--runs", "1", "--providers", "cpu", "-q"]) == 0
    with pytest.raises(UsageError, match="frames already"):
        rewrite(files[2], preprocess={"x": "float32,bgr"})


def test_what_shows_a_fault_has_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its script feeds each model what that takes."""
    monkeypatch.setattr(Readers, "fixes_zero", "")
    path, folder = tmp_path / "net.onnx", tmp_path / "repro"
    onnx.save(one_conv(pads=[1, 1, 1, 1]), path)
    assert convert(path, "--preprocess", IMAGENET, "--save-repro", str(folder)) == DIFFERS
    shown = subprocess.run([sys.executable, folder / "show.py"], capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stderr) == (1, "")
    assert "They differ." in shown.stdout


def test_several_models(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(one_conv(), path)
    [record] = rewrite_many(path, preprocess={"x": IMAGENET}, providers=["cpu"], runs=1)
    assert record.code == 0
    assert FRAMES_KEY in {entry.key for entry in onnx.load(tmp_path / "net.nhwc.onnx").metadata_props}


def test_the_commands_of_the_page() -> None:
    commands = re.findall(r"^  --preprocess (\S+)$", (ROOT / "docs/preprocess.md").read_text(), re.M)
    assert [*frames_of(commands)] == ["input", ""]
    first, second = (parse_frames("", text) for text in frames_of(commands).values())
    assert np.allclose([first.gain, first.shift], [second.gain, second.shift])


def test_broken_records(tmp_path: Path) -> None:
    made = rewrite(one_conv(), preprocess={"x": IMAGENET}).model
    for text in ("[", "[]", '{"x": {}}', "[" * 100_000, '{"x": 1e999}'):
        kept = {one.key: one.value for one in made.metadata_props}
        helper.set_model_props(made, {**kept, FRAMES_KEY: text})
        onnx.save(made, tmp_path / "b.onnx")
        onnx.save(one_conv(), tmp_path / "a.onnx")
        assert validate_main([str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"), "-q"]) == NOT_VALIDATED
        assert validate_main([str(tmp_path / "b.onnx"), str(tmp_path / "b.onnx"), "-q"]) == 0  # of no consequence


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, data, report = tmp_path / "net.onnx", tmp_path / "frames.npz", tmp_path / "report.json"
    onnx.save(one_conv(pads=[1, 1, 1, 1]), path)
    np.savez(data, x=np.random.default_rng(0).integers(0, 256, (1, 3, 11, 13), np.uint8))
    options = ["--preprocess", IMAGENET, "--inputs", str(data), "--json", str(report), "--bench", "--check-all"]
    assert convert(path, *options) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "x takes frames of uint8, channels BGR" in said
    assert "not folded: the mean, for Conv conv1 pads with zeros, where it would need the mean." in said
    [one] = json.loads(report.read_text())["rewrite"]["preprocessed"]
    assert (one["into"], one["nodes"]) == (["Conv conv1"], ["Cast", "Sub"])
    for wrong in (random(1, 3, 11, 13), np.ones([1], np.uint8), np.ones([1, 4, 11, 13], np.uint8)):
        np.savez(data, x=wrong)
        assert convert(path, *options) == NOT_VALIDATED
        assert "Frames of shape" in error(capsys) or wrong.dtype == np.float32


WRONG = {
    "x:": "'' is not understood",
    "x:uint8,uint8": "'uint8' is not understood",
    "x:uint8,float32": "'float32' is not understood",
    "x:int8": "'int8' is not understood",
    "x:mean": "'mean' is not understood",
    "x:bgr=1": "'bgr=1' is not understood",
    "x:mean=": "'' is no number",
    "x:mean=1/0": "'1/0' is no number",
    "x:mean=1e999": "'1e999' is no number",
    "x:mean=0x1": "'0x1' is no number",
    "x:mean=1,2,std=1,2,3": "different numbers of channels",
    "x:scale=1,2": "scale is one number",
    "x:scale=0": "scale and std must be more than 0",
    "x:std=-1": "scale and std must be more than 0",
    "x:std=1e-9": "must be from",
    "x:mean=1e9": "must be from",
    "z:uint8": "no input 'z'",
    "x:mean=1,2": "has 3 channels, its frames have 2",
    "n:uint8": "takes no floats",
    "f:bgr": "has 4 channels, its frames have 3",
    "uint8": "say which input",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_makes_no_sense_is_said_in_a_sentence(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["y"]),
        node("Conv", ["f", "v"], ["z"]),
        node("Identity", ["n"], ["m"]),
    ]
    inputs = [value("x", [1, 3, 5, 7]), value("f", [1, 4, 5, 7], FLOAT16), value("n", [1], INT64)]
    outputs = [value("y", None), value("z", None, FLOAT16), value("m", None, INT64)]
    constants = {"w": random(2, 3, 1, 1), "v": random(2, 4, 1, 1).astype(np.float16)}
    onnx.save(model(nodes, inputs, outputs, constants), tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "--to", "nhwc", "-q", "--preprocess", text]) == USAGE
    assert WRONG[text] in error(capsys)


def test_an_input_that_is_an_output_cannot_take_frames() -> None:
    net = model([node("Relu", ["x"], ["y"])], {"x": [1, 3, 5, 7]}, {"y": None, "x": [1, 3, 5, 7]})
    with pytest.raises(UsageError, match="is an output, too"):
        rewrite(net, preprocess={"x": "uint8"})


def test_a_model_without_images_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(model([node("Identity", ["n"], ["m"])], [value("n", [1], INT64)], {"m": None}, {}), tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "--to", "nhwc", "--preprocess", "uint8"]) == USAGE
    assert capsys.readouterr().err == "error: --preprocess uint8: no input is an image of floats\n"
