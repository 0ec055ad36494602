"""What there is to know about a framework, as one object: each file of ``frameworks`` fills one in.

These files are read for ``--help``: they import neither numpy nor onnx.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar

from rewriter.errors import UsageError
from rewriter.weights.windows import Pair, Settings, Windows, whole_pads

CONV_KINDS = ("conv", "depthwise_conv", "conv_transpose")
KERNEL_KINDS = (*CONV_KINDS, "dense")
POOL_KINDS = ("average_pool", "max_pool")
NORM_KINDS = ("layer_norm", "group_norm", "instance_norm")


def kernel_layouts(**rows: str) -> dict[tuple[str, int], str]:
    """Layouts, in the letters of ``letters.py``, by kind of layer and number of spatial axes."""
    layouts = ((kind, letters) for kind, row in rows.items() for letters in row.split())
    return {(kind, sum(map(letters.count, "DHW"))): letters for kind, letters in layouts}


def parameter_names(
    kernel: str, norm: str, statistics: str, slopes: str, embedding: str
) -> Mapping[str, tuple[str, ...]]:
    """What each kind of layer calls its parameters, in the order of ONNX's inputs (and of Keras's ``set_weights``)."""
    rows = {**dict.fromkeys(KERNEL_KINDS, kernel), **dict.fromkeys(NORM_KINDS, norm)}
    rows |= {"batch_norm": f"{norm} {statistics}", "prelu": slopes, "embedding": embedding}
    return {kind: tuple(names.split()) for kind, names in rows.items()}


CHANNELS_FIRST = "OIW OIHW OIDHW"
ONNX_KERNELS = kernel_layouts(
    conv=CHANNELS_FIRST, depthwise_conv=CHANNELS_FIRST, conv_transpose="IOW IOHW IODHW", dense="IO"
)


@dataclass(frozen=True)
class Framework(ABC):
    """How a framework's layers hold their weights and what these are called, how it pads, and what it has not.

    The fields of a subclass are choices of the framework's own, False at first, with their ``help`` as metadata.
    """

    name: ClassVar[str]
    direction: ClassVar[str] = "nhwc"  # of the plan by which its weights are stored
    safetensors_format: ClassVar[str] = "np"  # the metadata's "format", for readers that look at it
    separator: ClassVar[str] = ""  # between a module and its parameter; empty where tensors keep the file's names
    kernels: ClassVar[Mapping[tuple[str, int], str]]
    parameters: ClassVar[Mapping[str, tuple[str, ...]]]
    momentum_weighs: ClassVar[str] = "old statistics"  # a BatchNorm's, as in ONNX
    pool_settings: ClassVar[tuple[str, ...]] = ()  # of ONNX's, those that its pools have
    pads_same: ClassVar[bool] = False  # whether it knows ONNX's SAME_UPPER, whatever the input's size
    shuffle_modes: ClassVar[tuple[str, ...]] = ("CRD", "DCR")  # of its DepthToSpace; both where it has none of its own
    has_grouped_transpose: ClassVar[bool] = False
    has_flat_slopes: ClassVar[bool] = False  # whether a PReLU's slopes by channel are a vector

    @classmethod
    def choices(cls) -> dict[str, str]:
        """The framework's own choices, and what to say of them in ``--help``."""
        return {field.name: field.metadata["help"] for field in fields(cls)}

    def kernel_letters(self, kind: str, spatial: int) -> str:
        """The layout of the kernel of a layer with this many spatial axes. Raises UsageError if there is none."""
        if (kind, spatial) not in self.kernels:
            raise UsageError(f"{self.name} has no layer {kind} with {spatial} spatial axes: choose another target")
        return self.kernels[kind, spatial]

    def flips_kernel(self, kind: str) -> bool:
        """Whether the kernel's spatial axes run backwards."""
        return False

    def collection(self, parameter: str) -> str | None:
        """The collection of variables that holds a parameter, where there are several."""
        return None

    def layer_settings(self, kind: str) -> Settings:
        """What a layer is given besides."""
        return {}

    def lacks(self, kind: str, spatial: int, settings: Settings) -> Iterator[str]:
        """What the framework cannot do, or not in one layer, and what to do instead."""
        yield from ()

    def pad(self, pads: Sequence[Pair]) -> Settings:
        """What the input or result of a layer is padded by apart from it: a pair for each axis, as ``tf.pad`` takes."""
        return {"pad": [(0, 0), *pads, (0, 0)]} if any(map(any, pads)) else {}

    @abstractmethod
    def conv_padding(self, windows: Windows) -> Settings:
        """What a convolution or pool is given as ``padding``, and what is padded apart from it."""

    @abstractmethod
    def conv_transpose_padding(self, windows: Windows, output_padding: Sequence[int]) -> Settings:
        """What a transposed convolution is given."""

    def pool_padding(self, windows: Windows, *, average: bool, count_include_pad: bool, ceil_mode: bool) -> Settings:
        """What a pool is given; a ``note`` instead where no padding says what ``ceil_mode`` does."""
        counted = average and count_include_pad
        pads = whole_pads(windows) if ceil_mode and "ceil_mode" not in self.pool_settings else windows.pads
        if pads is None:
            return {"note": "ceil_mode adds a window where the input's size leaves a rest: it is not known here"}
        if pads != windows.pads and counted:
            return {"note": "ceil_mode adds elements that count_include_pad does not count: no padding says both"}
        settings = self.conv_padding(replace(windows, pads=pads, counted=counted))
        if "pad" in settings and not counted:
            settings |= {"divide_by_ones": True} if average else {"pad_value": "-inf"}
        own = ({"count_include_pad": count_include_pad} if average else {}) | {"ceil_mode": ceil_mode}
        return settings | {key: value for key, value in own.items() if key in self.pool_settings}
