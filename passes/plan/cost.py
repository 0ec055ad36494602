"""What a plan costs: every price, its unit and the measurement behind it, for one runtime."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir.control_flow import executions_per_inference
from passes.ir.graph import every_node, is_standard
from passes.plan.sizes import dims_of
from passes.rules.api import IN, OUT, Move, Node

MATRIX_PRODUCTS = ("MatMul", "Gemm")
ALONG_AXIS = ("Softmax", "LogSoftmax", "Hardmax")
ALONG_AXIS_SINCE = 13  # before, these see the tensor as a matrix, whose rows stay together


@dataclass(frozen=True)
class CostModel:
    """Prices in bytes that a runtime moves per inference; of copies, in times of the bytes of a node's first result.

    A Transpose moves the bytes of its value each time it runs. What is made of constants only costs nothing: runtimes
    compute it when they load the model.
    """

    runtime: str

    # sizes that nobody knows: the first axis, any other; how often the body of a loop runs
    dynamic_batch: int = 1
    dynamic_dim: int = 64
    unknown_trips: int = 16
    unknown_itemsize: int = 2

    # bytes. Among plans of equal bytes the one with fewest changes of layout, among those the one that leaves most
    # nodes as they are: all moves of a plan together cost less than one change
    relayout_tie: float = 1.0
    moves_tie: float = 0.5

    # copies. A Softmax along an axis that is not the last transposes before and after (CPU and CUDA providers: a
    # diffusion U-Net spends 10 ms in Softmax instead of 0.4). On the CPU it takes 17 to 22 Transposes (docs/prices.md);
    # priced at more than 2 it would be given some of its own
    softmax_off_last: float = 2.0
    # BatchNormalization as Mul and Add passes its data twice, and is not fused with what is before it
    second_pass: float = 1.0
    # The right operand of a product is laid out block by block: a constant once, other values on each run. So
    # exchanging a constant on the right costs passes over what is on the left (priced at none Keras's ConvNeXt runs at
    # 1.09 times the original's time, priced at 1 an MLP-Mixer keeps its Transposes)
    unpacked_operand: float = 0.5
    # A MatMul whose operands change places for a Gemm that turns the left one lays that out on each run, which takes as
    # long as a Transpose of it (196 x 768 times 768 x 768: 1.29 of the time of product and Transpose, 1 x 2048 times
    # 2048 x 1000: 3.2; 3136 x 96 times 96 x 384: 0.85 to 0.96)
    turned_operand: float = 1.0
    # The CPU provider computes float16 as float32: a Transpose of it stands between two Casts, each of which takes as
    # long as the Transpose ([1,56,56,64]: 0.05 to 0.06 ms each; a Transpose of float32: 0.10). So it belongs on the
    # float32 side of a Cast. Pairs cancel on either side, at BASIC and ALL
    half_detour: float = 2.0

    def bytes_of(self, tensor: gs.Tensor, sizes: Mapping[str, int]) -> int:
        """Bytes that one Transpose of the tensor moves, none if its rank is unknown; ``sizes``: of symbolic dims."""
        if tensor.shape is None:
            return 0
        known = tensor.dtype is not None and not isinstance(tensor.dtype, int)
        dims = (
            dim if isinstance(dim, int) else sizes.get(dim, self.dynamic_dim if axis else self.dynamic_batch)
            for axis, dim in enumerate(dims_of(tensor))
        )
        return (np.dtype(tensor.dtype).itemsize if known else self.unknown_itemsize) * prod(dims)

    def price_of(self, tensor: gs.Tensor, sizes: Mapping[str, int]) -> float:
        """What one Transpose of the tensor costs, in bytes: those that it moves, and what the runtime does besides."""
        besides = self.half_detour if tensor.dtype == np.float16 else 0.0
        return self.bytes_of(tensor, sizes) * (1.0 + besides)

    def transposed_bytes(self, graph: gs.Graph, sizes: Mapping[str, int]) -> int:
        """What the Transposes of a graph move per inference, in bodies too."""
        times = executions_per_inference(graph, self.unknown_trips)
        results = [n.outputs[0] for n in every_node(graph) if n.op == "Transpose" and is_standard(n)]
        return sum(self.bytes_of(t, sizes) * times.get(t.name, 1) for t in results)

    def runtime_copies(self, node: Node, move: Move, sizes: Mapping[str, int]) -> float:
        """How often a node, so moved, moves its data itself because of how it is stored (``sizes``: of symbols)."""
        if node.domain:
            return 0.0
        if node.op in ALONG_AXIS and node.opset >= ALONG_AXIS_SINCE:
            return self.softmax_off_last if _is_off_last(node, move) else 0.0
        if node.op == "BatchNormalization":
            return self.second_pass if move.steps else 0.0
        if node.op in MATRIX_PRODUCTS:
            return self._exchange(node, move, sizes) if move.operands else 0.0
        return 0.0

    def _exchange(self, node: Node, move: Move, sizes: Mapping[str, int]) -> float:
        """What it costs that the operands of a product change places."""
        unpacked = self.unpacked_operand if node.is_constant(1) else 0.0
        if move.op is None or not move.attrs.get("transA"):
            return unpacked
        right, result = (self.bytes_of(node.tensor(slot), sizes) for slot in (IN(1), OUT(0)))
        return unpacked + self.turned_operand * right / max(result, 1)


def _is_off_last(node: Node, move: Move) -> bool:
    shape = node.tensor(IN(0)).shape
    return shape is not None and move.attrs.get("axis", node.attr("axis", -1)) not in (-1, len(shape) - 1)


ONNXRUNTIME_CPU = CostModel("onnxruntime 1.31, CPU provider")
