"""Export the nets of `catalog.py` to ONNX.

    python models/export.py                       the small nets, into models/ (committed)
    python models/export.py --full                the full-size nets, into models/full/ (not committed)
    python models/export.py --zoo                 the zoo, into models/zoo/ (not committed)
    python models/export.py --kinds               small nets of every kind, into models/kinds/ (committed)
    python models/export.py --only torch_unet     that net alone; may be repeated
    python models/export.py --list                the names (with --full, --zoo or --kinds, of those nets)
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
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
from catalog import FULL, KINDS, SMALL
from exporters import EXPORTERS, Forward, quantised, samples
from net import Net
from zoo import ZOO

GROUPS = {"": SMALL, "full": FULL, "zoo": ZOO, "kinds": KINDS}

README = Path(__file__).with_name("README.md")
NEEDS = {
    "torch": ["torch", "onnxscript", "onnxruntime"],
    "tensorflow": ["tensorflow", "tf2onnx", "onnxruntime"],
    "onnxscript": ["onnxscript", "onnxruntime"],
    "hf_nets": ["transformers"],
}
QUIET = {
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "KERAS_BACKEND": "tensorflow",
}


def forget_sources(model: onnx.ModelProto) -> None:
    """Drop the stack traces that exporters write into a model: they name files of the exporting machine."""
    bodies = [model.graph.node, *(function.node for function in model.functions)]
    for body in bodies:  # grows by the bodies that it has inside
        for node in body:
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
            bodies += [attribute.g.node for attribute in node.attribute if attribute.HasField("g")]


def check(model: onnx.ModelProto, forward: Forward, net: Net) -> None:
    """Assert that the model is valid and computes what the framework does, at other sizes too if it may."""
    import onnxruntime

    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    grown = tuple(d + 8 if axis in net.dynamic else d for axis, d in enumerate(net.shape))
    for shape in [net.shape, grown] if net.dynamic else [net.shape]:
        inputs = samples(net, net.shapes | {"input": shape}, seed=2)
        results = session.run([*net.outputs], dict(zip(net.shapes, inputs, strict=True)))
        for name, want, got in zip(net.outputs, forward(*inputs), results, strict=True):
            compare(f"{net.name}: {name}", want, got, net.tolerance)


def compare(what: str, want: np.ndarray, got: np.ndarray, tolerance: float) -> None:
    """Assert that two results are the same, to `tolerance` of their standard deviation if they are numbers."""
    assert got.shape == want.shape, f"{what}: shape {got.shape}, want {want.shape}"
    scale = want.std(dtype=np.float64)
    assert 1e-3 < scale < 1e3, f"{what}: the deviation is {scale}"
    error = np.abs(got.astype(np.float64) - want).max() / scale
    assert error <= tolerance, f"{what}: off by {error} of the deviation"


def export(net: Net) -> None:
    """Export, check and write one net."""
    warnings.filterwarnings("ignore")
    model, forward = EXPORTERS[net.exporter](net)
    model = quantised(model, net) if net.quantise else model
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
    rows = [row(net) for net in SMALL + KINDS + FULL + ZOO if net.path.exists()]
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
    for folder, what in (("full", "the full-size nets"), ("zoo", "the zoo"), ("kinds", "small nets of every kind")):
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
