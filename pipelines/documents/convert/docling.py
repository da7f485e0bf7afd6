"""PDFs of pictures, columns and tables → Markdown, by docling, where `graft-taxonomy[docling]` is there.

A converter has no network: fetch docling's models beforehand with `docling-tools models download`.
"""

from __future__ import annotations

import io

from pipelines.documents.convert.sandbox import Refused


def convert(data: bytes, pages: int) -> str:
    """Markdown as docling writes it; pages beyond the limit refuse the document."""
    try:
        from docling.datamodel.base_models import DocumentStream
        from docling.document_converter import DocumentConverter
    except ImportError:
        raise Refused(
            "docling is not installed; `pip install 'graft-taxonomy[docling]'` adds it."
        ) from None
    stream = DocumentStream(name="document.pdf", stream=io.BytesIO(data))
    result = DocumentConverter().convert(stream, max_num_pages=pages)
    return str(result.document.export_to_markdown())
