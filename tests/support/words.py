"""A toolchain that has words of its own for all that the function dialect can say."""

from itertools import product

from passes.dialects.base import FORMS
from passes.dialects.respell import Words
from passes.dialects.spelled import SpelledDialect
from passes.dialects.table import Row, Table
from passes.layout.formats import FORMATS

RENAMED = ("kernel_shape", "strides", "pads", "dilations", "auto_pad", "group", "epsilon", "mode", "blocksize")


def words(kernel: str) -> Words:
    """With kernels stored so, and functions that say what its operators mean."""
    names = {form.name for form in FORMS if not form.grouped}
    renames = {name: f"the_{name}" for name in RENAMED}
    rows = tuple(
        Row(name, rank, f"{name}{rank - 2}D", "acme.npu", kernel, renames, {"data_format": "NHWC"})
        for name, rank in product(sorted(names), FORMATS)
    )
    return type("Words", (SpelledDialect,), {"name": "words", "table": Table(rows, functions=True, others=True)})
