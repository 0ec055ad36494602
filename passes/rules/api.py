"""What a file of rules is written with, here or in a plug-in."""

from passes.layout import perm
from passes.layout.edit import Array, Edit, Expand, Lookup, Omit, Put, Take
from passes.layout.layout import ANY, VECTOR, Layout, arranged, natural, permuted
from passes.layout.perm import Perm
from passes.refusal import Refusal
from passes.rules.labels import Labels, LabelsFn, broadcast_axes, image_axes, no_axes, same_axes, whole, without
from passes.rules.move import IN, OUT, PREVIOUS, Move, Slot, Step
from passes.rules.node import Node, Shape
from passes.rules.rule import Rule, RuleFn, register

__all__ = [
    "ANY", "IN", "OUT", "PREVIOUS", "VECTOR", "Array", "Edit", "Expand", "Labels", "LabelsFn", "Layout", "Lookup",
    "Move", "Node", "Omit", "Perm", "Put", "Refusal", "Rule", "RuleFn", "Shape", "Slot", "Step", "Take", "arranged",
    "broadcast_axes", "image_axes", "natural", "no_axes", "perm", "permuted", "register", "same_axes", "whole",
    "without",
]  # fmt: skip
