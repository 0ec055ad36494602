"""The words of a toolchain: what it calls operators on channels-last images, one row for each."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx.defs import SchemaError

from passes.dialects.attributes import defaults_of
from passes.dialects.base import FORMS, KERNEL_LAYOUTS, Form


class Row(NamedTuple):
    """An operator of a toolchain, which is the function ``form`` on images of a ``rank``.

    ``kernel``: how it is stored, one of ``KERNEL_LAYOUTS``. ``renames``: its attributes, by those of the standard
    operator. ``attrs``: what it has besides. ``only``: the standard attributes that it has; others must have their
    defaults, and are left out. ``explicit``: all are written, defaults, too. ``types``: names of the types that its
    first input may have. ``fixed``: its kernel must be a constant. ``even``: it pads as much before as behind.
    """

    form: str
    rank: int
    name: str
    domain: str
    kernel: str = KERNEL_LAYOUTS[0]
    renames: Mapping[str, str] = {}
    attrs: Mapping[str, Any] = {}
    only: tuple[str, ...] | None = None
    explicit: bool = False
    types: tuple[str, ...] = ()
    fixed: bool = False
    even: bool = False

    @property
    def is_bare(self) -> bool:
        """Whether nothing tells it from a standard operator, which is channels-first."""
        return not self.domain and not self.attrs

    @property
    def names(self) -> set[str]:
        """What its attributes may be called."""
        known = attributes_of(form_op(self.form)) if self.only is None else self.only
        return {*(self.renames.get(name, name) for name in known), *self.attrs}

    def covers(self, form: Form) -> bool:
        """Whether a form is the row's own, or the same operator without inputs that are passed through."""
        return any(
            own.name == form.name
            or ((own.op, own.outputs, own.grouped) == (form.op, form.outputs, form.grouped) and _is_short(form, own))
            for own in FORMS
            if own.name == self.form
        )

    def lacks(self, form: Form, opset: int, attrs: Mapping[str, Any], dtype: Any) -> str | None:
        """What it has not that a node with these attributes, whose first input is of ``dtype``, needs."""
        if self.types and (dtype is None or np.dtype(dtype).name not in self.types):
            return f"{self.name} is of {' or '.join(self.types)} only"
        defaults = defaults_of(form, self.rank, opset)
        others = {name: value for name, value in attrs.items() if self.only is not None and name not in self.only}
        odd = next((n for n, value in others.items() if n not in _implied(form) and value != defaults.get(n)), None)
        if odd is not None:
            return f"{self.name} has no attribute {odd}"
        pads = list(attrs.get("pads") or ())
        if self.even and pads[: len(pads) // 2] != pads[len(pads) // 2 :]:
            return f"{self.name} pads as much before as behind"
        return None


class Table(NamedTuple):
    """What a toolchain writes. ``version``: of its domains, 0 for that of the standard operators.

    ``functions``: files say what its operators mean, as functions. ``others``: operators without a row are functions of
    this tool, else standard ones, channels-first.
    """

    rows: tuple[Row, ...]
    version: int = 1
    functions: bool = False
    others: bool = False


def form_op(name: str) -> str:
    """The standard operator of the form with this name."""
    return next(form.op for form in FORMS if form.name == name)


@cache
def attributes_of(op: str) -> frozenset[str]:
    """The attributes that a standard operator has in any version that there is."""
    found = set[str]()
    for opset in range(1, onnx.defs.onnx_opset_version() + 1):
        with suppress(SchemaError):
            found |= {*onnx.defs.get_schema(op, opset).attributes}
    return frozenset(found)


def _is_short(form: Form, own: Form) -> bool:
    rest = own.inputs.removeprefix(form.inputs)
    return own.inputs.startswith(form.inputs) and set(rest) <= {"-"}


def _implied(form: Form) -> tuple[str, ...]:
    """What a kernel's shape says, too."""
    return ("kernel_shape",) if "w" in form.inputs else ()
