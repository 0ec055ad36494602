"""The contract as a piece of Python to paste: how to feed the result, and what it gives."""

from collections.abc import Sequence

from passes.layout import perm
from rewriter.interface import InterfaceValue
from rewriter.plain_names import plain_names

ONNXRUNTIME = (  # what is imported, how a file is loaded and run
    "import onnxruntime",
    "session = onnxruntime.InferenceSession({path})",
    [
        "names = [output.name for output in session.get_outputs()]",
        "results = dict(zip(names, session.run(None, feed)))",
    ],
)
LITERT = (
    "from ai_edge_litert.interpreter import Interpreter",
    "run = Interpreter({path}).get_signature_runner()",
    ["results = run(**feed)"],
)
TENSORFLOW = (
    "import tensorflow",
    "model = tensorflow.saved_model.load({path})",
    [
        'results = model.signatures["serving_default"](**feed)',
        "results = {{name: results[own].numpy() for name, own in {outputs}.items()}}",
    ],
)
RUNTIMES = {None: ONNXRUNTIME, "tflite": LITERT, "saved_model": TENSORFLOW}


def snippet(path: str, inputs: Sequence[InterfaceValue], outputs: Sequence[InterfaceValue], backend: str | None) -> str:
    """Runs the model at ``path`` on ``arrays``, by name and as the original takes them, and gives what that gives.

    Of inputs that take frames these are frames, in the original's layout. ``backend``: what wrote the file.

    Names come as Python writes strings, so that nothing in them is code.
    """
    package, load, run = RUNTIMES[backend]
    names = [value.name for value in (*inputs, *outputs)]
    own = plain_names(names) if backend == "saved_model" else names
    results = dict(zip(names[len(inputs) :], own[len(inputs) :], strict=True))
    lines = ["import numpy as np", package, "", load.format(path=ascii(path)), "feed = {"]
    lines += [_feed(value, name) for value, name in zip(inputs, own, strict=False)]
    lines += ["}", *(line.format(outputs=ascii(results)) for line in run)]
    lines += [_result(value) for value in outputs if value.flipped]
    return "\n".join(lines) + "\n"


def _feed(value: InterfaceValue, name: str) -> str:
    array = f"arrays[{value.name!a}]"
    if value.flipped:
        array = f"np.transpose({array}, {value.perm})"
    return f"    {name!a}: {array},{_comment(value.old_layout, value.new_layout, value.flipped)}"


def _result(value: InterfaceValue) -> str:
    back = perm.inverse(value.perm or ())
    name = f"results[{value.name!a}]"
    return f"{name} = np.transpose({name}, {back}){_comment(value.new_layout, value.old_layout, value.flipped)}"


def _comment(old: str | None, new: str | None, flipped: bool) -> str:
    return f"  # {old} to {new}" if flipped and old and new else ""
