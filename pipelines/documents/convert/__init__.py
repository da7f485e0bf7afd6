"""A document in any format that is read here → Markdown.

In: its bytes and its file name, whose ending says the format. Out: Markdown, newlines as LF. A format is a
module with ``convert(data, pages) -> str`` and a line in ``FORMATS``; it runs in a child process
(``sandbox``) with limits on time and memory and without a network, so that a crash or a bomb is one
finding. Results are kept in the cache by content and version.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path

from pipelines.artifacts import digest, sha256, write_atomic
from pipelines.documents.convert.sandbox import Limits, Stopped, converted
from pipelines.errors import DocumentError
from pipelines.leaf_files import RTF_SIGN
from pipelines.policy import DocumentPolicy
from pipelines.yaml_source import normalise_newlines

_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class Format:
    """``module`` is the converter's name in this package; raise ``version`` when its output changes.

    The versions of ``libraries`` count too. A text format is UTF-8.
    """

    name: str
    module: str
    version: int
    libraries: tuple[str, ...] = ()
    text: bool = False
    megabytes: int = 1024


HTML = Format("HTML", "html", 1, ("markdownify", "beautifulsoup4", "lxml"), text=True)
RST = Format("reStructuredText", "rst", 1, ("docutils", *HTML.libraries), text=True)
DOCX = Format("DOCX", "docx", 1, ("mammoth", *HTML.libraries))
PDF = Format("PDF", "pdf", 1, ("pypdfium2",))
DOCLING = Format("PDF", "docling", 1, ("docling",), megabytes=1 << 14)  # it maps whole models

# Every other ending is Markdown or plain text, which is taken as it is.
FORMATS: dict[str, Format] = {
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".rst": RST,
    ".docx": DOCX,
    ".pdf": PDF,
}


def format_of(path: str) -> Format | None:
    """The format that a file's name tells; None for Markdown and plain text."""
    return FORMATS.get(posixpath.splitext(path)[1].lower())


def versions() -> str:
    """One digest of all converters' own versions: what generated rows depend on."""
    return digest(sorted({(form.module, form.version) for form in (*FORMATS.values(), DOCLING)}))


def to_markdown(path: str, data: bytes, policy: DocumentPolicy, cache: Path | None = None) -> str:
    """The document as Markdown; ``DocumentError`` about its patterns where it cannot be read."""
    if data.startswith(_LFS):
        message = f"`{path[:80]}` is a pointer of Git LFS; its content lies elsewhere."
        raise _error(message, "Name a repository that holds the document itself.")
    form = format_of(path)
    text = _plain(path, data) if form is None else _kept(path, data, form, policy, cache)
    if not text.strip():
        raise _error(f"The document `{path[:80]}` is empty.", "Write it, or name another.")
    return text


def _plain(path: str, data: bytes) -> str:
    hint = f"Save it as UTF-8, or in a format known by its ending ({', '.join(FORMATS)})."
    try:
        text = normalise_newlines(data)
    except UnicodeDecodeError:
        raise _error(f"The document `{path[:80]}` is not UTF-8 text.", hint) from None
    if text.startswith(RTF_SIGN):
        message = f"The document `{path[:80]}` is RTF, whose commands would be taught as text."
        raise _error(message, hint)
    if "\0" in text:
        raise _error(f"The document `{path[:80]}` is not text.", hint)
    return text


def _kept(path: str, data: bytes, form: Format, policy: DocumentPolicy, cache: Path | None) -> str:
    if cache is None:
        return _fresh(path, data, form, policy)
    key = digest([form.module, form.version, _installed(form), policy.max_pages])[:16]
    place = cache / "converted" / f"{sha256(data)}-{key}.md"
    try:
        return place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = _fresh(path, data, form, policy)
        write_atomic(place, text.encode())
        return text


def _installed(form: Format) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in form.libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            message = f"To read {form.name} the library {name} is needed."
            hint = "Install it with `pip install 'graft-taxonomy[pipelines]'`."
            raise _error(message, hint) from None
    return found


def _fresh(path: str, data: bytes, form: Format, policy: DocumentPolicy) -> str:
    _installed(form)
    limits = Limits(policy.seconds, form.megabytes, policy.max_pages)
    try:
        text = converted(f"{__name__}.{form.module}", data, limits)
        if form is PDF and not text.strip():
            return _scanned(path, data, policy)
        return text
    except Stopped as stopped:
        message = f"The document `{path[:80]}` cannot be converted: {stopped}"
        raise _error(message, "Convert it to Markdown by hand, or name another.") from None


def _scanned(path: str, data: bytes, policy: DocumentPolicy) -> str:
    """A PDF of pictures: docling can read it, where it is installed."""
    try:
        _installed(DOCLING)
    except DocumentError:
        message = f"The document `{path[:80]}` holds pages but no text (it may be scanned)."
        hint = "Convert it by hand, or install `graft-taxonomy[docling]`, which reads scans."
        raise _error(message, hint) from None
    return _fresh(path, data, DOCLING, policy)


def _error(message: str, hint: str) -> DocumentError:
    return DocumentError(message, about="patterns", hint=hint)
