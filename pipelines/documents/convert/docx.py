"""DOCX → Markdown: headings by Word's styles, lists, tables, emphasis; pictures and comments go."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import mammoth

from pipelines.documents.convert.html import markdown
from pipelines.documents.convert.sandbox import Refused

_UNPACKED = 200_000_000


def convert(data: bytes, pages: int) -> str:
    """Markdown of the document. What unpacks to more than 200 MB is refused before it is unpacked."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _UNPACKED:
            raise Refused(f"it unpacks to more than {_UNPACKED // 1_000_000} MB.")
    result = mammoth.convert_to_html(io.BytesIO(data), convert_image=_no_image)
    return markdown(result.value)


def _no_image(image: Any) -> list[Any]:
    return []
