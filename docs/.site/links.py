"""Links of the documentation to files beside it, which the site does not have, are their paths there."""

import re
from typing import Any

OUTSIDE = re.compile(r"\[[^\]]*\]\(\.\./([^)]+)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    return OUTSIDE.sub(r"`\1`", markdown)
