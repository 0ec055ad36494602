"""What the options of the command line can be. Nothing heavy is imported here: ``--help`` must not wait for onnx."""

from math import inf

TARGETS = ("nhwc", "nchw")
TOOLCHAINS = ("onnxruntime-cuda", "qonnx")  # dialects of which one toolchain has the operators
DIALECTS = ("function", "onnx", "onnxruntime", *TOOLCHAINS)
RUNTIMES = ("bytes", "onnxruntime", "openvino", "litert")  # whose prices there are: passes/plan/runtimes
LAYOUTS = ("nhwc", "nchw", "keep")
WEIGHT_LAYOUTS = ("ohwi", "hwio")
PROVIDERS = ("cpu", "cuda", "tensorrt", "openvino", "dml", "coreml", "xnnpack", "qnn", "webgpu")
EXTERNAL_DATA = AUTO, NONE, ONE, SPLIT = ("auto", "none", "one", "split")  # where weights are written
MOST_RUNS = 10_000  # of validation: the results of all are kept


def dialect_fault(to: str, dialect: str | None) -> str | None:
    """Why a dialect is not for this direction, and what to give."""
    if to == "nhwc" or dialect not in TOOLCHAINS:
        return None
    return (
        f"dialect {dialect} writes channels-last operators, and nchw is channels-first: leave it out, for files in its "
        "words are read without it, or ask for nhwc with --keep-io, which writes them behind the interface as it is"
    )


def number_fault(runs: int, seed: int, rtol: float | None, atol: float | None) -> str | None:
    """Which of these is none with which validation would prove anything, and what to give."""
    if not 1 <= runs <= MOST_RUNS:
        return f"runs is {runs}; give a number from 1 to {MOST_RUNS:,}"
    if seed < 0:
        return f"seed is {seed}; give 0 or more"
    if rtol is not None and not 0 <= rtol < 1:
        return f"rtol is {rtol}; give a fraction of an output's scale, from 0 to less than 1"
    if atol is not None and not 0 <= atol < inf:
        return f"atol is {atol}; give a number from 0 on"
    return None
