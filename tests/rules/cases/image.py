"""Rows for passes/rules/image.py."""

import numpy as np

from tests.rules.cases.case import ABOUT, TOLERANCE, Fed, I, W, case

GRID = np.random.default_rng(1).uniform(-1.2, 1.2, (2, 5, 3, 2)).astype(np.float32)
GRID_3D = np.random.default_rng(1).uniform(-1, 1, (1, 2, 5, 3, 3)).astype(np.float32)
ROIS = np.asarray([[0, 1, 5, 6], [1, 0, 7, 4], [2, 2, 6, 5]], dtype=np.float32)
NUMBERED = np.concatenate([np.asarray([[0], [1], [0]], dtype=np.float32), ROIS], axis=1)
IMAGES = np.asarray([0, 1, 0])
STILL = {"accepts": "still", "tolerance": TOLERANCE}
POOLED = {"output_height": 2, "output_width": 3, **STILL}
POSITIONS = np.arange(48).reshape(1, 2, 4, 6)[:, :, 1::2, ::2]

ROWS = [
    case("GridSample", 16, (2, 3, 7, 11), Fed(GRID), **STILL),
    case("GridSample", 20, (2, 3, 7, 11), GRID, mode="nearest", padding_mode="border", **STILL),
    case("GridSample", 22, (2, 3, 7, 11), Fed(GRID), mode="linear", padding_mode="reflection", **STILL),
    case("GridSample", 16, (2, 3, 7, 11), Fed(4 * GRID), padding_mode="reflection", align_corners=1, **STILL),
    case("GridSample", 22, (2, 3, 7, 11), Fed(GRID), mode="cubic", align_corners=1, **STILL),
    case("GridSample", 20, (1, 2, 5, 7, 3), Fed(GRID_3D), **STILL),
    case("RoiAlign", 16, (2, 3, 7, 11), Fed(ROIS), Fed(IMAGES), **POOLED),
    case("RoiAlign", 10, (2, 3, 7, 11), ROIS, IMAGES, mode="max", sampling_ratio=1, **POOLED),
    case("MaxRoiPool", 7, (2, 3, 7, 11), Fed(NUMBERED), pooled_shape=[2, 3], **STILL),
    case("DeformConv", 19, (1, 3, 7, 5), W(2, 3, 2, 3), (1, 12, 6, 3), accepts="still", **ABOUT),
    case("DeformConv", 22, (1, 6, 7, 5), W(4, 3, 2, 3), (1, 24, 6, 3), W(4), group=2, offset_group=2,
         accepts="still", **ABOUT),
    case("DeformConv", 19, (1, 3, 7, 5), W(2, 3, 2, 3), (1, 12, 3, 2), None, (1, 6, 3, 2), strides=[2, 2],
         accepts="still", **ABOUT),
    case("MaxUnpool", 11, (1, 2, 2, 3), Fed(POSITIONS), kernel_shape=[2, 2], strides=[2, 2],
         accepts="still"),
    case("MaxUnpool", 11, (1, 2, 2, 3), Fed(POSITIONS), [1, 2, 4, 7], kernel_shape=[2, 2],
         strides=[2, 2], accepts="still"),
    case("MaxUnpool", 11, (1, 2, 2, 3), Fed(POSITIONS), I(1, 2, 4, 7), kernel_shape=[2, 2],
         strides=[2, 2], out=(1, 2, 4, 7), accepts="still"),
    case("DepthToSpace", 13, (1, 12, 3, 5), blocksize=2, accepts="still"),
    case("DepthToSpace", 13, (1, 12, 3, 5), blocksize=2, mode="CRD", accepts="still"),
    case("DepthToSpace", 1, (1, 8, 3, 5), blocksize=2, accepts="still"),
    case("SpaceToDepth", 13, (1, 3, 4, 10), blocksize=2, accepts="still"),
]  # fmt: skip
