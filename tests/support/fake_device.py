"""A device that is none: sessions of onnxruntime that run on the CPU and say that they run on CUDA."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest

CUDA = "CUDAExecutionProvider"
Place = Callable[[str], bool]  # whether an operator runs on the device


class FakeDevice:
    """What its sessions say and do; ``asked``: the providers of each session, with their options.

    ``starts``: else sessions fall back to the CPU, as they do until its libraries are ``loaded``. ``has``: operators
    that are not left to the CPU. ``taken``: options that the provider says to have, where they are not those that it
    was given. ``error``: what it adds to each output.
    """

    def __init__(self) -> None:
        self.asked: list[list[tuple[str, dict[str, str]]]] = []
        self.starts = True
        self.loaded = False
        self.has: Place = lambda op: True
        self.taken: Mapping[str, str] = {}
        self.error = 0.0

    def session(self, model: Any, options: Any, *, providers: Sequence[Any], **more: Any) -> Any:
        self.asked.append(list(providers))
        inner = REAL(model, options, providers=["CPUExecutionProvider"], **more)
        return FakeSession(self, inner, providers) if self.starts and self.loaded and providers[0][0] == CUDA else inner

    def load(self) -> None:
        self.loaded = True


REAL = ort.InferenceSession


class FakeSession:
    """An ``InferenceSession`` as far as validation asks."""

    def __init__(self, device: FakeDevice, inner: Any, providers: Sequence[Any]) -> None:
        self._device, self._inner, self._options = device, inner, providers[0][1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get_providers(self) -> list[str]:
        return [CUDA, "CPUExecutionProvider"]

    def get_provider_options(self) -> dict[str, Any]:
        return {CUDA: {**self._options, **self._device.taken}}

    def get_provider_graph_assignment_info(self) -> list[Any]:
        found = []
        for part in self._inner.get_provider_graph_assignment_info():
            nodes = part.get_nodes()
            name = CUDA if self._device.has(nodes[0].op_type) else "CPUExecutionProvider"
            found.append(SimpleNamespace(ep_name=name, get_nodes=lambda nodes=nodes: nodes))
        return found

    def run(self, names: Any, feed: Any) -> list[Any]:
        return [one + one.dtype.type(self._device.error) for one in self._inner.run(names, feed)]


def fake_device(monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    """A build of onnxruntime that has CUDA."""
    device = FakeDevice()
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [CUDA, "CPUExecutionProvider"])
    monkeypatch.setattr("onnxruntime.preload_dlls", device.load)
    monkeypatch.setattr("onnxruntime.InferenceSession", device.session)
    return device
