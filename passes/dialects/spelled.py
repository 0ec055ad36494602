"""Dialects that are a table of names: planned as functions, and then called as their toolchain calls them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from passes.dialects.base import Form, Spelling
from passes.dialects.functions import FunctionDialect, called
from passes.dialects.table import Row, Table

MARK = "rewriter.dialect"  # metadata of a file that is proved by another
PROVED = (
    "{why}: what it validates is the equivalent file in the function dialect, from which this one differs in the names "
    "of operators and attributes only."
)


class SpelledDialect(FunctionDialect):
    """The words of ``table``. ``unproven``: why onnxruntime does not run files without functions here."""

    table: ClassVar[Table]
    unproven: ClassVar[str] = "onnxruntime does not know the operators of the dialect {name}"

    @classmethod
    def mark(cls) -> str:
        """What a file says of its proof, and the report; nothing where its functions say what its operators mean."""
        return "" if cls.table.functions else PROVED.format(why=cls.unproven.format(name=cls.name))

    def spell(self, form: Form, rank: int) -> Spelling | None:
        """The function with kernels as the table has them; for what it has not, any function, or none."""
        row = self.row(form, rank)
        if row is not None:
            return called(form, rank, row.kernel)
        return super().spell(form, rank) if self.table.others else None

    def lacks(self, form: Form, rank: int, opset: int, attrs: Mapping[str, Any], dtype: Any) -> str | None:
        """What the row has not; nothing where functions may stand beside it."""
        row = self.row(form, rank)
        return None if row is None or self.table.others else row.lacks(form, opset, attrs, dtype)

    @classmethod
    def row(cls, form: Form, rank: int) -> Row | None:
        """How the table has a form on images of a rank: the row of its name, else one that covers it."""
        rows = [row for row in cls.table.rows if row.rank == rank and row.covers(form)]
        return min(rows, key=lambda row: row.form != form.name, default=None)
