"""Formats → Markdown, and converters that are brought to misbehave."""

from __future__ import annotations

import importlib
import json
import pkgutil
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from pipelines.documents import convert as formats
from pipelines.documents.convert import FORMATS, to_markdown
from pipelines.documents.convert.sandbox import Limits, Stopped, converted, isolation
from pipelines.errors import DocumentError
from pipelines.policy import DocumentPolicy
from tests.support.formats import docx, paragraph, pdf

POLICY = DocumentPolicy(seconds=300, max_pages=3)
ODD = "tests.support.converters"


def read(name: str, data: bytes | str, cache: Path | None = None) -> str:
    return to_markdown(name, data.encode() if isinstance(data, str) else data, POLICY, cache)


def refused(name: str, data: bytes | str, word: str) -> None:
    with pytest.raises(DocumentError, match=word) as caught:
        read(name, data)
    assert caught.value.about == "patterns"
    assert caught.value.hint
    assert "Traceback" not in str(caught.value)


def test_text_is_taken_as_it_is() -> None:
    for name in ("a.md", "A.MARKDOWN", "a.txt", "README", "a.unknown"):
        assert read(name, b"\xef\xbb\xbf# A\r\n\r\ntext\r") == "# A\n\ntext\n"


HTML = """<!DOCTYPE html><html><head><meta charset="utf-8"><title>Tides &amp; more</title>
<style>p {}</style></head><body><nav><a href="/">Home</a></nav><aside>Ads</aside><script>alert(1)</script>
<main><h2>Why</h2><p>The <b>Moon</b> pulls on the
<a href="https://example.org/ocean_1">ocean_1</a>.<!-- no --></p><ul><li>neap<li>spring</ul>
<img src="x.png" alt="A picture">
<table><tr><th>Bay</th><th>m</th></tr><tr><td>Fundy</td><td>16</td></tr></table>
<pre>high = low * 2</pre></main><footer>Footer</footer></body></html>"""


def test_html() -> None:
    assert read("a.html", HTML) == (
        "# Tides & more\n\n## Why\n\nThe **Moon** pulls on the\nocean_1.\n\n- neap\n- spring\n\n"
        "| Bay | m |\n| --- | --- |\n| Fundy | 16 |\n\n```\nhigh = low * 2\n```\n"
    )


def test_html_in_another_encoding() -> None:
    page = '<meta charset="iso-8859-1"><h1>M\xfcnchen</h1><p>Gr\xfc\xdfe</p>'
    assert read("a.htm", page.encode("latin-1")) == "# M\xfcnchen\n\nGr\xfc\xdfe\n"


RST = """Tides
=====

The *Moon* pulls, see :ref:`the moon <moon>` and :py:func:`rise`.

Why
---

.. note:: It pulls twice a day.

.. include:: /etc/passwd

.. raw:: html

   <script>alert(1)</script>

.. toctree::
   :maxdepth: 2

   other

- neap
- spring

.. code-block:: python

   high = 2
"""


def test_restructured_text() -> None:
    text = read("a.rst", RST)
    assert text.startswith("# Tides\n\nThe *Moon* pulls, see the moon and rise.\n\n## Why\n\n")
    assert "It pulls twice a day." in text
    assert "- neap\n- spring" in text
    assert "high = 2" in text
    for gone in ("root:", "script", "alert", "toctree", "maxdepth", "other", ":ref:"):
        assert gone not in text


def test_docx() -> None:
    body = (
        paragraph("Tides", "Heading1")
        + paragraph("Why", "Heading2")
        + paragraph("The Moon pulls.")
        + "<w:tbl><w:tr><w:tc>"
        + paragraph("Fundy")
        + "</w:tc><w:tc>"
        + paragraph("16 m")
        + "</w:tc></w:tr></w:tbl>"
    )
    text = read("a.docx", docx(body))
    assert text.startswith("# Tides\n\n## Why\n\nThe Moon pulls.\n\n")
    assert "| Fundy | 16 m |" in text


PAGES = [
    [
        *[(24, "Tides"), (11, ""), (11, "The Moon pulls on the ocean and raises a bulge of wa-")],
        *[(11, "ter on the side that faces it."), (11, ""), (11, ""), (11, "A second one stands")],
        (11, "on the far side."),
    ],
    [(16, "Spring tides"), (11, "At new moon and full moon the pull is in one")],
    [(11, "line."), (11, ""), (11, "End.")],
]  # fmt: skip


def test_pdf() -> None:
    assert read("a.pdf", pdf(PAGES)) == (
        "# Tides\n\nThe Moon pulls on the ocean and raises a bulge of water on the side that faces it."
        "\n\nA second one stands on the far side.\n\n## Spring tides\n\n"
        "At new moon and full moon the pull is in one line.\n\nEnd.\n"
    )


def test_pdf_with_too_many_pages_or_no_text() -> None:
    refused("a.pdf", pdf([[(11, "a")]] * 4), "4 pages, and 3 are allowed")
    refused("a.pdf", pdf([[]]), "no text .*scanned")


def test_docling_says_how_to_install_it() -> None:
    with pytest.raises(DocumentError, match=r"graft-taxonomy\[docling\]"):
        read("a.pdf", pdf([[]]))
    with pytest.raises(Stopped, match=r"pip install 'graft-taxonomy\[docling\]'"):
        converted("pipelines.documents.convert.docling", pdf([[]]), Limits(300, 1024, 3))


def test_what_is_not_a_document() -> None:
    refused("a.md", b"\xff\xfe\x00", "not UTF-8 text")
    refused("a.md", b"a\0b", "is not text")
    refused("a.rtf", rb"{\rtf1\ansi It is a river.\par}", "is RTF, whose commands")
    refused("a.md", b" \n", "is empty")
    refused("a.html", "<p> </p>", "is empty")
    refused("a.rst", b"\xff", "not UTF-8 text")
    refused("a.pdf", b"no pdf", "damaged, or not what its ending says")
    refused("a.docx", b"no zip", "damaged, or not what its ending says")
    refused("a.docx", pdf(PAGES), "damaged, or not what its ending says")
    lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    refused("a.pdf", lfs, "pointer of Git LFS")


LAUGHS = '<!DOCTYPE a [<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
)


def test_bombs() -> None:
    refused("a.docx", docx(paragraph("&a9;"), f"{LAUGHS}]>"), "cannot be converted")
    outside = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    with pytest.raises(DocumentError, match=r"cannot be converted|is empty"):
        read("a.docx", docx(paragraph("&x;"), outside))
    refused("a.docx", big_zip(), "unpacks to more than 200 MB")
    refused("a.html", "<div>" * 10_000, "cannot be converted")
    refused("a.rst", "- " * 5000 + "a", "cannot be converted")


def big_zip() -> bytes:
    """A DOCX with one part more, which says that it unpacks to 300 MB."""
    out = BytesIO(docx(paragraph("a")))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("zeros", b"0")
        archive.filelist[-1].file_size = 300_000_000
    return out.getvalue()


@pytest.mark.parametrize(
    ("what", "seconds", "word"),
    [
        ("sleep", 1, "took more than 1 seconds"),
        ("memory", 300, "more than 1024 MB of memory"),
        ("crash", 300, "crashed on it"),
        ("chatter", 300, "too large"),
        ("connect", 300, "reaches no network"),
        ("resolve", 300, "reaches no network"),
        ("refuse", 300, "none that this test likes"),
        ("deep", 300, "nested too deeply"),
    ],
)
def test_the_sandbox_holds(what: str, seconds: int, word: str) -> None:
    with pytest.raises(Stopped, match=word):
        converted(ODD, what.encode(), Limits(seconds, 1024, 3))


def test_a_converter_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    seen = json.loads(converted(ODD, b"environment", Limits(300, 1024, 3)))
    assert "PATH" in seen
    assert "GITHUB_TOKEN" not in seen


def test_the_network_is_left_where_the_kernel_permits() -> None:
    if "namespace of their own" in isolation():
        assert converted(ODD, b"interfaces", Limits(300, 1024, 3)) in ("lo", "")
    else:
        assert "sockets" in isolation()


def test_a_conversion_is_kept(tmp_path: Path) -> None:
    first = read("a.html", HTML, tmp_path)
    (kept,) = (tmp_path / "converted").iterdir()
    assert kept.read_text() == first
    kept.write_text("# Kept\n")
    assert read("b.htm", HTML, tmp_path) == "# Kept\n"
    kept.write_bytes(b"\xff")
    assert read("a.html", HTML, tmp_path) == first


def test_every_converter_is_registered() -> None:
    found = {module.name for module in pkgutil.iter_modules(formats.__path__)} - {"sandbox"}
    known = {form.module for form in FORMATS.values()} | {formats.DOCLING.module}
    assert found == known
    for name in known:
        assert callable(importlib.import_module(f"{formats.__name__}.{name}").convert)
