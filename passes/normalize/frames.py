"""Frames as a camera gives them, in place of the numbers that a model was trained on."""

from dataclasses import dataclass

FRAME_TYPES = ("uint8", "float32")


@dataclass(frozen=True)
class Frames:
    """What an input takes, where the model wants ``(frame * scale - mean) / std`` of frames with values 0 to 255.

    ``dtype``: that of the frames, one of ``FRAME_TYPES``. ``bgr``: their channels are in the reverse order of the
    model's. ``mean`` and ``std``: by the model's channels, in their order, or one number for all.
    """

    dtype: str
    bgr: bool
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def lengths(self) -> set[int]:
        """For how many channels each there are, where they differ by channel."""
        return {len(one) for one in (self.mean, self.std)} - {1}

    @property
    def tells_channels_apart(self) -> bool:
        """Whether it matters which axis holds them."""
        return self.bgr or bool(self.lengths)

    @property
    def gain(self) -> tuple[float, ...]:
        """``scale / std``: the model's input is ``gain * (frame - shift)``."""
        return tuple(self.scale / one for one in self.std)

    @property
    def shift(self) -> tuple[float, ...]:
        """``mean / scale``, in units of the frames."""
        return tuple(one / self.scale for one in self.mean)

    def __str__(self) -> str:
        def numbers(values: tuple[float, ...]) -> str:
            return ",".join(f"{value:.6g}" for value in values)

        order = "BGR" if self.bgr else "as the model's"
        said = f"scale {self.scale:.6g}, mean {numbers(self.mean)}, std {numbers(self.std)}"
        return f"frames of {self.dtype}, channels {order}, {said}"
