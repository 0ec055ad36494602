"""TFLite files: TensorFlow's own converter makes them, LiteRT's interpreter runs them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passes.layout.edit import Array
from rewriter.backends.base import Backend, Job, Run, Written
from rewriter.backends.converter import SIGNATURE, converted, short
from rewriter.backends.packages import require, silence
from rewriter.backends.pairs import Ranged, with_ranges, without_ranges
from rewriter.errors import RunFailed
from rewriter.validation.session import Feed, Level

IDENTIFIER = b"TFL3"
UNSPEAKABLE = "self"  # no input can be called so for LiteRT's signatures, which are called by keywords
ANY_TYPE = {"Cast", "CastLike", "Flatten", "Identity", "Reshape", "Shape", "Size", "Squeeze", "Unsqueeze"}
NO_KERNELS = {"float16", "float64"}  # but of these; measured operator by operator
RESOLVERS: Mapping[Level, str] = {"disabled": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "default": "AUTO"}


class TFLite(Backend):
    """A .tflite file with builtin operators only, and the signature ``serving_default``."""

    name = "litert"
    levels: ClassVar[Mapping[Level, str]] = {"disabled": "without XNNPACK", "default": "with XNNPACK"}
    quantizes = ("float16", "dynamic", "int8")

    def require(self, path: Path) -> None:
        """TensorFlow converts and, without ``ai_edge_litert``, runs."""
        require(path)

    def write(self, job: Job, folder: Path, quantize: str | None) -> Written:
        """As float32, and if that is asked for quantised besides, by the model's own ranges if it has any."""
        from rewriter.backends.graph import traced
        from rewriter.backends.int8 import quantized

        with silence(job.quiet):
            ranged = with_ranges(job.model) if quantize == "int8" else Ranged(job.model)
            module, concrete, ends = traced(without_ranges(ranged), job.source, lack)
            names = {**ends.inputs, **ends.outputs}
            changed = {own: plain for plain, own in ends.inputs.items() if own == UNSPEAKABLE}
            names |= {plain: plain for plain in changed.values()}
            plain = {own: name for name, own in ends.inputs.items()}
            exact, small = folder / "exact.tflite", folder / "quantized.tflite"
            exact.write_bytes(named(converted(module, concrete, job.source), names))
            if quantize is None:
                return Written(exact, exact, changed)
            if quantize != "int8":
                small.write_bytes(named(converted(module, concrete, job.source, quantize), names))
                return Written(small, exact, changed)

            def samples() -> Iterator[Feed]:
                return ({plain[name]: array for name, array in feed.items()} for feed in job.samples())

            made = quantized(ranged, (module, concrete), job.source, samples, lack)
            small.write_bytes(named(made.file, names))
        return Written(small, exact, changed, bool(ranged.kept or ranged.lost), made.is_measured, made.told)

    def load(self, file: Path, level: Level) -> Run:
        """By signature, so that names count and open sizes are those of the inputs."""
        package = interpreters()
        kind = getattr(package.OpResolverType, RESOLVERS[level])
        try:
            interpreter = package.Interpreter(model_path=str(file), experimental_op_resolver_type=kind)
            runner = interpreter.get_signature_runner(SIGNATURE)
        except (ValueError, RuntimeError) as error:
            raise RunFailed(short(error)) from error

        def run(feed: Feed) -> dict[str, Array]:
            try:
                with silence(quiet=True):
                    results: dict[str, Array] = runner(**feed)
            except (ValueError, RuntimeError) as error:
                raise RunFailed(short(error)) from error
            return results

        return run


def lack(op: str, types: Sequence[str]) -> str:
    """Why TFLite has no kernel of an operator for these types; empty where it may have one."""
    lacking = sorted(set(types) & NO_KERNELS) if op not in ANY_TYPE else []
    return f"TFLite has no {lacking[0]} of it: make the model float32" if lacking else ""


def interpreters() -> Any:
    """The module with LiteRT's Interpreter, TensorFlow's own where that is not installed."""
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        from tensorflow.lite.python import interpreter
    return interpreter


def named(file: bytes, names: Mapping[str, str]) -> bytes:
    """The file with inputs and outputs, in its signature and graph, called as they are in the model."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(file, 0)
    for signature in model.signatureDefs:
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        for end in (*signature.inputs, *signature.outputs):
            own = names[end.name.decode()].encode()
            end.name = tensors[end.tensorIndex].name = own
    builder = flatbuffers.Builder(len(file))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


BACKEND = TFLite()
