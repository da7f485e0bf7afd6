"""Put a new leaf into the tree: the whole folder appears at once, or nothing does.

In: the taxonomy's folder and a ``NewLeaf`` with its whole path. Out: the folder with qna.yaml,
attribution.txt and the document, written beside and renamed into place. Nothing is ever overwritten.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipelines.artifacts import sync_directory, sync_tree
from pipelines.attribution import ATTRIBUTION_FILE
from pipelines.author.leaf import NewLeaf
from pipelines.author.place import slug
from pipelines.author.write import attribution_text, qna_text
from pipelines.documents.convert import to_markdown
from pipelines.errors import DocumentError, GraftError, UsageError
from pipelines.leaves import LEAF_FILE
from pipelines.policy import DocumentPolicy
from pipelines.records import Attribution
from pipelines.yaml_source import MAX_KILOBYTES

_STAGING = ".graft-new-"


def read_document(path: Path, policy: DocumentPolicy | None = None) -> str:
    """A document as Markdown; ``UsageError`` where it is not there or cannot be converted."""
    try:
        return to_markdown(path.name, path.read_bytes(), policy or DocumentPolicy())
    except DocumentError as error:
        raise UsageError(f"{path}: {error.message} {error.hint}".rstrip()) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None


def document_name(path: Path) -> str:
    """The name of the document beside its leaf: no pattern's signs, no name that a leaf itself has."""
    stem = slug(path.stem) or "document"
    name = f"{stem}{path.suffix.lower()}"
    return f"{stem}_document{path.suffix.lower()}" if name == ATTRIBUTION_FILE else name


def leaf_files(leaf: NewLeaf, *, draft: bool = False) -> dict[str, bytes]:
    """The files of the leaf's folder by name; ``GraftError`` where one would be refused."""
    files: dict[str, bytes] = {}
    document = ""
    if leaf.is_knowledge:
        source = Path(leaf.document)
        document = document_name(source)
        read_document(source)  # whoever cannot read it is told before anything is written
        files[document] = source.read_bytes()
    work = Attribution(leaf.title, leaf.link, "", leaf.licence, leaf.creator)
    files[ATTRIBUTION_FILE] = attribution_text([work]).encode()
    files[LEAF_FILE] = qna_text(leaf, document, draft=draft).encode()
    if len(files[LEAF_FILE]) > MAX_KILOBYTES * 1024:
        raise GraftError(
            f"{leaf.path}: the leaf would be larger than {MAX_KILOBYTES} kB; split it into several."
        )
    return files


def plant(root: Path, path: str, files: Mapping[str, bytes]) -> Path:
    """Make the folder ``path`` below ``root`` with these files, in one step; gives the folder."""
    root = root.resolve()
    target = root / path
    top = target
    while not os.path.lexists(top.parent):
        top = top.parent
    if os.path.lexists(target):
        raise GraftError(
            f"{target} exists already, and nothing is overwritten: move what is there elsewhere, or "
            "name another path."
        )
    if top.parent.resolve() != top.parent or not top.parent.is_dir():
        raise GraftError(f"{top.parent} is not a folder of this taxonomy; name another path.")
    try:
        staging = Path(tempfile.mkdtemp(dir=top.parent, prefix=_STAGING))
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        folder = staging / target.relative_to(top.parent)
        folder.mkdir(parents=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        sync_tree(staging)
        # A folder that has appeared meanwhile is refused by the file system unless it is empty.
        os.rename(staging / top.name, top)
        sync_directory(top.parent)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _unwritable(target: Path, error: OSError) -> GraftError:
    return GraftError(
        f"{target} cannot be written: {error.strerror or error}. Nothing half-written was left."
    )
