"""Small documents in other formats, written byte by byte: PDF, DOCX."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

Line = tuple[int, str]  # the size of its type, its text; an empty text leaves a gap

_TYPES = """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/word/document.xml" ContentType=
"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"""
_RELATIONS = """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Target="word/document.xml" Type=
"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>"""
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(pages: Sequence[Sequence[Line]]) -> bytes:
    """A PDF whose pages hold these lines, from the top, in Helvetica."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    parts = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, lines in enumerate(pages):
        content = _content(lines)
        parts.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            f"/Contents {5 + 2 * number} 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        parts.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    out = b"%PDF-1.4\n"
    places = []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{part}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    out += f"xref\n0 {len(parts) + 1}\n0000000000 65535 f \n{table}".encode()
    trailer = f"trailer\n<< /Size {len(parts) + 1} /Root 1 0 R >>\nstartxref\n"
    return out + trailer.encode() + f"{out.rindex(b'xref')}\n%%EOF\n".encode()


def _content(lines: Sequence[Line]) -> str:
    shown = []
    top = 800
    for size, text in lines:
        top -= round(size * 1.3)
        if text:
            shown.append(f"BT /F1 {size} Tf 60 {top} Td ({text}) Tj ET")
    return "\n".join(shown)


def docx(body: str, head: str = "") -> bytes:
    """A DOCX of WordprocessingML paragraphs; ``head`` comes before the document element."""
    whole = f'{head}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{n}"><w:name w:val="heading {n}"/></w:style>'
        for n in (1, 2)
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _RELATIONS)
        archive.writestr("word/styles.xml", f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>')
        archive.writestr("word/document.xml", whole)
    return out.getvalue()


def paragraph(text: str, style: str = "") -> str:
    """One paragraph of a DOCX."""
    named = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{named}<w:r><w:t>{text}</w:t></w:r></w:p>"
