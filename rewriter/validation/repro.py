"""A folder that shows where a rewritten model parts from its original: two small models, their inputs, and a script.

Names in models are untrusted text. So files are numbered, names are data in ``repro.json``, and the script, which is
the same for all, has none in it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import ModelProto, numpy_helper

from rewriter.files.whole import write_whole
from rewriter.files.writer import save
from rewriter.validation.compare import Array
from rewriter.validation.located import Repro, Search

DATA, SCRIPT, ORDER = "repro.json", "show.py", "order.npy"
MODELS = {"original": "original.onnx", "rewritten": "rewritten.onnx"}

SHOW = '''"""Runs both models on what they read in the original model, and prints how their results differ.

python show.py  (needs numpy, onnx and onnxruntime)
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

HERE = Path(__file__).parent
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def result(side, level):
    """What a model gives; inputs of types that numpy lacks are handed over as onnxruntime's own values."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    path = str(HERE / side["model"])
    session = onnxruntime.InferenceSession(path, options, providers=[PROVIDERS[data["provider"]]])
    feed = {}
    for entry in side["inputs"]:
        tensor = onnx.load_tensor(str(HERE / entry["file"]))
        array, value = numpy_helper.to_array(tensor), onnxruntime.OrtValue
        if array.dtype.isbuiltin == 2:
            feed[entry["name"]] = value.ortvalue_from_numpy_with_onnx_type(array, tensor.data_type)
        else:
            feed[entry["name"]] = value.ortvalue_from_numpy(array)
    return session.run_with_ort_values(None, feed)[0].numpy()


data = json.loads((HERE / "repro.json").read_text(encoding="utf-8"))
expected = result(data["original"], "ORT_DISABLE_ALL")
if data["order"]:
    order = np.load(HERE / data["order"])
    expected = expected.reshape(-1)[order]
elif data["perm"]:
    expected = expected.transpose(data["perm"])
print("value:", ascii(data["value"]))
differs = False
for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL"):
    got = result(data["rewritten"], level)
    if got.shape != expected.shape or got.dtype != expected.dtype:
        print(f"{level}: {got.dtype} {got.shape} instead of {expected.dtype} {expected.shape}")
        differs = True
    elif got.dtype.kind in "fV":
        wide, other = expected.astype(np.float64), got.astype(np.float64)
        same = (wide == other) | np.isnan(wide) & np.isnan(other)
        with np.errstate(invalid="ignore"):
            error = np.where(same, 0.0, np.abs(other - wide))
        scale = np.abs(wide).max(initial=0.0, where=np.isfinite(wide)) or 1.0
        worst = float(error.max(initial=0.0) / scale)
        print(f"{level}: off by {worst:.1e} of its scale, allowed {data['allowed']:.1e}")
        differs = differs or not worst <= data["allowed"]
    else:
        count = int((got != expected).sum())
        print(f"{level}: {count} of {got.size} elements differ")
        differs = differs or count > 0
print("They differ." if differs else "They are equal.")
sys.exit(1 if differs else 0)
'''


def save_repro(search: Search, folder: Path) -> bool:
    """Write models, inputs, names and script into a folder, if the search found a place; else nothing."""
    repro = search.repro
    if repro is None:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    sides = {
        "original": _side(folder, "original", repro.original, repro.feed),
        "rewritten": _side(folder, "rewritten", repro.rewritten, repro.moved),
    }
    located = search.to_json()
    data = {**sides, **_layout(folder, repro, search), "value": repro.value, "provider": repro.provider}
    write_whole(folder / DATA, json.dumps({**data, "allowed": repro.allowed, "search": located}, indent=1) + "\n")
    write_whole(folder / SCRIPT, SHOW)
    return True


def _side(folder: Path, side: str, model: ModelProto, feed: Mapping[str, Array]) -> dict[str, object]:
    """One of the models with its inputs, written; its entry in the data."""
    save(model, folder / MODELS[side])
    inputs = []
    for number, (name, array) in enumerate(feed.items()):
        file = f"{side}_input_{number}.pb"
        (folder / file).write_bytes(numpy_helper.from_array(np.ascontiguousarray(array)).SerializeToString())
        inputs.append({"name": name, "file": file})
    return {"model": MODELS[side], "inputs": inputs}


def _layout(folder: Path, repro: Repro, search: Search) -> dict[str, object]:
    """How the rewritten model stores the value: as a perm, or as the places of its elements."""
    layout = repro.layouts.get(repro.value)
    if layout is None or not layout.is_divided:
        return {"perm": None if layout is None else list(layout.perm), "order": None}
    shape = search.located.original.shape if search.located else ()
    np.save(folder / ORDER, layout.apply(np.arange(int(np.prod(shape))).reshape(shape)))
    return {"perm": None, "order": ORDER}
