"""``make report-check`` ends with this: pictures of the page of ``--report``, to docs/images.

Of Keras's MobileNet and a deformable attention of torch, at the widths of a desk and of a phone.
"""

import sys
import tempfile
import time
from pathlib import Path

from rewriter.cli import main
from tests.support.chromium import WITHOUT, chromium, executable
from tests.support.graphs import COMMITTED, KINDS, ROOT

OUT = ROOT / "docs" / "images"
MODELS = {
    "mobilenet": (COMMITTED["keras_mobilenet_v3_transposes"], ["--to", "nchw", "--bench"]),
    "detr": (KINDS["torch_deformable"], ["--to", "nhwc"]),
}
AT_GRAPH = "document.getElementById('graph').scrollIntoView()"
NEXT = "for (let i = 0; i < 3; i += 1) document.querySelectorAll('.steps button')[1].click()"
# Name, model, width, height, colours, and what is done before
PICTURES = (
    ("report", "mobilenet", 1200, 760, "light", ""),
    ("report-dark", "mobilenet", 1200, 760, "dark", ""),
    ("report-graph", "detr", 1200, 820, "light", f"{NEXT}; {AT_GRAPH}"),
    ("report-graph-dark", "detr", 1200, 820, "dark", f"{NEXT}; {AT_GRAPH}"),
    ("report-phone", "detr", 360, 780, "light", f"{NEXT}; {AT_GRAPH}"),
)
SETTLED = 0.3  # seconds, for scrolling to end


def run() -> int:
    """Writes the pictures; 2 if there is no browser."""
    if executable() is None:
        print(WITHOUT, file=sys.stderr)
        return 2
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as tab:
        for name, (model, options) in MODELS.items():
            argv = [str(model), *options, "--dry-run", "-q", "--report", str(Path(folder, f"{name}.html"))]
            main(argv)
        for picture, name, width, height, colours, action in PICTURES:
            tab.open(Path(folder, f"{name}.html"), width, height, colours)
            tab.value(action)
            time.sleep(SETTLED)
            (OUT / f"{picture}.png").write_bytes(tab.screenshot())
    return 0


if __name__ == "__main__":
    sys.exit(run())
