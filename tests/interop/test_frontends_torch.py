"""PyTorch's exported programs: the ONNX file, and what is made of it, compute what PyTorch does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rewriter import UsageError, rewrite
from tests.interop.common import agree, random
from tests.interop.test_frontends import BOTH, converted, transposes
from tests.support.engines import default


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.ConvTranspose2d(8, 5, 3)
        )
        self.head = torch.nn.Linear(5, 7)

    def forward(self, x: Any) -> Any:
        image = self.body(x)
        return image, self.head(image.mean((2, 3)))


def exported(path: Path, net: torch.nn.Module, *, dynamic: bool) -> Path:
    shapes = ({0: torch.export.Dim("n"), 2: torch.export.Dim("h", min=8)},) if dynamic else None
    torch.export.save(torch.export.export(net.eval(), (torch.randn(2, 3, 12, 14),), dynamic_shapes=shapes), path)
    return path


@BOTH
@pytest.mark.parametrize("dynamic", [False, True])
def test_an_exported_program(dynamic: bool, to: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Net()
    result = converted(exported(tmp_path / "net.pt2", net, dynamic=dynamic), to)
    x = random(5, 3, 17, 14) if dynamic else random(2, 3, 12, 14)
    with torch.no_grad():
        image, vector = (value.numpy() for value in net(torch.from_numpy(x)))
    found = default(result, {result.graph.input[0].name: x if to == "nchw" else np.moveaxis(x, 1, -1)})
    agree(found[0], image if to == "nchw" else np.moveaxis(image, 1, -1))
    agree(found[1], vector)
    assert transposes(result) == 0


def test_programs_with_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    """Sample inputs are unpickled by ``torch.export.load``: of tensors only, here."""
    marker, path = tmp_path / "ran", exported(tmp_path / "net.pt2", Net(), dynamic=False)

    class Code:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
            return Path.touch, (marker,)

    torch.save((Code(),), tmp_path / "inputs.pt")
    spoiled = torch._C.PyTorchFileWriter(str(tmp_path / "spoiled.pt2"))
    reader = torch._C.PyTorchFileReader(str(path))
    for name in reader.get_all_records():
        if not name.startswith((".data", "byteorder", "version")):
            data = reader.get_record(name)
            data = (tmp_path / "inputs.pt").read_bytes() if "sample_inputs" in name else data
            spoiled.write_record(name, data, len(data))
    spoiled.write_end_of_file()
    with pytest.raises(UsageError, match="does not convert an exported program"):
        rewrite(tmp_path / "spoiled.pt2")
    assert not marker.exists()
