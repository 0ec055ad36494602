"""The files of a net, each with its input as it stores it: the original, ours, and other converters'."""

import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from shutil import copy, rmtree
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, shape_inference

from passes.layout.edit import Array
from rewriter.pipeline import rewrite
from tests.support import engines
from tests.support.graphs import ROOT
from tests.tools.elsewhere.asked import RUNTIMES, Unable, called
from tests.tools.elsewhere.nets import Net

BUILD = ROOT / "build/elsewhere"
ONNX2TF = ROOT / ".venv-elsewhere-onnx2tf/bin/onnx2tf"
LITERT_TORCH = ROOT / ".venv-elsewhere-litert-torch/bin/python"
IMAGES = "calibration_image_sample_data_20x128x128x3_float32.npy"  # which onnx2tf would download
Layouts = Mapping[str, tuple[int, ...]]


def make(net: Net, forms: Collection[str] = ()) -> None:
    """Write a net's files, or these forms, and ``made.json``: by form file, bytes, Transposes, or why there is none."""
    folder = BUILD / net.stem
    if not forms:
        rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    model, given = fixed(onnx.load(net.path), net.shape), net.sample()
    (source,), (result,) = model.graph.input, model.graph.output
    want = engines.disabled(model, {source.name: given})[0]
    for dim, size in zip(result.type.tensor_type.shape.dim, want.shape, strict=True):
        dim.dim_value = size
    onnx.save(model, folder / "original.onnx")
    np.save(folder / "want.npy", want)
    told = folder / "made.json"
    made: dict[str, Any] = json.loads(told.read_text()) if told.exists() else {}
    for form in (form for form in forms_of(net) if not forms or form in forms):
        made[form] = made_of(net, form, folder, source.name)
    told.write_text(json.dumps(made))


def forms_of(net: Net) -> Sequence[str]:
    """The original, and what the runtimes that the net is for read."""
    read = {form for runtime in RUNTIMES if net.is_for(runtime.name) for form in runtime.reads}
    return [form for form in MAKERS if form in read | {"original"}]


def made_of(net: Net, form: str, folder: Path, source: str) -> dict[str, Any]:
    """One file, and its input as it stores it."""
    try:
        file, layouts = MAKERS[form](net, folder)
    except Unable as error:
        return {"refused": str(error)}
    given = net.sample()
    perm = layouts.get(source, tuple(range(given.ndim)))
    np.save(folder / f"{form}.npy", np.ascontiguousarray(given.transpose(perm)))
    return {"file": str(file.relative_to(folder)), "bytes": bytes_of(file), "transposes": transposes(file)}


def fixed(model: ModelProto, shape: tuple[int, ...]) -> ModelProto:
    """The model for inputs of this shape."""
    (source,), (result,) = model.graph.input, model.graph.output
    for dim, size in zip(source.type.tensor_type.shape.dim, shape, strict=True):
        dim.dim_value = size
    for dim in result.type.tensor_type.shape.dim:
        dim.Clear()
    del model.graph.value_info[:]
    return shape_inference.infer_shapes(model)


def error(found: Array, want: Array) -> float:
    """The largest difference over the largest number; the output may be stored channels last. Another shape: inf."""
    both = [want, want.transpose(0, *range(2, want.ndim), 1)] if want.ndim > 2 else [want]
    scale = max(float(np.abs(want).max()), 1e-9)
    return min(
        (float(np.abs(np.subtract(found, one)).max()) / scale for one in both if one.shape == found.shape),
        default=np.inf,
    )


def original(net: Net, folder: Path) -> tuple[Path, Layouts]:
    """As it is."""
    return folder / "original.onnx", {}


def ours(dialect: str) -> Callable[[Net, Path], tuple[Path, Layouts]]:
    """Channels last, as ONNX."""

    def maker(net: Net, folder: Path) -> tuple[Path, Layouts]:
        result = rewrite(folder / "original.onnx", "nhwc", dialect=dialect, graphs=False)
        onnx.save(result.model, folder / f"{dialect}.onnx")
        return folder / f"{dialect}.onnx", result.layouts

    return maker


def of_command(name: str) -> Callable[[Net, Path], tuple[Path, Layouts]]:
    """What the command line writes for ``-o``, validated by it."""

    def maker(net: Net, folder: Path) -> tuple[Path, Layouts]:
        called([sys.executable, "-m", "rewriter", folder / "original.onnx", "-o", f"{folder}/{name}"])
        return folder / name, layouts_of(folder)

    return maker


def onnx2tf(net: Net, folder: Path) -> tuple[Path, Layouts]:
    """Told to keep the input where ours is kept; of a copy, which it simplifies in its place. Random images stand in
    for the photographs that it would download to compare its operators on."""
    np.save(folder / IMAGES, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    layouts = layouts_of(folder)
    keep = [] if "input" in layouts else ["-kat", "input"]
    copy(folder / "original.onnx", folder / "simplified.onnx")
    called([ONNX2TF, "-i", "simplified.onnx", "-o", "onnx2tf", "-n", "-osd", "-v", "error", *keep], folder=folder)
    return folder / "onnx2tf/simplified_float32.tflite", layouts


def onnx2tf_saved(net: Net, folder: Path) -> tuple[Path, Layouts]:
    """The SavedModel that it wrote besides."""
    if not (folder / "onnx2tf/saved_model.pb").exists():
        raise Unable("onnx2tf writes none.")
    return folder / "onnx2tf", layouts_of(folder)


def litert_torch(net: Net, folder: Path) -> tuple[Path, Layouts]:
    """The module that the file was exported of, images channels last as in our file."""
    if not net.is_torch:
        raise Unable("-")
    layouts = layouts_of(folder)
    ends = [str(int(name in layouts)) for name in ("input", "output")]
    script = "tests.tools.elsewhere.write_litert_torch"
    called([LITERT_TORCH, "-m", script, net.stem, folder / "litert-torch.tflite", folder / "original.npy", *ends])
    return folder / "litert-torch.tflite", layouts


def layouts_of(folder: Path) -> Layouts:
    """The perms of the inputs and outputs that our channels-last file turns."""
    return rewrite(folder / "original.onnx", "nhwc", graphs=False).layouts


def bytes_of(file: Path) -> int:
    """Of a folder's files together."""
    return sum(one.stat().st_size for one in ([file] if file.is_file() else file.rglob("*")) if one.is_file())


def transposes(file: Path) -> int | None:
    """How many nodes of a file are Transposes; None for a folder."""
    if file.suffix == ".onnx":
        return [node.op_type for node in onnx.load(file).graph.node].count("Transpose")
    if file.suffix != ".tflite":
        return None
    from tests.tools.tflite_zoo import operators

    return int(operators(file.read_bytes())["TRANSPOSE"])


MAKERS: Mapping[str, Callable[[Net, Path], tuple[Path, Layouts]]] = {
    "original": original,
    "onnx": ours("onnx"),
    "function": ours("function"),
    "tflite": of_command("tflite.tflite"),
    "saved": of_command("saved/"),
    "onnx2tf": onnx2tf,
    "onnx2tf-saved": onnx2tf_saved,
    "litert-torch": litert_torch,
}
