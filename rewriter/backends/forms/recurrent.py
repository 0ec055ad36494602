"""Recurrent layers."""

from rewriter.backends.forms.node import Form

ROWS: dict[str, Form] = {}
