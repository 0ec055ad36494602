"""Matrix products read operands that are stored transposed; the numbers stay right at every level of onnxruntime."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from passes.plan.cost import BYTES, runtime
from rewriter import RewriteResult, rewrite
from tests.support.engines import LEVELS, optimised, session
from tests.support.graphs import FLOAT, FLOAT16, INT64, count, model, node, op_types, random, value, weights

M, K, N = 7, 3, 5
FLAGS = list(product((0, 1), (0, 1)))
SWAP = {"perm": [1, 0]}


def kept(original: ModelProto, *, tolerance: float = 1e-5, dialect: str = "onnx") -> RewriteResult:
    """The rewrite with its interface kept, which gives the original's numbers however onnxruntime optimises it."""
    result = rewrite(original, "nchw", dialect=dialect, keep_io=True)
    rng = np.random.default_rng(0)
    plain = session(original)
    feeds = {
        i.name: rng.integers(-4, 5, [n if isinstance(n, int) else 2 for n in i.shape]).astype(
            {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64}[i.type]
        )
        for i in plain.get_inputs()
    }
    expected = plain.run(None, feeds)
    for level in LEVELS:
        for one, other in zip(session(result.model, level).run(None, feeds), expected, strict=True):
            np.testing.assert_allclose(one, other, tolerance, tolerance)
    return result


def transposed(name: str) -> Any:
    return node("Transpose", [name], [f"{name}_t"], **SWAP)


def shaped(rows: int, columns: int, flag: int) -> list[int]:
    return [columns, rows] if flag else [rows, columns]


def of_transposes(op: str, turned: Sequence[int], flags: Sequence[int] = (0, 0), **changes: Any) -> ModelProto:
    """A product whose operands and result are transposed where ``turned`` says so; ``flags``: transA and transB."""
    a, b, y = turned
    sizes = {"a": shaped(M, K, flags[0] ^ a), "b": shaped(K, N, flags[1] ^ b)}
    nodes = [transposed(name) for name, turn in (("a", a), ("b", b)) if turn]
    operands = [f"{name}_t" if turn else name for name, turn in (("a", a), ("b", b))]
    attrs = {"transA": flags[0], "transB": flags[1]} if op != "MatMul" else {}
    domain = {"domain": "com.microsoft"} if op == "FusedMatMul" else {}
    nodes.append(node(op, operands, ["p"], "product", **attrs, **domain))
    nodes.append(node("Transpose", ["p"], ["y"], **SWAP) if y else node("Neg", ["p"], ["y"]))
    dtype = changes.pop("dtype", FLOAT)
    inputs = [value(name, dims, dtype) for name, dims in sizes.items()]
    return model(nodes, inputs, [value("y", shaped(M, N, y), dtype)], domains=["com.microsoft"], **changes)


@pytest.mark.parametrize("turned", list(product((0, 1), (0, 1), (0, 1))))
@pytest.mark.parametrize(("op", "flags"), [("MatMul", (0, 0)), *product(("Gemm", "FusedMatMul"), FLAGS)])
def test_a_product_of_matrices_absorbs_every_transpose(op: str, flags: Any, turned: Any) -> None:
    result = kept(of_transposes(op, turned, flags))
    assert (count(result.model), result.plan.bytes) == (0, 0)
    is_gemm = op == "MatMul" and turned not in ((0, 0, 0), (1, 1, 1))
    assert count(result.model, "Gemm" if is_gemm else op) == 1


@pytest.mark.parametrize(("rows", "transposes"), [(17, 0), (3, 1), (1, 0)])
def test_operands_change_places_where_turning_the_right_one_costs_less(rows: int, transposes: int) -> None:
    """``(A B)^T`` is ``B^T A^T``: a runtime lays B out anew. The Transpose of one row is a Reshape."""
    nodes = [node("MatMul", ["a", "b"], ["p"]), node("Transpose", ["p"], ["y"], **SWAP)]
    result = kept(model(nodes, {"a": [rows, 13], "b": [13, 5]}, {"y": [5, rows]}))
    assert count(result.model) == transposes
    assert count(result.model, "Gemm") == (rows == 17)
    price = runtime(BYTES).operators["Gemm"].prices["turned_first"]
    assert result.plan.cost - result.plan.bytes == (price.of(4 * 13 * 5, rows * 13 * 5) if rows == 17 else 0)


@pytest.mark.parametrize(("dtype", "opset"), [(INT64, 17), (FLOAT, 9)])
def test_a_matmul_that_no_gemm_takes_stays(dtype: int, opset: int) -> None:
    """Gemm needs its C before opset 11, and runtimes lack it for integers."""
    result = kept(of_transposes("MatMul", (1, 0, 0), dtype=dtype, opset=opset))
    assert (count(result.model), count(result.model, "Gemm")) == (1, 0)


def test_a_matmul_of_float16_may_be_a_gemm() -> None:
    assert count(kept(of_transposes("MatMul", (1, 1, 0), dtype=FLOAT16)).model, "Gemm") == 1


@pytest.mark.parametrize("turned", list(product((0, 1), (0, 1))))
def test_a_constant_operand_stays_as_it_is(turned: tuple[int, int]) -> None:
    """Of ways to absorb a Transpose, that which leaves the weight alone."""
    a, y = turned
    nodes = [*([transposed("a")] if a else []), node("Gemm", ["a_t" if a else "a", "w"], ["p"], transB=1),
             node("Transpose", ["p"], ["y"], **SWAP) if y else node("Neg", ["p"], ["y"])]  # fmt: skip
    original = model(nodes, {"a": shaped(M, K, a)}, {"y": shaped(M, N, y)}, {"w": random(N, K)})
    result = kept(original)
    assert count(result.model) == 0
    np.testing.assert_array_equal(weights(result.model)["w"], random(N, K))


@pytest.mark.parametrize(
    ("shape", "turned", "transposes"),
    [((M, N), 0, 0), ((N, M), 1, 1), ((1, M), 1, 0), ((N, 1), 1, 0), ((N,), 0, 0)],
)
def test_what_a_gemm_adds(shape: Sequence[int], turned: int, transposes: int) -> None:
    """No attribute turns C; a Transpose of a vector is a Reshape."""
    nodes = [transposed("a"), transposed("b"), *([transposed("c")] if turned else []),
             node("Gemm", ["a_t", "b_t", "c_t" if turned else "c"], ["p"]), node("Neg", ["p"], ["y"])]  # fmt: skip
    original = model(nodes, {"a": [K, M], "b": [N, K], "c": list(shape)}, {"y": [M, N]})
    assert count(kept(original).model) == transposes


def test_the_flags_of_batches_of_products() -> None:
    """FusedMatMul transposes the last two axes of each operand itself; MatMul has no such attributes."""
    for op, transposes in (("FusedMatMul", 0), ("MatMul", 1)):
        swap = {"perm": [0, 2, 1]}
        nodes = [node("Transpose", ["a"], ["a_t"], **swap), node("Transpose", ["b"], ["b_t"], **swap),
                 node(op, ["a_t", "b_t"], ["p"], domain="com.microsoft" if op == "FusedMatMul" else ""),
                 node("Neg", ["p"], ["y"])]  # fmt: skip
        original = model(nodes, {"a": [2, K, M], "b": [2, N, K]}, {"y": [2, M, N]}, domains=["com.microsoft"])
        assert count(kept(original).model) == transposes


@pytest.mark.parametrize("flag", ["transBatchA", "transBatchB"])
def test_flags_that_move_batches_are_refused(flag: str) -> None:
    sizes = {"a": [M, 2, K], "b": [2, N, K]} if flag == "transBatchA" else {"a": [2, K, M], "b": [K, 2, N]}
    turned, operands = ("b", ["a", "b_t"]) if flag == "transBatchA" else ("a", ["a_t", "b"])
    nodes = [node("Transpose", [turned], [f"{turned}_t"], perm=[0, 2, 1]),
             node("FusedMatMul", operands, ["y"], domain="com.microsoft", **{flag: 1})]  # fmt: skip
    result = kept(model(nodes, sizes, {"y": [2, M, N]}, domains=["com.microsoft"]))
    assert "behind its batches" in result.plan.relayouts[0].blame


@pytest.mark.parametrize(
    ("shape", "joined"), [((N,), True), ((M, N), True), ((1, N), True), ((M, 1), True), ((2, M, N), False)]
)
@pytest.mark.parametrize("first", [False, True])
def test_what_is_added_to_a_matmul_stays_fused(shape: Sequence[int], joined: bool, first: bool) -> None:
    """onnxruntime makes one Gemm of a MatMul and an Add; it leaves an Add behind a Gemm."""
    terms = ["c", "p"] if first else ["p", "c"]
    nodes = [transposed("a"), node("MatMul", ["a_t", "w"], ["p"], "product"), node("Add", terms, ["y"])]
    made = [2, M, N] if len(shape) > 2 else [M, N]
    result = kept(model(nodes, {"a": [K, M], "c": list(shape)}, {"y": made}, {"w": random(K, N)}))
    assert op_types(result.model) == (["Gemm"] if joined else ["Gemm", "Add"])
    assert op_types(optimised(result.model, "extended")) == op_types(result.model)


def test_a_product_that_others_read_stays_apart() -> None:
    add = [transposed("a"), node("MatMul", ["a_t", "w"], ["p"]), node("Add", ["p", "c"], ["y"])]
    for more, outputs in (([node("Neg", ["p"], ["z"])], {"y": [M, N], "z": [M, N]}), ([], {"y": [M, N], "p": [M, N]})):
        original = model([*add, *more], {"a": [K, M]}, outputs, {"w": random(K, N), "c": random(N)})
        assert op_types(kept(original).model).count("Add") == 1


def test_a_gemm_reads_what_was_a_graph_output_transposed() -> None:
    """onnxruntime's Gemm fusion deletes a Transpose that is a graph output if the other operand is one, too: a model
    that has an Identity between does not load without it, but for a Gemm that reads both operands as they are."""
    nodes = [transposed("a"), transposed("b"), node("Gemm", ["a_t", "b_t"], ["y"], transA=1),
             node("Identity", ["a_t"], ["z"])]  # fmt: skip
    for a, b in product(([M, K], None), ([N, K], None)):
        original = model(nodes, [value("a", a), value("b", b)], [value("y", [M, N]), value("z", [K, M])])
        result = rewrite(original, "nchw", dialect="onnx", keep_io=True)
        assert count(result.model) == 1
        for level in LEVELS:
            z = session(result.model, level).run(["z"], {"a": random(M, K), "b": random(N, K)})[0]
            np.testing.assert_array_equal(z, random(M, K).T)


@pytest.mark.parametrize("turned", list(product((0, 1), (0, 1), (0, 1))))
@pytest.mark.parametrize("columns", [[K, N], [2, 3, K, N]])
def test_onnxruntime_reads_operands_of_batches_transposed(turned: Sequence[int], columns: list[int]) -> None:
    """FusedMatMul has flags for the last two axes; of the result, where both operands have the same batches."""
    a, b, y = turned
    swaps = {rank: {"perm": [*range(rank - 2), rank - 1, rank - 2]} for rank in (2, 4)}
    nodes = [*([node("Transpose", ["a"], ["a_t"], **swaps[4])] if a else []),
             *([node("Transpose", ["b"], ["b_t"], **swaps[len(columns)])] if b else []),
             node("MatMul", ["a_t" if a else "a", "b_t" if b else "b"], ["p"]),
             *([node("Transpose", ["p"], ["y"], **swaps[4])] if y else [node("Neg", ["p"], ["y"])])]  # fmt: skip
    inputs = {"a": [2, 3, *shaped(M, K, a)], "b": [*columns[:-2], *shaped(K, N, b)]}
    result = kept(model(nodes, inputs, {"y": [2, 3, *shaped(M, N, y)]}), dialect="onnxruntime")
    is_matrix = len(columns) == 2
    plain = not (a or b) if is_matrix else a == b == y
    assert count(result.model) == (y if is_matrix else 0)
    assert count(result.model, "FusedMatMul") == (not plain)
