"""The dialects by name: how channels-last operators are written in a file. A new one is a file, and a row here."""

from onnx import FunctionProto

from passes.dialects.base import Dialect, Spelling
from passes.dialects.functions import FunctionDialect
from passes.dialects.standard import StandardDialect

DIALECTS: dict[str, type[Dialect]] = {dialect.name: dialect for dialect in (FunctionDialect, StandardDialect)}
DEFAULTS = {"nhwc": FunctionDialect.name, "nchw": StandardDialect.name}  # by target


def make(name: str, weight_layout: str = "ohwi") -> Dialect:
    """The dialect with this name, a key of ``DIALECTS``."""
    return DIALECTS[name](weight_layout)


def owns(domain: str) -> bool:
    """Whether the operators of a domain are functions that some dialect brings."""
    return any(dialect.owns(domain) for dialect in DIALECTS.values())


def read(domain: str, op: str, opset: int) -> Spelling | None:
    """What a node of a file stands for, if it is a channels-last one of some dialect."""
    readings = (dialect.read(domain, op, opset) for dialect in DIALECTS.values())
    return next((reading for reading in readings if reading is not None), None)


def function(domain: str, op: str, opset: int) -> FunctionProto:
    """The function that a file needs for nodes of a domain that a dialect owns.

    Raises ValueError if that dialect has no such function.
    """
    for dialect in DIALECTS.values():
        spelling = dialect.read(domain, op, opset) if dialect.owns(domain) else None
        if spelling is not None:
            return dialect.function(spelling, opset)
    raise ValueError(f"{domain}::{op} is not a function of any dialect at opset {opset}")
