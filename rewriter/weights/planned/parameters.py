"""A layer's parameters as the target has them: kernels as the framework says, vectors as the plan does."""

from dataclasses import replace
from math import prod

from passes.layout import perm
from passes.layout.layout import arranged
from rewriter.weights.framework import KERNEL_KINDS, ONNX_KERNELS, Framework
from rewriter.weights.frameworks import FRAMEWORKS
from rewriter.weights.layers.layers import Layer
from rewriter.weights.layers.trace import Use
from rewriter.weights.manifest.manifest import Tensor
from rewriter.weights.planned.storage import Storage
from rewriter.weights.tensors.letters import perm_between, plain, written_shape
from rewriter.weights.tensors.transform import TensorTransform


def parameter(storage: Storage, framework: Framework, layer: Layer, place: int) -> Tensor:
    """A parameter of a layer: its kernel, its slopes, or a vector, which stays one wherever the plan puts its axis."""
    use = layer.parameters[place]
    shape = tuple(use.constant.shape)
    if place == 0 and layer.kind in KERNEL_KINDS:
        return kernel(storage, framework, layer, use)
    if layer.kind == "prelu":
        return slopes(storage, framework, layer, use)
    is_vector = max(shape, default=1) == prod(shape) or layer.kind == "group_norm"
    if not is_vector or layer.kind == "embedding":
        return storage.tensor(use)
    letter = "O" if layer.kind in KERNEL_KINDS else "C"
    return use.tensor(TensorTransform(shape, storage.layout(use), (prod(shape),)), letter, letter)


def kernel(storage: Storage, framework: Framework, layer: Layer, use: Use) -> Tensor:
    """Letters as the framework has them; orders along its axes as planned."""
    old = "".join(perm.reorder(perm.inverse(use.perm), ONNX_KERNELS[layer.kind, layer.spatial]))
    new = framework.kernel_letters(layer.kind, layer.spatial)
    p, before = perm_between(old, new), tuple(use.constant.shape)
    shape = written_shape(new, perm.reorder(p, before), layer.node.attrs.get("group"))
    flips = framework.flips_kernel(layer.kind)
    flip = tuple(i for i, letter in enumerate(plain(new)) if flips and letter in "DHW")
    planned = storage.layout(use)
    layout = arranged(p, {axis: planned.along(axis) for axis in planned.lengths()})
    return use.tensor(TensorTransform(before, layout, shape, flip), spelled(layer, old), new)


def spelled(layer: Layer, letters: str) -> str:
    """A kernel's layout as a framework spells it: IHWO of a depthwise kernel is TFLite's 1HWC."""
    spellings = (cls.kernels.get((layer.kind, layer.spatial), "") for cls in FRAMEWORKS.values())
    ones = (row for row in spellings if "1" in row and len(row) == len(letters) and plain(row) == letters)
    return next(ones, letters)


def slopes(storage: Storage, framework: Framework, layer: Layer, use: Use) -> Tensor:
    """A PReLU's, which no framework stores with a batch axis."""
    tensor = storage.tensor(use)
    shape = tensor.change.shape
    if framework.has_flat_slopes and max(shape, default=1) == prod(shape):
        shape = (prod(shape),)
    elif len(shape) == len(layer.node.inputs[0].shape or ()) and shape[:1] == (1,):
        shape = shape[1:]
    return replace(tensor, change=replace(tensor.change, shape=shape))
