"""Rules by kind of operator; importing this package imports them all, which fills ``passes.rule.RULES``."""

from importlib import import_module
from pkgutil import iter_modules

for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")
