"""Small faults in Python sources, found by the syntax tree: each changes one line, as a slip of the pen would."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

FLIPPED: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.In: "not in",
    ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
SWAPPED: dict[type[ast.operator | ast.boolop], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.FloorDiv: "*", ast.Mod: "//", ast.And: "or", ast.Or: "and",
}  # fmt: skip
UNWRAPPED = {"perm.inverse", "inverse", "sorted", "reversed", "abs", "dict.fromkeys", "set", "tuple"}
NO_CODE = (ast.Assert, ast.Import, ast.ImportFrom)
UNSEEN = ("TYPE_CHECKING", "__name__", "__all__")


@dataclass(frozen=True)
class Mutation:
    """``what`` is done to ``line`` (as it stands, without indentation) of a file, and the line that it becomes."""

    path: str
    number: int
    line: str
    what: str
    becomes: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is, wherever in the file the line stands."""
        return self.path, self.line, self.what

    def planted(self, source: str) -> str:
        lines = source.splitlines(keepends=True)
        lines[self.number - 1] = self.becomes + "\n"
        return "".join(lines)


class Found:
    """The mutations of one file."""

    def __init__(self, path: str, source: str) -> None:
        self.path, self.lines, self.every = path, source.splitlines(), list[Mutation]()
        for node in self._code(ast.parse(source)):
            for part, text, what in replacements(node):
                self._add(part, text, what)

    def _code(self, tree: ast.AST) -> Iterator[ast.AST]:
        """Nodes that run: no decorators, no annotations, no assertions (which say what is so to the reader)."""
        for name, value in ast.iter_fields(tree):
            if name in ("decorator_list", "annotation", "returns"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not isinstance(child, NO_CODE) and not is_strict(child):
                    yield child
                    yield from self._code(child)

    def _add(self, part: ast.AST, text: str, what: str) -> None:
        number, end = getattr(part, "lineno", 0), getattr(part, "end_lineno", 0)
        if not number or number != end:
            return
        line = self.lines[number - 1].encode()
        start, stop = part.col_offset, part.end_col_offset  # type: ignore[attr-defined]
        becomes = b"".join((line[:start], text.encode(), line[stop:])).decode()
        if not any(word in becomes for word in UNSEEN):
            self.every.append(Mutation(self.path, number, line.decode().strip(), what, becomes))


def replacements(node: ast.AST) -> Iterator[tuple[ast.AST, str, str]]:
    """Parts of a node, what each may become, and how that is called."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in FLIPPED:
            sign = FLIPPED[type(op)]
            yield node, f"({text(left)} {sign} {text(right)})", f"comparison to {sign}"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SWAPPED:
            yield node, f"(({text(left)}) {SWAPPED[type(op)]} ({text(right)}))", f"operator to {SWAPPED[type(op)]}"
        case ast.BoolOp(op=op, values=values):
            joined = f" {SWAPPED[type(op)]} ".join(f"({text(value)})" for value in values)
            yield node, f"({joined})", f"{type(op).__name__.lower()} to {SWAPPED[type(op)]}"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, f"({text(operand)})", "not dropped"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield node, f"({text(operand)})", "minus dropped"
        case ast.Constant(value=bool(value)):
            yield node, str(not value), f"{value} to {not value}"
        case ast.Constant(value=int(value)):
            yield node, str(value + 1), f"{value} to {value + 1}"
        case ast.If(test=test) | ast.IfExp(test=test) | ast.comprehension(ifs=[test]):
            yield test, "True", f"guard {text(test)} to True"
            yield test, "False", f"guard {text(test)} to False"
        case ast.Raise(exc=ast.Call(func=ast.Name(id=name))):
            yield node, "pass", f"{name} not raised"
        case ast.Expr(value=ast.Call(func=called)):
            yield node, "pass", f"{text(called)} not called"
        case ast.Return(value=ast.List() | ast.ListComp() | ast.Tuple() as value):
            yield value, f"({text(value)})[::-1]", "returned in reverse"
        case ast.Call():
            yield from in_call(node)


def in_call(node: ast.Call) -> Iterator[tuple[ast.AST, str, str]]:
    name = text(node.func)
    if name in UNWRAPPED and len(node.args) == 1:
        yield node, f"({text(node.args[0])})", f"{name} dropped"
    for one in node.keywords:
        if one.arg is not None and not is_strict(one):
            rest = ast.Call(node.func, node.args, [other for other in node.keywords if other is not one])
            yield node, text(rest), f"{one.arg}= dropped"


def is_strict(node: ast.AST) -> bool:
    """Of zip: an assertion, no behaviour."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def text(node: ast.AST) -> str:
    return ast.unparse(node)


def drawn(root: Path, folders: Sequence[str], count: int, seed: int) -> list[Mutation]:
    """As many mutations, spread over all files in proportion to their lines; of a file always the same ones."""
    files = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    found = [Found(path.relative_to(root).as_posix(), path.read_text()) for path in files]
    found = [one for one in found if one.every]
    ends = list(accumulate(len(one.lines) for one in found))
    chosen = []
    for one, end in zip(found, ends, strict=True):
        begin = end - len(one.lines)
        share = end * count // ends[-1] - begin * count // ends[-1]
        chosen += Random(f"{seed} {one.path}").sample(one.every, min(share, len(one.every)))
    return chosen
