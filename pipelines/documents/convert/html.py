"""HTML → Markdown: headings, paragraphs, lists, tables, code. Scripts, forms, menus and pictures go;
of a link its text stays. The other converters that pass through HTML use ``markdown`` too."""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup, Comment, Tag
from markdownify import ATX, MarkdownConverter

_GONE = (
    "head script style noscript template svg canvas iframe object embed button input select "
    "textarea audio video img picture"
).split()
_FURNITURE = "nav aside dialog form footer".split()

# Nothing is escaped: people and models read the text; whoever renders it escapes it there.
_OPTIONS: dict[str, Any] = {
    "heading_style": ATX,
    "bullets": "-",
    "escape_asterisks": False,
    "escape_underscores": False,
    "table_infer_header": True,
}


class _Plain(MarkdownConverter):
    """A link is its text."""

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return text


def convert(data: bytes, pages: int) -> str:
    """Markdown of an HTML page; its <title> is the heading where it has none of level one."""
    soup = BeautifulSoup(data, "lxml")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    parts = soup.find_all(["main", "article"])
    body = parts[0] if len(parts) == 1 else soup.body or soup
    for found in body.find_all(_FURNITURE):
        found.decompose()
    text = markdown(body)
    if title and not re.search(r"(?m)^# ", text):
        text = f"# {title}\n\n{text}"
    return text


def markdown(body: Tag | str) -> str:
    """Markdown of a part of a page, with one blank line between blocks and a newline at its end."""
    soup = BeautifulSoup(body, "lxml") if isinstance(body, str) else body
    for comment in soup.find_all(string=lambda found: isinstance(found, Comment)):
        comment.extract()
    for found in soup.find_all(_GONE):
        found.decompose()
    text = _Plain(**_OPTIONS).convert_soup(soup).replace("\r", "").replace("\xa0", " ")
    lines = [line.rstrip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
