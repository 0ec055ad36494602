"""The *onnx* dialect: standard operators only; those that ONNX defines channels-first stay so."""

from passes.dialects.base import Dialect


class StandardDialect(Dialect):
    """It has no channels-last form of any channels-first operator."""

    name = "onnx"
