"""The examples of docs/weights.md, as code to run."""

import re

from tests.support.graphs import ROOT

FRAMEWORKS = {"torch.": "import torch", "tf.": "import tensorflow as tf", "nn.": "import flax.linen as nn"}
PAGE = (ROOT / "docs/weights.md").read_text()
IMPORTS = """import numpy as np
from rewriter import conv_padding, conv_transpose_padding, convert_layout, flatten_order, pool_padding
from rewriter.weights import export_weights, fill_keras, flax_variables, read_weights, save_weights
"""


def examples() -> dict[str, str]:
    """Code by heading, numbered where there is more than one under it."""
    found: dict[str, str] = {}
    heading = ""
    for title, code in re.findall(r"^#+ ([^\n]*)$|^```python\n(.*?)^```$", PAGE, re.M | re.S):
        heading = title or heading
        if code:
            found[f"{heading} {sum(name.startswith(heading) for name in found) + 1}"] = code
    return found


def needs(code: str) -> list[str]:
    """The imports of frameworks that an example needs."""
    return [line for used, line in FRAMEWORKS.items() if re.search(rf"\b{re.escape(used)}", code)]


def run(code: str) -> None:
    exec(compile("\n".join([IMPORTS, *needs(code), code]), "docs/weights.md", "exec"), {})
