"""The operators a rule exists for, as rows of tables: one module per module of passes/rules, each with its ``ROWS``."""

from importlib import import_module
from pkgutil import iter_modules

from tests.rules.cases.case import TOLERANCE, X4, Array, Case, P, W, case, element_type, ops

__all__ = ["CASES", "TOLERANCE", "X4", "Array", "Case", "P", "W", "case", "element_type", "ops"]

MODULES = sorted(module.name for module in iter_modules(__path__) if module.name != "case")
CASES: list[Case] = [row for name in MODULES for row in import_module(f"{__name__}.{name}").ROWS]
