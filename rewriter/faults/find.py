"""What is wrong with a model, found in its protobuf before anything else is done with it.

Inference and onnxruntime find other faults. These are what the rest of the tool relies on, what would end one of those
engines (onnx aborts on an index constant with a negative size), and what would keep them busy for ever.
"""

from collections.abc import Callable, Iterator
from typing import Any

from onnx import AttributeProto, ModelProto, SparseTensorProto, TensorProto, TypeProto

from rewriter.errors import UsageError
from rewriter.faults.attributes import attribute_fault
from rewriter.faults.axes import axes_fault
from rewriter.faults.ends import ends_fault
from rewriter.faults.functions import functions_fault
from rewriter.faults.imports import imports_fault
from rewriter.faults.tensors import sparse_fault, tensor_fault, type_fault
from rewriter.faults.text import attribute_text_fault, string_data_fault, text_fault
from rewriter.faults.walk import Found, every_message

# what is asked of each kind of message, besides that its strings are text
CHECKS: dict[Any, tuple[Callable[[Found], str | None], ...]] = {
    AttributeProto: (attribute_fault, attribute_text_fault),
    SparseTensorProto: (sparse_fault,),
    TensorProto: (tensor_fault, string_data_fault),
    TypeProto.Tensor: (type_fault,),
    TypeProto.SparseTensor: (type_fault,),
}


def refuse_broken(model: ModelProto) -> None:
    """Raises UsageError, which names the node or value, if the model is broken."""
    fault = next(faults(model), None)
    if fault is not None:
        raise UsageError(f"the model is broken: {fault}")


def faults(model: ModelProto) -> Iterator[str]:
    """What is wrong, one after the other; nothing of a message is looked at before its strings are known to be text."""
    for found in every_message(model):
        for check in (text_fault, *CHECKS.get(type(found.message), ())):
            if fault := check(found):
                yield fault
                break
    for check_model in (imports_fault, functions_fault, ends_fault, axes_fault):
        if fault := check_model(model):
            yield fault
