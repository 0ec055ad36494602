"""The report as one HTML file: a page, its style and its scripts, and the document as data, which the scripts draw.

Names in models are untrusted text. They are in the data only, in which nothing can end the element that holds it, and
the scripts make text nodes of them. The page's own policy forbids any request, and any script and style but its own.
"""

import base64
import hashlib
import json
import re
from importlib.resources import files
from typing import Any

SCRIPTS = ("dom.js", "rows.js", "located.js", "graph.js", "sections.js", "main.js")
SEPARATORS = (",", ":")


def page(document: dict[str, Any]) -> str:
    """The page of a ``document`` (see ``rewriter.report.document``)."""
    style, script = _read("style.css"), "\n".join(map(_read, SCRIPTS))
    parts = {
        "policy": f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        "style": style,
        "data": _inert(document),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda name: parts[name[1]], _read("page.html"))


def _read(name: str) -> str:
    return files("rewriter.report").joinpath("html", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a policy names an element's text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inert(document: dict[str, Any]) -> str:
    """JSON in ASCII in which no tag, comment or entity begins."""
    text = json.dumps(document, separators=SEPARATORS, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
