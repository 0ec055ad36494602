"""Small nets whose outputs are labels and boxes, and the same with their sums in another order."""

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

from tests.support.graphs import FLOAT, INT64, conv, ints, model, node, random, value

H, W = 24, 32
CORNER = 4  # pixels of a side in which two classes of a segmenter have one score
KERNEL = random(2, 3, 3, 3)


def segmenter(
    kernel: np.ndarray = KERNEL, *, reordered: bool = False, stable: bool = False, of_bytes: bool = False
) -> ModelProto:
    """The label of each pixel, of three classes; in a corner, the first and the last differ by rounding only.

    ``stable``: nowhere, as the last is never the one. ``of_bytes``: its input is of unsigned bytes.
    """
    one, third = (np.array(factor, np.float32) for factor in (1, 3))
    before, after = (third, one) if reordered else (one, third)
    handicap = np.full((1, 1, H, W), 10, np.float32)
    handicap[..., :CORNER, :CORNER] = 10 if stable else 0
    nodes = [
        conv("x", "two"),
        node("Mul", ["x", "before"], ["thrice"]),
        conv("thrice", "small", "small_w"),
        node("Mul", ["small", "after"], ["again"]),
        node("Sub", ["again", "handicap"], ["third"]),
        node("Concat", ["two", "third"], ["scores"], axis=1),
        node("ArgMax", ["scores"], ["labels"], axis=1, keepdims=0),
    ]
    constants = {"w": kernel, "small_w": kernel[:1] / 3, "before": before, "after": after, "handicap": handicap}
    image = value("x", [1, 3, H, W])
    if of_bytes:
        image = value("bytes", [1, 3, H, W], TensorProto.UINT8)
        nodes.insert(0, node("Cast", ["bytes"], ["x"], to=FLOAT))
    return model(nodes, [image], [value("labels", [1, H, W], INT64)], constants)


def detector(kernel: np.ndarray | None = None, *, reordered: bool = False, sharpness: float = 60.0) -> ModelProto:
    """Which pixels hold a box, the best first, and the boxes: many scores are next to 1, and change places."""
    kernel = random(5, 3, 3, 3) if kernel is None else kernel
    order = [2, 0, 1] if reordered else [0, 1, 2]
    rows, columns = np.meshgrid(np.arange(H), np.arange(W), indexing="ij")
    grid = np.stack([rows, columns, rows + 2, columns + 2]).reshape(1, 4, H * W).transpose(0, 2, 1) / np.float32(H)
    nodes = [
        node("Gather", ["x", "order"], ["ordered"], axis=1),
        conv("ordered", "c"),
        node("Split", ["c", "parts"], ["offsets", "score"], axis=1),
        node("Mul", ["score", "sharpness"], ["sharp"]),
        node("Sigmoid", ["sharp"], ["certain"]),
        node("Reshape", ["certain", "as_scores"], ["scores"]),
        *_boxes(),
        node("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["selected"]),
        node("Gather", ["selected", "last"], ["numbers"], axis=1),
        node("Gather", ["boxes", "numbers"], ["found"], axis=1),
    ]
    constants = {
        "order": ints(*order), "w": kernel[:, order], "parts": ints(4, 1),
        "sharpness": np.array(sharpness, np.float32), "as_scores": ints(1, 1, H * W), "as_boxes": ints(1, 4, H * W),
        "grid": grid.astype(np.float32), "tenth": np.array(0.1, np.float32), "most": ints(20),
        "overlap": np.array([0.5], np.float32), "least": np.array([0.3], np.float32), "last": np.array(2),
    }  # fmt: skip
    outputs = [value("selected", ["n", 3], INT64), value("found", [1, "n", 4])]
    return model(nodes, {"x": [1, 3, H, W]}, outputs, constants)


def _boxes() -> list[NodeProto]:
    return [
        node("Reshape", ["offsets", "as_boxes"], ["columns"]),
        node("Transpose", ["columns"], ["rows"], perm=[0, 2, 1]),
        node("Mul", ["rows", "tenth"], ["small_rows"]),
        node("Add", ["small_rows", "grid"], ["boxes"]),
    ]


def ranker(layers: int = 24, best: int = 300) -> ModelProto:
    """The best pixels of a deep net by score, their labels and boxes: neighbours in rank differ by its noise."""
    channels, classes, size = 16, 8, 2 * H * W * 2
    constants = {
        **{f"w{i}": random(channels, channels if i else 3, 3, 3) / 9 for i in range(layers)},
        "w_scores": random(classes, channels, 3, 3) / 9, "w_boxes": random(4, channels, 3, 3) / 9,
        "as_scores": ints(1, classes, size), "as_boxes": ints(1, 4, size), "best": ints(best), "last": ints(2),
        "of_boxes": ints(1, best, 4),
    }  # fmt: skip
    deep = [
        (conv(f"x{i}" if i else "x", f"c{i}", f"w{i}"), node("Relu", [f"c{i}"], [f"x{i + 1}"])) for i in range(layers)
    ]
    nodes = [
        *(each for pair in deep for each in pair),
        conv(f"x{layers}", "class_scores", "w_scores"),
        node("Reshape", ["class_scores", "as_scores"], ["class_columns"]),
        node("Softmax", ["class_columns"], ["shares"], axis=1),
        node("ReduceMax", ["shares"], ["pixels"], axes=[1], keepdims=0),
        node("ArgMax", ["shares"], ["classes"], axis=1, keepdims=0),
        node("TopK", ["pixels", "best"], ["scores", "numbers"], axis=1),
        node("GatherElements", ["classes", "numbers"], ["labels"], axis=1),
        conv(f"x{layers}", "offsets", "w_boxes"),
        node("Reshape", ["offsets", "as_boxes"], ["columns"]),
        node("Transpose", ["columns"], ["rows"], perm=[0, 2, 1]),
        node("Unsqueeze", ["numbers", "last"], ["number_columns"]),
        node("Expand", ["number_columns", "of_boxes"], ["of_each"]),
        node("GatherElements", ["rows", "of_each"], ["boxes"], axis=1),
    ]
    vectors = [value("labels", [1, best], INT64), value("numbers", [1, best], INT64), value("scores", [1, best])]
    image = {"x": [1, 3, 2 * H, 2 * W]}
    return model(nodes, [value(*item) for item in image.items()], [value("boxes", [1, best, 4]), *vectors], constants)
