"""What ``--check`` found: how far each layer, run in the target's framework, is from onnxruntime."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Checked:
    """``errors``: of each layer that was run, its largest error as a fraction of its result's scale (the largest
    magnitude); ``others``: why a layer was not. ``seed``: that of the random inputs of the model."""

    framework: str
    version: str
    seed: int
    errors: dict[str, float]
    others: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "framework": self.framework,
            "version": self.version,
            "inputs": f"random, seed {self.seed}",
            "largest_error": {name: float(f"{error:.1e}") for name, error in self.errors.items()},
            "not_checked": self.others,
        }
