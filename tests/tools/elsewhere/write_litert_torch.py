"""A net's module through litert-torch, in an environment that has it: `NAME FILE INPUT.npy LAST_INPUT LAST_OUTPUT`."""

import importlib
import sys
from pathlib import Path

import litert_torch
import numpy as np
import torch

MODELS = Path(__file__).parents[3] / "models"


def main(name: str, file: str, given: str, *last: str) -> None:
    """Write the file; ``last``: 1 where the input and the output are to be channels last, else 0."""
    sys.path.insert(0, str(MODELS))
    catalog, exporters, zoo = (importlib.import_module(one) for one in ("catalog", "exporters", "zoo"))
    net = {net.name: net for net in (*catalog.SMALL, *catalog.KINDS, *catalog.FULL, *zoo.ZOO)}[name]
    nets = importlib.import_module(net.module or "torch_nets")
    torch.manual_seed(0)  # as models/exporters.py does, so that the weights are those of the ONNX file
    samples = exporters.samples(net, net.measured, seed=1)
    module = nets.randomise(net.build(nets), *map(torch.from_numpy, samples)).eval()
    sample = torch.from_numpy(np.load(given))
    ends = [[0] if end == "1" else None for end in last]
    if "1" in last:
        module = litert_torch.to_channel_last_io(module, *ends)
        sample = sample.movedim(1, -1).contiguous() if ends[0] else sample
    litert_torch.convert(module, (sample,)).export(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
