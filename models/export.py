"""Export the nets of `catalog.py` to ONNX.

    python models/export.py                       the small nets, into models/ (committed)
    python models/export.py --full                the full-size nets, into models/full/ (not committed)
    python models/export.py --zoo                 the zoo, into models/zoo/ (not committed)
    python models/export.py --only torch_unet     that net alone; may be repeated
    python models/export.py --list                the names (with --full or --zoo, of those nets)
    python models/export.py --table               measure the files there are, into models/README.md

The weights are random. Each file is checked against its framework on random inputs before it is written.
Each net is exported by a Python process of its own, seeded, so that no framework sees the other and no name
or order of nodes depends on what came before: the same versions on the same machine give the same bytes.
(Another processor may round batch statistics otherwise, in their last digits.)
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from catalog import FULL, SMALL
from net import Net
from zoo import ZOO

GROUPS = {"": SMALL, "full": FULL, "zoo": ZOO}
Forward = Callable[[np.ndarray], np.ndarray]

README = Path(__file__).with_name("README.md")
NEEDS = {
    "torch": ["torch", "onnxscript", "onnxruntime"],
    "tensorflow": ["tensorflow", "tf2onnx", "onnxruntime"],
    "hf_nets": ["transformers"],
}
QUIET = {
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "KERAS_BACKEND": "tensorflow",
}


def sample(net: Net, shape: Sequence[int], seed: int) -> np.ndarray:
    """A random input of the given shape for the net."""
    return np.random.default_rng(seed).normal(0, net.deviation, shape).astype(np.float32)


# -------------------------------------------------------------------------------------------------- exporters


def export_torch(net: Net) -> tuple[onnx.ModelProto, Forward]:
    """Build and export with torch: the ONNX model, and the net as a function of arrays."""
    import torch

    nets = importlib.import_module(net.module or "torch_nets")
    torch.manual_seed(0)
    module = nets.randomise(net.build(nets), torch.from_numpy(sample(net, (8, *net.shape[1:]), seed=1)))
    x = torch.from_numpy(sample(net, net.shape, seed=0))
    names: dict[str, Any] = {"input_names": ["input"], "output_names": ["output"], "opset_version": net.opset}
    export = _dynamo if net.exporter == "dynamo" else _legacy

    def forward(array: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module(torch.from_numpy(array)).numpy()

    return export(net, module, x, names), forward


def _dynamo(net: Net, module: Any, x: Any, names: dict[str, Any]) -> onnx.ModelProto:
    """Export with torch.export, torch's default. Open axes of size 1 are allowed."""
    import torch

    dims = {axis: torch.export.Dim(name, min=1) for axis, name in net.dynamic.items()}
    program = torch.onnx.export(
        module, (x,), dynamo=True, dynamic_shapes=(dims,), optimize=net.fold, verbose=False, **names
    )
    assert program is not None
    return program.model_proto


def _legacy(net: Net, module: Any, x: Any, names: dict[str, Any]) -> onnx.ModelProto:
    """Export with TorchScript, which folds batch normalisations unless told to preserve the net's mode."""
    import torch

    axes = {"input": net.dynamic, "output": {a: n for a, n in net.dynamic.items() if a < module(x).dim()}}
    mode = torch.onnx.TrainingMode.EVAL if net.fold else torch.onnx.TrainingMode.PRESERVE
    file: Any = io.BytesIO()
    torch.onnx.export(
        module, (x,), file, dynamo=False, dynamic_axes=axes, training=mode, do_constant_folding=net.fold, **names
    )
    return onnx.load_from_string(file.getvalue())


def export_keras(net: Net) -> tuple[onnx.ModelProto, Forward]:
    """Build and export with Keras and tf2onnx: the ONNX model, and the net as a function of arrays."""
    import tensorflow as tf
    import tf2onnx

    # tf2onnx keeps nodes in sets: by their addresses, every process would take them in another order.
    tf2onnx.graph.Node.__hash__ = lambda node: hash(node.name)
    nets = importlib.import_module(net.module or "keras_nets")
    spec = [None if axis in net.dynamic else d for axis, d in enumerate(net.shape)]
    images = sample(net, (8, *net.shape[1:]), seed=1)
    model = nets.randomise(net.build(nets, tuple(spec[1:])), images, net.bias)

    @tf.function(input_signature=[tf.TensorSpec(spec, tf.float32, name="input")])
    def infer(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"output": model(x, training=False)}

    exported, _ = tf2onnx.convert.from_function(infer, infer.input_signature, opset=net.opset)
    return exported, lambda array: model(array, training=False).numpy()


def forget_sources(model: onnx.ModelProto) -> None:
    """Drop the stack traces that exporters write into a model: they name files of the exporting machine."""
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")


def check(model: onnx.ModelProto, forward: Forward, net: Net) -> None:
    """Assert that the model is valid and computes what the framework does, at other sizes too if it may."""
    import onnxruntime

    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    grown = tuple(d + 8 if axis in net.dynamic else d for axis, d in enumerate(net.shape))
    for shape in [net.shape, grown] if net.dynamic else [net.shape]:
        x = sample(net, shape, seed=2)
        want, got = forward(x), session.run(["output"], {"input": x})[0]
        scale = want.std()
        assert 1e-3 < scale < 1e3, f"{net.name}: the output's deviation is {scale}"
        assert got.shape == want.shape, f"{net.name}: shape {got.shape}, want {want.shape}"
        error = np.abs(got - want).max() / scale
        assert error <= 1e-4, f"{net.name}: off by {error} of the output's deviation"


def export(net: Net) -> None:
    """Export, check and write one net."""
    warnings.filterwarnings("ignore")
    model, forward = (export_torch if net.framework == "torch" else export_keras)(net)
    forget_sources(model)
    check(model, forward, net)
    net.path.parent.mkdir(exist_ok=True)
    onnx.save(model, net.path)


# ---------------------------------------------------------------------------------------------------- measure


HEADER = "| file | what | input | exporter | opset | KB | nodes | Transposes |\n|---|---|---|---|---|--:|--:|--:|"


def row(net: Net) -> str:
    """One line of the table, measured from the file."""
    model = onnx.load(net.path)
    nodes = model.graph.node
    dims = model.graph.input[0].type.tensor_type.shape.dim
    shape = ", ".join(d.dim_param or str(d.dim_value) for d in dims)
    file = net.path.relative_to(README.parent).as_posix()
    kilobytes = round(net.path.stat().st_size / 1000)
    transposes = sum(n.op_type == "Transpose" for n in nodes)
    opset = next(o.version for o in model.opset_import if o.domain == "")
    cells = [f"`{file}`", net.about, f"[{shape}]", net.exporter, opset, kilobytes, len(nodes), transposes]
    return "| " + " | ".join(map(str, cells)) + " |"


def write_table() -> None:
    """Put the table of the files that exist into the README, between its two markers."""
    rows = [row(net) for net in SMALL + FULL + ZOO if net.path.exists()]
    begin, end = "<!-- table -->\n", "<!-- end of table -->\n"
    head, rest = README.read_text().split(begin)
    tail = rest.split(end)[1]
    README.write_text(head + begin + "\n".join([HEADER, *rows]) + "\n" + end + tail)


# ----------------------------------------------------------------------------------------------- command line


def require(nets: list[Net]) -> None:
    """Leave with one clear sentence if a package that the nets need is not installed."""
    needed = dict.fromkeys(
        package for net in nets for of in (net.framework, net.module) for package in NEEDS.get(of, ())
    )
    missing = [package for package in needed if importlib.util.find_spec(package) is None]
    if missing:
        sys.exit(f"error: {', '.join(missing)} not found; install with: pip install '.[export]'")


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description="Export real architectures to ONNX.")
    for folder, what in (("full", "the full-size nets"), ("zoo", "the zoo")):
        about = f"{what}, into models/{folder}/"
        parser.add_argument(f"--{folder}", dest="folder", action="store_const", const=folder, default="", help=about)
    parser.add_argument("--only", action="append", metavar="NAME", help="this net alone; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the nets and leave")
    parser.add_argument("--table", action="store_true", help="measure the files into models/README.md and leave")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()

    nets = {net.name: net for net in GROUPS[args.folder]}
    unknown = [name for name in args.only or [] if name not in nets]
    if unknown:
        parser.error(f"no net is named {', '.join(unknown)}; --list shows them")
    chosen = [nets[name] for name in args.only or nets]
    if args.list:
        print("\n".join(f"{net.name:32}{net.about}" for net in chosen))
    elif args.table:
        write_table()
    elif args.here:
        export(chosen[0])
    else:
        require(chosen)
        for net in chosen:
            export_apart(net)


def export_apart(net: Net) -> None:
    """Export a net in a Python process of its own."""
    command = [sys.executable, __file__, "--here", "--only", net.name, *([f"--{net.folder}"] if net.folder else [])]
    done = subprocess.run(command, env=os.environ | QUIET, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\nerror: {net.name} was not exported")
    print(f"{net.path.relative_to(README.parent)}: {net.path.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
