"""The command line: one-sentence errors for models that cannot be read and options that make no sense."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import ModelProto

from rewriter.cli import main
from rewriter.interface import LAYOUTS_KEY
from tests.support.command import (
    USAGE,
    convert,
    error,
    folder,
    image_net,
)


def garbage(path: Path) -> None:
    path.write_bytes(b"\xff\xfe not a model \x00" * 9)


def text(path: Path) -> None:
    path.write_text("# Not a model\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:400])


def missing(path: Path) -> None:
    path.unlink()


def without_opset(path: Path) -> None:
    broken = image_net()
    del broken.opset_import[:]
    path.write_bytes(broken.SerializeToString())


def without_its_data(path: Path) -> None:
    onnx.save(image_net(), path, save_as_external_data=True, location="data", size_threshold=0)
    path.with_name("data").unlink()


@pytest.mark.parametrize("spoil", [garbage, text, empty, a_folder, half, missing, without_opset, without_its_data])
def test_unreadable_models(path: Path, spoil: Callable[[Path], None], capsys: pytest.CaptureFixture[str]) -> None:
    spoil(path)
    before = folder(path)
    assert convert(path) == USAGE
    message = error(capsys)
    assert str(path) in message or "data" in message or "opset" in message or "operator set" in message
    assert folder(path) == before


def undeclared_domain(m: ModelProto) -> None:
    m.graph.node[1].domain = "nowhere"


def dangling(m: ModelProto) -> None:
    m.graph.node[1].input[0] = "nowhere"


def cycle(m: ModelProto) -> None:
    m.graph.node[0].input[0] = "y"


def output_of_no_node(m: ModelProto) -> None:
    m.graph.output[0].name = "nowhere"


def too_little_data(m: ModelProto) -> None:
    m.graph.initializer[0].raw_data = b"1234"


def broken_record(m: ModelProto) -> None:
    m.metadata_props.add(key=LAYOUTS_KEY, value='{"x": {"from": "NCHW", "perm": [0, 1]}}')


INVALID = [
    (undeclared_domain, "No opset import for domain 'nowhere'"),
    (dangling, "'nowhere'"),
    (cycle, "'y'"),
    (output_of_no_node, "'nowhere'"),
    (too_little_data, "tensor 'w' has 4 bytes"),
    (broken_record, LAYOUTS_KEY),
]


@pytest.mark.parametrize(("spoil", "message"), INVALID, ids=lambda item: getattr(item, "__name__", ""))
def test_invalid_models(
    path: Path, spoil: Callable[[ModelProto], None], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoiled = image_net()
    spoil(spoiled)
    onnx.save(spoiled, path)
    assert convert(path) == USAGE
    assert message in error(capsys)
    assert folder(path) == {"net.onnx"}


MISTAKES = [
    (["--layout", "nope=nhwc"], "no input or output 'nope'; it has 'x', 'z', 'y', 'means'"),
    (["--layout", "c=nhwc"], "no input or output 'c'"),
    (["--layout", "x"], "--layout x: write NAME=VALUE"),
    (["--layout", "=nhwc"], "--layout =nhwc: write NAME=VALUE"),
    (["--layout", "x=nhcw"], "layout of 'x' is 'nhcw': write nhwc, nchw, keep, the letters wanted"),
    (["--layout", "x=NWHC"], "layout of 'x' is 'NWHC': write nhwc"),
    (["--layout", "x=NWC"], "'x' has 4 axes, the layout asked for it has 3"),
    (["--layout", "x=NTWC"], "'x' is NCHW, which cannot be stored as NTWC"),
    (["--layout", "x=a b c d -> a b d"], "both sides must name the same axes, each once"),
    (["--layout", "x=a b c -> a c b"], "'x' has 4 axes, the layout asked for it has 3"),
    (["--layout", "means=nhwc"], "'means' has 2 axes; nhwc is for 3, 4 or 5"),
    (["--input-shape", "nope=1,3,5,7"], "no input or output 'nope'"),
    (["--input-shape", "x"], "--input-shape x: write NAME=VALUE"),
    (["--input-shape", "x=1,3,a,7"], "--input-shape x=1,3,a,7: write NAME=1,3,224,224"),
    (["--input-shape", "x=1,3,-5,7"], "write NAME=1,3,224,224, sizes from 0 to 2,147,483,647"),
    (["--input-shape", f"x=1,3,{10**30},7"], "write NAME=1,3,224,224, sizes from 0 to 2,147,483,647"),
    (["--input-shape", "x=1,3,\u00b2,7"], "write NAME=1,3,224,224, sizes from 0 to 2,147,483,647"),
    (["--seed", "-1"], "--seed is -1; give 0 or more"),
    (["--runs", "0"], "--runs is 0; give a number from 1 to 10,000"),
    (["--runs", "1000000000"], "--runs is 1000000000; give a number from 1 to 10,000"),
    (["--rtol", "-1"], "--rtol is -1.0; give a fraction of an output's scale, from 0 to less than 1"),
    (["--rtol", "1"], "--rtol is 1.0; give a fraction"),
    (["--rtol", "nan"], "--rtol is nan; give a fraction"),
    (["--rtol", "inf"], "--rtol is inf; give a fraction"),
    (["--atol", "-0.1"], "--atol is -0.1; give a number from 0 on"),
    (["--atol", "inf"], "--atol is inf; give a number from 0 on"),
    (["--atol", "nan"], "--atol is nan; give a number from 0 on"),
    (["--inputs", "nowhere.npz"], "nowhere.npz"),
    (["--providers", "cpu,cuda:tf32"], "--providers cpu,cuda:tf32: 'cuda:tf32': write cuda:OPTION=VALUE"),
    (["--providers", "tpu"], "--providers tpu: 'tpu' is not one of cpu, cuda, tensorrt, openvino"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES, ids=lambda item: " ".join(item) if item[0][0] == "-" else "")
def test_mistakes(path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(path, *options) == USAGE
    assert message in error(capsys)
    assert folder(path) == {"net.onnx"}


@pytest.mark.parametrize("name", ["net.onnx", "./net.onnx", "link.onnx"])
def test_the_output_must_not_be_the_input(path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path.with_name("link.onnx").symlink_to(path)
    assert convert(path, "-o", str(path.parent / name)) == USAGE
    assert "is the input" in error(capsys)


@pytest.mark.parametrize("argv", ["", "x.onnx --to nwhc", "x.onnx --to nhwc --runs a"])
def test_what_argparse_refuses(argv: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv.split())
    assert stop.value.code == USAGE
