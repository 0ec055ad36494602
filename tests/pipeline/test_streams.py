"""What is around a run: who reads its output, signals, names of any letters, and faults of our own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import onnx
import pytest

from rewriter import cli, command
from rewriter.cli import main
from tests.support.command import IMAGE, USAGE, convert, error, folder, image_net
from tests.support.graphs import ROOT, conv, model, random

INTERNAL, INTERRUPTED = 4, 130


def shell(line: str, path: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """A line of the shell in which $RUN is the command that converts ``path``, and $? that command's exit code."""
    run = f"{sys.executable} -m rewriter {path} --to nhwc --providers cpu --runs 1"
    code = path.with_name("code")
    line = line.replace("$RUN", f"{{ {run}").replace("$END", f"; echo $? > {code}; }}")
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, env={**os.environ, **(env or {})})
    done.returncode = int(code.read_text())
    code.unlink()
    return done


@pytest.mark.parametrize("line", ["$RUN $END | true", "$RUN $END | head -1 >&2", "$RUN --json - $END | true"])
def test_readers_that_leave(path: Path, line: str) -> None:
    """The work is done all the same."""
    done = shell(line, path)
    assert done.returncode == 0
    assert done.stderr.count(b"\n") == (1 if "head" in line else 0)
    assert folder(path) == {"net.onnx", "net.nhwc.onnx"}


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams(path: Path, closed: str) -> None:
    """What a library prints does not go into the file that would else have the number of stdout."""
    done = shell(f"$RUN {closed} $END", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    onnx.checker.check_model(str(path.with_name("net.nhwc.onnx")))


def test_a_report_to_a_closed_stdout(path: Path) -> None:
    done = shell("$RUN --json - >&- $END", path)
    assert (done.returncode, done.stderr) == (USAGE, b"error: --json -: stdout is closed; give a path\n")
    assert folder(path) == {"net.onnx"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
@pytest.mark.parametrize("more", ["", "--json -"])
def test_a_full_disk_behind_stdout(path: Path, more: str) -> None:
    full = path.with_name("full")
    os.mknod(full, 0o600 | 0o020000, os.makedev(1, 7))
    done = shell(f"$RUN {more} > {full} $END", path)
    assert done.returncode == USAGE
    assert done.stderr == b"error: [Errno 28] No space left on device\n"


PRINTS = """
import argparse, sys
from rewriter.command import add_verbosity, finished
parser = argparse.ArgumentParser()
add_verbosity(parser)
def run(args):
    with open(sys.executable, "rb") as file:
        assert file.fileno() > 2
    print("little")
    return 0
sys.exit(finished(run, parser, []))
"""


def prints(redirected: str) -> tuple[int, bytes]:
    """Exit code and stderr of a command that prints so little that it stays in the buffer to the end."""
    line = f'"{sys.executable}" -c "$CODE" {redirected}'
    env = {**os.environ, "CODE": PRINTS, "PYTHONUNBUFFERED": ""}
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, env=env)
    return done.returncode, done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_place_of_a_closed_stream(closed: str) -> None:
    assert prints(closed) == (0, b"")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_what_is_still_in_the_buffer(tmp_path: Path) -> None:
    """Its loss is told, once, and has the code of every file that cannot be written."""
    os.mknod(tmp_path / "full", 0o600 | 0o020000, os.makedev(1, 7))
    assert prints(f"> {tmp_path}/full") == (USAGE, b"error: [Errno 28] No space left on device\n")


def test_a_reader_that_leaves_before_the_end() -> None:
    code, fault = prints("| (exec <&-; sleep 1)")
    assert (code, fault) == (0, b"")


NAMES = ["[/x]", "[red]x", "[bold", "\u00e9\u6f22", "a b", "<b>&'\"", "x\ny"]


@pytest.mark.parametrize("to", ["nhwc", "nchw"])
def test_names_of_any_letters(tmp_path: Path, to: str) -> None:
    """In a model, on a terminal that has ASCII only."""
    nodes = [conv(name, f"y{i}") for i, name in enumerate(NAMES)]
    outputs = {f"y{i}": IMAGE for i in range(len(NAMES))}
    onnx.save(model(nodes, dict.fromkeys(NAMES, IMAGE), outputs, {"w": random(3, 3, 3, 3)}), tmp_path / "net.onnx")
    env = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    argv = [sys.executable, "-m", "rewriter", str(tmp_path / "net.onnx"), "--to", to, "--runs", "1"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, env={**os.environ, **env})
    assert (done.returncode, done.stderr) == (0, b"")
    for name in NAMES:
        assert name.partition("\n")[0].encode("ascii", "backslashreplace") in done.stdout


FILES = [b"a[b].onnx", b"[red].onnx", "\u00e9\u6f22.onnx".encode(), b"\xff\xfe.onnx", b"-x.onnx"]


@pytest.mark.parametrize("name", FILES)
def test_files_of_any_name(tmp_path: Path, name: bytes) -> None:
    """Those that are no text, too, are converted or refused in a sentence."""
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(image_net().SerializeToString())
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    argv = [sys.executable, "-m", "rewriter", str(path), "--to", "nhwc", "--runs", "1"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert path.with_name(f"{path.stem}.nhwc.onnx").exists()


def test_an_output_of_a_folder_that_looks_like_markup(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = path.parent / "a[" / "b].onnx"
    assert convert(path, "-o", str(output)) == 0
    assert "a[/b].onnx" in capsys.readouterr().out.replace("\n", "")


# Faults


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (KeyError("k"), "an internal error, please report it with the model and what -vv prints (KeyError: 'k')"),
        (
            ValueError("a\n  b"),
            "an internal error, please report it with the model and what -vv prints (ValueError: a b)",
        ),
        (RecursionError("deep"), "an internal error, please"),
        (MemoryError("1 PiB"), "out of memory (1 PiB)"),
    ],
)
def test_faults_of_our_own(
    path: Path, fault: Exception, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the code of a result that differs."""

    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr("passes.pipeline.make_plan", fail, raising=False)
    monkeypatch.setattr("rewriter.pipeline.interface_of", fail)
    assert convert(path) == INTERNAL
    assert error(capsys).startswith(text)
    assert folder(path) == {"net.onnx"}
    assert convert(path, "-vv") == INTERNAL
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["rewriter.pipeline.interface_of", "os.replace"])
def test_interrupted(
    path: Path, place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupt)
    assert convert(path, "-q") == INTERRUPTED
    assert error(capsys) == "interrupted\n"
    assert folder(path) == {"net.onnx"}


def test_codes_are_what_the_docs_and_the_help_say() -> None:
    page = (ROOT / "docs/options.md").read_text()
    for code in sorted({0, command.INTERNAL, *command.CODES.values()}):
        assert f"\n| {code} |" in page
        assert f"{code}" in cli.EPILOG.split()


def test_an_unknown_option_of_odd_letters(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["x.onnx", "--to", "nhwc", "--\udcff[/]"])
    assert stop.value.code == USAGE
    assert "unrecognized" in capsys.readouterr().err
