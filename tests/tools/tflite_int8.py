"""Do classifiers keep their top-1 as int8 TFLite files? Beside what the same nets keep that others quantise.

``.venv-interop/bin/python -m tests.tools.tflite_int8 [MODELS]`` prints a table (half an hour for all). Right is
onnxruntime's float; compared are random inputs that are no ties. The yardsticks measure ranges on the same inputs:
TensorFlow's converter, given the Keras model, and onnxruntime's own static quantisation (int8, by channel).
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

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

SAMPLES, INPUTS = 32, 256  # to measure ranges on, to compare
TIE = 10  # times the float noise: the least margin of the largest element over the second
SAME = 1e-4  # of an output's scale: how far Keras's rebuilt model may be from the file's
Model = Callable[[Array], Array]


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

    ready, made = str(folder / "ready.onnx"), str(folder / "made.onnx")
    quant_pre_process(str(one.path), ready, skip_symbolic_shape=True)
    q.quantize_static(ready, made, Reader(), per_channel=True)
    return session(onnx.load(made), one.name)


def session(model: onnx.ModelProto, name: str) -> Model:
    """A model in onnxruntime."""
    import onnxruntime

    run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda array: np.asarray(run.run(None, {name: array})[0])


def row(one: Classifier) -> str:
    """A line of the table: how many rows are compared, in how many classes, and who keeps how many per cent."""
    samples, inputs = one.inputs(SAMPLES, 1), one.inputs(INPUTS, 2)
    right = np.concatenate([*map(session(one.model, one.name), inputs)])
    noise = np.abs(disabled(one.model, {one.name: inputs[0]})[0] - right[: one.rows]).max()
    second, first = np.partition(right, -2, axis=-1)[:, -2:].T
    clear = first - second > TIE * noise
    classes, cells = right.argmax(-1), []
    for make in (ours, from_keras, by_onnxruntime):
        if make is from_keras and one.net.framework != "tensorflow":
            cells.append("")
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                got = np.concatenate([*map(make(one, samples, Path(folder)), inputs)])
                cells.append(f"{100 * (got.argmax(-1) == classes)[clear].mean():.1f}")
            except Exception as error:  # whatever the yardsticks raise is what is to be told
                cells.append(" ".join(str(error).split())[:80])
    margin = np.median(first - second) / (right.max() - right.min())
    name = one.net.path.stem
    return f"| {name} | {clear.sum()} | {len(set(classes[clear]))} | {100 * margin:.1f} | {' | '.join(cells)} |"


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
