"""Do classifiers keep their top-1 as int8 TFLite files? Beside what the same nets keep that others quantise.

``.venv-interop/bin/python -m tests.tools.tflite_int8 [MODELS]`` prints a table (hours for all: the zoo takes minutes a
net). Right is onnxruntime's float; compared are random inputs that are no ties. The yardsticks measure ranges on the
same inputs: TensorFlow's converter, given the Keras model, and onnxruntime's own static quantisation (int8, by
channel). Beside each stands how many inputs only this tool keeps, and how many only the yardstick; bold, where that
is hardly chance.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from math import comb
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import version_converter

from passes.layout.edit import Array
from rewriter.backends.arguments import LAYOUT
from rewriter.backends.base import Job
from rewriter.backends.packages import silence
from rewriter.backends.tflite import BACKEND
from rewriter.errors import RewriterError
from rewriter.pipeline import rewrite
from rewriter.validation.layouts import of_perms, stored
from tests.support.engines import default, disabled

sys.path.insert(0, str(Path(__file__).parents[2] / "models"))

SAMPLES = 32  # to measure ranges on
INPUTS, INPUTS_OF_ZOO = 1024, 64  # to compare
BY_CHANNEL = 13  # the first opset in which weights are dequantised so
CHANCE = 0.01  # that as many differ one way, if either way is as likely
TIE = 10  # times the float noise: the least margin of the largest element over the second
SAME = 1e-4  # of an output's scale: how far Keras's rebuilt model may be from the file's
Model = Callable[[Array], Array]
Floats = NDArray[np.float32]


class Classifier(NamedTuple):
    """A file and random inputs that suit it, in its own layout; ``net``: what the catalogs say of it."""

    path: Path
    net: Any

    @property
    def model(self) -> onnx.ModelProto:
        """The file's model."""
        return onnx.load(self.path)

    @property
    def name(self) -> str:
        """The name of its only input."""
        return str(self.model.graph.input[0].name)

    def inputs(self, count: int, seed: int) -> list[Array]:
        """As many batches as make ``count`` rows."""
        rng, batches = np.random.default_rng(seed), -(-count // self.rows)
        return [rng.normal(0, self.net.deviation, self.shape).astype(np.float32) for _ in range(batches)]

    @property
    def rows(self) -> int:
        """How many a run classifies."""
        return self.shape[0] if self.net.shape[0] == self.shape[0] else 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the input, with 1 for an open batch."""
        return tuple(1 if axis in self.net.dynamic else size for axis, size in enumerate(self.net.shape))


def classifiers() -> dict[str, Classifier]:
    """The nets of one input and one output ``[N, classes]``, by the path of the file."""
    from catalog import KINDS, SMALL
    from zoo import ZOO

    found = {}
    for net in [*SMALL, *KINDS, *ZOO]:
        if net.path.exists() and not net.more and net.dtype == "float32" and not net.quantise:
            model = onnx.load(net.path, load_external_data=False)
            shapes = [len(value.type.tensor_type.shape.dim) for value in model.graph.output]
            if shapes == [2]:
                found[str(net.path)] = Classifier(net.path, net)
    return found


def ours(one: Classifier, samples: Sequence[Array], folder: Path) -> Model:
    """The int8 file that ``-o model.tflite`` makes."""
    result = rewrite(one.path, "nhwc", weight_layout=LAYOUT, graphs=False, measure_on={})
    layouts = of_perms(result.layouts)

    def feed(array: Array) -> dict[str, Array]:
        return {one.name: np.asarray(stored(one.name, array, layouts), order="C")}

    written = BACKEND.write(Job(result.model, one.net.name, lambda: [*map(feed, samples)]), folder, "int8")
    run = BACKEND.load(written.file, "default")
    return lambda array: next(iter(run(feed(array)).values()))


def from_keras(one: Classifier, samples: Sequence[Array], folder: Path) -> Model:
    """The int8 file that TensorFlow's converter makes of the Keras model. Raises RewriterError where it is another."""
    import tensorflow as tf
    from exporters import keras_model

    with silence(quiet=True):
        net = keras_model(one.net)
        right, got = default(one.model, {one.name: samples[0]})[0], net(samples[0], training=False).numpy()
        if np.abs(right - got).max() > SAME * np.abs(right).max():
            raise RewriterError("Keras's rebuilt model is another")
        converter = tf.lite.TFLiteConverter.from_keras_model(net)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        (folder / "keras.tflite").write_bytes(converter.convert())
    run, name = BACKEND.load(folder / "keras.tflite", "default"), net.inputs[0].name
    return lambda array: next(iter(run({name: array}).values()))


def by_onnxruntime(one: Classifier, samples: Sequence[Array], folder: Path) -> Model:
    """What onnxruntime's static quantisation makes of the file."""
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(q.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(samples)

        def get_next(self) -> dict[str, Array] | None:
            return next(({one.name: sample} for sample in self.left), None)

    given, ready, made = (str(folder / f"{name}.onnx") for name in ("given", "ready", "made"))
    is_old = one.model.opset_import[0].version < BY_CHANNEL
    onnx.save(version_converter.convert_version(one.model, BY_CHANNEL) if is_old else one.model, given)
    quant_pre_process(given, ready, skip_symbolic_shape=True)
    q.quantize_static(ready, made, Reader(), per_channel=True)
    return session(onnx.load(made), one.name)


def session(model: onnx.ModelProto, name: str) -> Model:
    """A model in onnxruntime."""
    import onnxruntime

    run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda array: np.asarray(run.run(None, {name: array})[0])


Maker = Callable[[Classifier, Sequence[Array], Path], Model]


def chance(only: int, others: int) -> float:
    """That of so many inputs which only one of two keeps as few, or fewer, are one's: the sign test, of both sides."""
    both, least = only + others, min(only, others)
    return float(min(1.0, 2 * sum(comb(both, few) for few in range(least + 1)) / 2**both))


class Asked(NamedTuple):
    """What a classifier is asked: its results for inputs, ``[inputs, classes]``, and which of them are no ties."""

    one: Classifier
    inputs: Sequence[Array]
    right: Array
    clear: Array

    @property
    def seen(self) -> int:
        """How many classes there are among the results."""
        return len(set(self.right.argmax(-1)[self.clear]))

    def kept(self, make: Maker) -> Array | str:
        """For each input that is no tie whether a quantised model keeps the class; an error's text."""
        try:
            with tempfile.TemporaryDirectory() as folder:
                run = make(self.one, self.one.inputs(SAMPLES, 1), Path(folder))
                got = np.concatenate([*map(run, self.inputs)])
        except Exception as error:  # whatever the yardsticks raise is what is to be told
            return " ".join(str(error).split())[:80]
        return np.asarray((got.argmax(-1) == self.right.argmax(-1))[self.clear])


def asked(one: Classifier) -> Asked:
    """A classifier in onnxruntime."""
    inputs = one.inputs(INPUTS_OF_ZOO if one.path.parent.name == "zoo" else INPUTS, 2)
    right = np.concatenate([*map(session(one.model, one.name), inputs)])
    noise = np.abs(disabled(one.model, {one.name: inputs[0]})[0] - right[: one.rows]).max()
    return Asked(one, inputs, right, margins(right) > TIE * noise)


def margins(results: Array) -> Floats:
    """Of the largest element of each row over the second."""
    second, first = np.partition(results, -2, axis=-1)[:, -2:].T
    return np.asarray(first - second, np.float32)


def beside(here: Array | str, there: Array | str) -> str:
    """A yardstick's cell: how many per cent it keeps, and how many inputs only one of the two."""
    if isinstance(here, str) or isinstance(there, str):
        return str(there)
    only, others = int(np.greater(here, there).sum()), int(np.greater(there, here).sum())
    cell = f"{100 * there.mean():.1f} ({only}/{others})"
    return f"**{cell}**" if chance(only, others) < CHANCE else cell


def row(one: Classifier) -> str:
    """A line of the table: how many rows are compared, in how many classes, and who keeps how many per cent."""
    about = asked(one)
    start = f"| {one.net.path.stem} | {about.clear.sum()} | {about.seen}"
    if about.seen < 2:
        return f"{start} | | left out | | |"
    here, is_keras = about.kept(ours), one.net.framework == "tensorflow"
    mine = here if isinstance(here, str) else f"{100 * here.mean():.1f}"
    cells = [mine, beside(here, about.kept(from_keras)) if is_keras else "", beside(here, about.kept(by_onnxruntime))]
    margin = np.median(margins(about.right)) / (about.right.max() - about.right.min())
    return f"{start} | {100 * margin:.1f} | {' | '.join(cells)} |"


def rows(paths: Sequence[str]) -> Iterator[str]:
    """A row for each file, as they come."""
    known = classifiers()
    for path in paths or known:
        yield row(known[str(Path(path).absolute())])


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    print("| net | inputs | classes | median margin, % | this tool | from Keras | onnxruntime |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for line in rows(arguments):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
