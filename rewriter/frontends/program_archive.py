"""What may be in a .pt2 archive: ``torch.export.load`` would run code in others, and says so.

It unpickles objects, loads compiled libraries, evaluates expressions of sizes as Python (``sympy.sympify``), and takes
the functions that nodes call from modules by name. So all these are looked at before: what is no tensor, no arithmetic
and no registered operator is refused.
"""

import ast
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rewriter.errors import UsageError

GRAPHS = "/models/"
LIBRARIES = "aotinductor/"
TARGET = re.compile(
    r"torch\.ops\.\w+\.\w+(\.\w+)?|torch\.sym_\w+|math\.\w+|_operator\.(?!attrgetter|itemgetter|methodcaller|call)\w+"
)
DATA = re.compile(r"(weight|tensor)_\w+")  # files of tensors; objects are in others
SYMBOL = re.compile(r"[a-z]+\d+")
TEXT = re.compile(r"[a-z]+\d+|[-+.\de]+")  # within an expression: Symbol('s0'), Float('0.5')
NUMBERS = "Symbol Integer Float Rational Half One Zero NegativeOne BooleanTrue BooleanFalse"
SYMPY = "Add Mul Pow Max Min Mod Abs ceiling floor And Or Not Equality Unequality Eq Ne Le Ge Lt Gt"
ORDERS = "LessThan GreaterThan StrictLessThan StrictGreaterThan"
TORCH = (
    "FloorDiv ModularIndexing Where PythonMod CleanDiv CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural FloatPow"
    " FloatTrueDiv IntTrueDiv TruncToFloat TruncToInt RoundToInt RoundDecimal ToFloat Identity"
)
NAMES = {*f"{NUMBERS} {SYMPY} {ORDERS} {TORCH}".split()}
ARITHMETIC = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword, ast.UnaryOp, ast.BinOp, ast.Compare,
    ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip


def refuse_code(path: Path) -> None:
    """Raises UsageError if the file is no such archive, or if loading it would run code in it."""
    if not zipfile.is_zipfile(path):
        raise UsageError(f"{path}: not an exported program (it is no .pt2 archive)")
    with zipfile.ZipFile(path) as archive:
        names = [name.lower() for name in archive.namelist()]
        if not any(name.endswith(".json") for name in names):
            raise UsageError(f"{path}: not an exported program (it has no graph); torch.export.save writes one")
        if len(set(names)) < len(names) or any(LIBRARIES in name for name in names):
            raise UsageError(f"{path}: it holds a compiled library, or files twice; torch.export.save one without")
        for name in archive.namelist():
            if name.lower().endswith(".json") or GRAPHS in name:
                _check(path, json.loads(archive.read(name)))


def is_arithmetic(text: Any) -> bool:
    """Whether an expression of sizes is one, and nothing else."""
    try:
        nodes = [*ast.walk(ast.parse(text, mode="eval"))]
    except (SyntaxError, TypeError, ValueError):
        return False
    return all(isinstance(node, ARITHMETIC) and _is_plain(node) for node in nodes)


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in NAMES or SYMBOL.fullmatch(node.id) is not None
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return TEXT.fullmatch(node.value) is not None
    return True


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda text: isinstance(text, str) and pattern.fullmatch(text) is not None


CHECKS: dict[str, tuple[str, Callable[[Any], bool]]] = {  # by key of the archive's JSON
    "expr_str": ("the size", is_arithmetic),
    "target": ("the function", _matches(TARGET)),
    "path_name": ("the object", _matches(DATA)),
}


def _check(path: Path, data: Any) -> None:
    for key, value in _entries(data):
        what, is_safe = CHECKS.get(key, ("", None))
        if is_safe and isinstance(value, str) and not is_safe(value):
            raise UsageError(
                f"{path}: {what} {value[:80]!r} in it may run code, and is not loaded; export the model to ONNX "
                "where it is defined (torch.onnx.export(..., dynamo=True))"
            )


def _entries(data: Any) -> Iterator[tuple[str, Any]]:
    """All keys and values in it."""
    if isinstance(data, dict):
        yield from data.items()
    for part in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _entries(part)
