"""The operator sets that a model, or one of its functions, imports: each once, of a version that there can be."""

from collections.abc import Iterable

from onnx import ModelProto, OperatorSetIdProto

from passes.ir.declared import standard


def imports_fault(model: ModelProto) -> str | None:
    """A version below 1, or two versions of one domain, of which onnx and onnxruntime take different ones."""
    for name, part in (("the model", model), *((f"function {one.name!r}", one) for one in model.functions)):
        if fault := _fault(name, part.opset_import):
            return fault
    return None


def _fault(name: str, imports: Iterable[OperatorSetIdProto]) -> str | None:
    versions: dict[str, int] = {}
    for one in imports:
        domain = standard(one.domain)
        if one.version < 1:
            return f"{name} imports version {one.version} of the operators of {domain or 'ai.onnx'}"
        if versions.setdefault(domain, one.version) != one.version:
            both = f"{versions[domain]} and {one.version}"
            return f"{name} imports two versions of the operators of {domain or 'ai.onnx'}: {both}"
    return None
