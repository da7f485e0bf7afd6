"""reStructuredText → Markdown. Nothing is included from other files, nothing raw is passed on, and what
only Sphinx knows is read as plain text."""

from __future__ import annotations

import re

from docutils.core import publish_parts

from pipelines.documents.convert.html import markdown
from pipelines.documents.convert.sandbox import Refused

_SETTINGS = {
    "_disable_config": True,
    "doctitle_xform": True,
    "embed_stylesheet": False,
    "file_insertion_enabled": False,
    "halt_level": 5,
    "initial_header_level": 2,
    "input_encoding": "utf-8-sig",
    "line_length_limit": 1_000_000,
    "math_output": "LaTeX",
    "raw_enabled": False,
    "report_level": 5,
    "smart_quotes": False,
    "syntax_highlight": "none",
    "toc_backlinks": False,
}
_ROLE = re.compile(r"(?<![\w`]):(?:[\w+-]+:)*([\w+-]+):`!?~?([^`<]+?)(?:\s*<[^`>]*>)?`")
_STANDARD = frozenset(
    "emphasis strong literal code math subscript sub superscript sup title title-reference".split()
)
_TREE = re.compile(
    r"(?m)^\.\. (?:toctree|index|automodule|autoclass|contents)::.*(?:\n(?:[ \t].*)?)*"
)


def convert(data: bytes, pages: int) -> str:
    """Markdown of the text, its title as the heading of level one."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("it is not UTF-8 text.") from None
    text = _TREE.sub("\n", text.replace("\r\n", "\n"))
    text = _ROLE.sub(lambda found: found[0] if found[1] in _STANDARD else found[2], text)
    parts = publish_parts(text, writer="html5", settings_overrides=_SETTINGS)
    title = re.sub(r"<[^>]+>", "", parts["title"]).strip()
    body = markdown(parts["body"])
    return f"# {title}\n\n{body}" if title else body
