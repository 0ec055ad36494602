"""A toolchain's names from a TOML file (docs/dialects.md), as a dialect."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from passes.dialects.base import FORMS, KERNEL_LAYOUTS
from passes.dialects.respell import Words
from passes.dialects.spelled import SpelledDialect
from passes.dialects.table import Row, Table, attributes_of
from passes.ir.declared import MICROSOFT
from passes.layout.formats import FORMATS
from rewriter.errors import UsageError

SUFFIX = ".toml"
RANKS = {known.name: rank for rank, known in FORMATS.items()}
NAMES = {form.name: form.op for form in FORMS if not form.grouped}
KERNELS = {form.name for form in FORMS if "w" in form.inputs}
OTHERS = {"onnx": False, "function": True}
STANDARD = ("", "ai.onnx")


def words_of(dialect: str | Words | None) -> Words | None:
    """The words of a dialect that is a file, or was one that is read; ``None`` of one by name. Raises UsageError."""
    if not isinstance(dialect, str):
        return dialect
    return dialect_of(Path(dialect)) if dialect.endswith(SUFFIX) else None


def dialect_of(path: Path) -> Words:
    """The dialect that a file describes. Raises UsageError, with file and key, where it describes none."""
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not a readable TOML file ({getattr(error, 'strerror', None) or error})") from None
    return _Reader(path).dialect(table)


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path

    def dialect(self, table: dict[str, Any]) -> Words:
        head = {key: value for key, value in table.items() if key not in RANKS}
        told = self.checked("", head, HEAD)
        rows = tuple(
            self.row(f"{name}.{form}", RANKS[name], form, told, self.table(f"{name}.{form}", entry))
            for name in RANKS
            for form, entry in self.table(name, table.get(name, {})).items()
        )
        if not rows:
            self.fail("nhwc", f"there are no operators; write a table [{'|'.join(RANKS)}.OPERATOR] for each")
        self.refuse_alike(rows, told["functions"])
        held = Table(rows, told["version"], told["functions"], OTHERS[told["others"]])
        return type("TomlDialect", (SpelledDialect,), {"name": told["name"], "table": held})

    def row(self, key: str, rank: int, form: str, head: Mapping[str, Any], entry: dict[str, Any]) -> Row:
        if form not in NAMES:
            self.fail(key, f"there is no such operator; it is one of {', '.join(NAMES)}")
        told = self.checked(key, {"domain": head["domain"], "name": form, **entry}, ROW)
        if "kernel" in entry and form not in KERNELS:
            self.fail(f"{key}.kernel", f"{form} has no kernel")
        if head["functions"] and told["domain"].startswith((*STANDARD[1:], MICROSOFT)) | (not told["domain"]):
            self.fail(f"{key}.domain", f"{told['domain']!r} is others'; a function needs a domain of your own")
        known = sorted(attributes_of(NAMES[form]))
        for name in (*told["rename"], *(told["only"] or ())):
            if name not in known:
                self.fail(key, f"{NAMES[form]} has no attribute {name!r}; it has {', '.join(known)}")
        written = [told["rename"].get(name, name) for name in known] + [*told["attributes"]]
        if twice := next((name for name in written if written.count(name) > 1), None):
            self.fail(key, f"two attributes would be called {twice!r}")
        only = None if told["only"] is None else tuple(told["only"])
        return Row(
            form, rank, told["name"], "" if told["domain"] in STANDARD else told["domain"], told["kernel"],
            told["rename"], told["attributes"], only, told["explicit"], tuple(told["types"]),
        )  # fmt: skip

    def checked(self, key: str, entry: Mapping[str, Any], kinds: "Kinds") -> dict[str, Any]:
        """The entry with defaults. Raises UsageError for a key or value that is none."""
        for name, value in entry.items():
            where = f"{key}.{name}".lstrip(".")
            if name not in kinds:
                self.fail(where, f"there is no such key; there are {', '.join(kinds)}")
            if not kinds[name][1](value):
                self.fail(where, f"it is {value!r}; write {kinds[name][2]}")
        for name, (default, _, words) in kinds.items():
            if default is ... and name not in entry:
                self.fail(f"{key}.{name}".lstrip("."), f"it is missing; write {words}")
        return {name: entry.get(name, default) for name, (default, _, _) in kinds.items()}

    def refuse_alike(self, rows: tuple[Row, ...], functions: bool) -> None:
        """Two operators must differ in what a file says of them; a function is one operator's on one rank of images."""
        for i, row in enumerate(rows):
            for other in rows[:i]:
                same = (row.domain, row.name) == (other.domain, other.name)
                if same and (functions or (row.rank == other.rank and row.attrs == other.attrs)):
                    self.fail(_key(row), f"{row.domain}::{row.name} stands for {_key(other)} already")

    def table(self, key: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(key, f"it is {value!r}; write a table")
        return value

    def fail(self, key: str, text: str) -> NoReturn:
        raise UsageError(f"{self.path}: {key}: {text}")


Check = Callable[[Any], bool]
Kinds = Mapping[str, tuple[Any, Check, str]]  # default (...: none), what a value may be, in words


def _key(row: Row) -> str:
    return f"{FORMATS[row.rank].name}.{row.form}"


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value.isprintable() and not any(map(str.isspace, value))


def _is_domain(value: Any) -> bool:
    return value == "" or _is_name(value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_value(value: Any) -> bool:
    """Whether an attribute can hold it: a number, text, or a list of either kind."""
    if isinstance(value, list):
        return bool(value) and all(type(one) is type(value[0]) and _is_value(one) for one in value)
    return type(value) in (int, float, str)


def _is_type(value: Any) -> bool:
    try:
        return isinstance(value, str) and np.dtype(value).name == value
    except TypeError:
        return False


def _all(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _each(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(_is_name(k) and check(v) for k, v in value.items())


HEAD: Kinds = {
    "name": (..., _is_name, 'what reports call it, as "acme"'),
    "domain": (..., _is_domain, 'the domain of its operators, as "acme.npu", or "" for the standard one'),
    "version": (1, lambda value: type(value) is int and value > 0, "the version of its domain, 1 or more"),
    "functions": (False, _is_flag, "true, for files that say what its operators mean, or false"),
    "others": ("onnx", lambda value: value in OTHERS, '"onnx" or "function": how other operators are written'),
}
ROW: Kinds = {
    "name": (..., _is_name, "what the toolchain calls it"),
    "domain": (..., _is_domain, 'the domain of this operator, as "acme.npu", or "" for the standard one'),
    "kernel": (KERNEL_LAYOUTS[0], lambda value: value in KERNEL_LAYOUTS, f"one of {', '.join(KERNEL_LAYOUTS)}"),
    "rename": ({}, _each(_is_name), 'its names by those of the standard operator, as { pads = "padding" }'),
    "attributes": ({}, _each(_is_value), 'what it has besides, as { data_format = "NHWC" }'),
    "only": (None, _all(_is_name), "the standard attributes that it has, as a list"),
    "explicit": (False, _is_flag, "true, to have defaults written, too, or false"),
    "types": ([], _all(_is_type), 'the types of its first input, as ["float32"]'),
}
