"""Whose fault it is that something fails: the model's, where onnx, onnxruntime or a run of it say so."""

from collections.abc import Iterator
from contextlib import contextmanager

from rewriter.errors import UsageError
from rewriter.files.light import light_of
from rewriter.files.source import Source
from rewriter.shapes.check import masked_fault, onnx_fault
from rewriter.validation.inputs import InputRequest


@contextmanager
def blaming(original: Source, request: InputRequest) -> Iterator[None]:
    """Whatever goes wrong is the model's fault, if it is found to be at fault."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # an invalid model may break anything
        try:
            refuse_invalid(original, request)
        except UsageError as fault:
            raise fault from error
        raise


def refuse_invalid(original: Source, request: InputRequest) -> None:
    """Raises UsageError if onnx finds a fault in the model, onnxruntime does not run it, or its run refutes it."""
    from rewriter.faults.axes import inferred_axes_fault  # where something failed only
    from rewriter.faults.declared import declared_fault
    from rewriter.faults.run import run_fault

    model, light = original.proto, light_of(original)
    fault = (
        onnx_fault(model)
        or inferred_axes_fault(model)
        or run_fault(light, request)
        or declared_fault(light, request)
        or masked_fault(model)
    )
    if fault is not None:
        raise UsageError(f"the model is not valid: {fault}")
