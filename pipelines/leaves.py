"""Leaves: a taxonomy on disk or in a commit → ``Leaf`` records, with line numbers.

In: a ``Tree`` (``work_tree.WorkTree`` is the one on disk). Out: ``Leaf``; a leaf that cannot be read is one
``LeafError`` with line and column. What is merely unwise is no concern here: ``check`` finds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import posixpath
import unicodedata
from collections.abc import Sequence
from typing import Any

from pipelines.attribution import parse_attribution
from pipelines.errors import LeafError
from pipelines.leaf_files import ATTRIBUTION_FILE as ATTRIBUTION_FILE
from pipelines.leaf_files import LEAF_FILE as LEAF_FILE
from pipelines.leaf_files import ROOTS as ROOTS
from pipelines.leaf_files import is_knowledge as is_knowledge
from pipelines.leaf_files import match_documents as match_documents
from pipelines.leaf_files import version_of as version_of
from pipelines.records import (
    Attribution,
    DocumentRef,
    Json,
    Kind,
    Leaf,
    LocalDocument,
    QuestionAnswer,
    Seed,
    Tree,
    as_json,
)
from pipelines.work_tree import WorkTree as WorkTree
from pipelines.yaml_source import Source, as_error, read_yaml
from pipelines.yaml_source import normalise_newlines as normalise_newlines


def leaf_paths(tree: Tree) -> list[str]:
    """Sorted folders that hold a ``qna.yaml`` below one of ``ROOTS``, as the tree spells them."""
    return sorted(
        posixpath.dirname(path)
        for root in ROOTS
        for path in tree.files(root)
        if posixpath.basename(path) == LEAF_FILE and "/." not in path
    )


def read_leaves(tree: Tree) -> dict[str, Leaf]:
    """Every leaf of the tree by its NFC path, sorted; ``LeafError`` at the first that is broken."""
    leaves: dict[str, Leaf] = {}
    for path in leaf_paths(tree):
        leaf = read_leaf(tree, path)
        if leaf.path in leaves:
            raise LeafError(
                "Two folders bear this name in different Unicode forms.",
                rule="case-clash",
                path=posixpath.join(path, LEAF_FILE),
                hint="Rename one of them.",
            )
        leaves[leaf.path] = leaf
    return dict(sorted(leaves.items()))


def read_leaf(tree: Tree, path: str, *, meaning_only: bool = False) -> Leaf:
    """The leaf in the folder ``path``; ``LeafError`` with line and column where it is broken.

    With ``meaning_only`` no attribution is read and no seed's line is looked up.
    """
    file = posixpath.join(path, LEAF_FILE)
    try:
        data = tree.read(file)
    except OSError as error:
        reason = error.strerror or "it is not a regular file"
        message = f"The file cannot be read: {reason}."
        raise LeafError(message, rule="file-name", path=file) from error
    reading = read_yaml(data, file)
    if reading.source is None or reading.findings:
        raise as_error(reading.findings[0])
    return _Reader(tree, path, reading.source, meaning_only).leaf()


def document_text(tree: Tree, path: str) -> str:
    """The text of a document beside its leaf, newlines as LF; ``LeafError`` unless it is UTF-8."""
    try:
        return normalise_newlines(tree.read(path))
    except FileNotFoundError as error:
        raise LeafError("The document is not there.", rule="documents", path=path) from error
    except OSError as error:
        message = f"The document cannot be read: {error.strerror}."
        raise LeafError(message, rule="documents", path=path) from error
    except UnicodeDecodeError as error:
        raise LeafError(
            "The document is not UTF-8 text.",
            rule="documents",
            path=path,
            hint="Convert it to Markdown or plain text.",
        ) from error


class _Reader:
    """One leaf's values → ``Leaf``; every value that is not as it must be is a ``LeafError``."""

    def __init__(self, tree: Tree, path: str, source: Source, meaning_only: bool) -> None:
        self._tree = tree
        self._path = path
        self._source = source
        self._meaning_only = meaning_only

    def leaf(self) -> Leaf:
        data = self._source.data
        if not isinstance(data, dict):
            raise self._error((), "The top of the file must be keys with values.")
        knowledge = is_knowledge(self._path, data)
        version = version_of(data)
        if version is None or (knowledge and version < 3):
            allowed = "3 (knowledge)" if knowledge else "1, 2 or 3"
            raise self._error(("version",), f"The version must be {allowed}.")
        seeds = self._seeds(data, knowledge)
        grounded = any(seed.context for seed in seeds)
        skill: Kind = "grounded_skill" if grounded else "freeform_skill"
        kind: Kind = "knowledge" if knowledge else skill
        task = "" if knowledge else self._text(data, "task_description", (), empty=True)
        domain = self._text(data, "domain", ()) if knowledge else ""
        outline = self._text(data, "document_outline", ()) if knowledge else ""
        document = self._document(data) if knowledge else None
        documents = self._documents(document) if document else ()
        told = {"domain": domain, "outline": outline} if knowledge else {"task_description": task}
        meant = _document_meaning(self._path, document, documents) if document else None
        return Leaf(
            path=unicodedata.normalize("NFC", self._path),
            kind=kind,
            version=version,
            created_by=self._text(data, "created_by", ()),
            task_description=task,
            domain=domain,
            outline=outline,
            seeds=seeds,
            document=document,
            documents=documents,
            attribution=self._attribution(),
            content_hash=_content_hash(kind, told, seeds, meant),
        )

    def _seeds(self, data: Json, knowledge: bool) -> tuple[Seed, ...]:
        """Seeds in the file's order. Seeds with one id are one seed with the pairs of all."""
        found: dict[str, tuple[str, list[QuestionAnswer], int]] = {}
        for index, seed in enumerate(self._list(data, "seed_examples", ())):
            at = ("seed_examples", index)
            line = self._line(at)
            mapping = self._mapping(seed, at)
            if knowledge:
                context = self._text(mapping, "context", at)
                items = self._list(mapping, "questions_and_answers", at)
                pairs = [
                    self._pair(q, (*at, "questions_and_answers", i)) for i, q in enumerate(items)
                ]
                seed_id = _sha256(_array([context]))[:16]
            else:
                context = self._text(mapping, "context", at) if "context" in mapping else ""
                pairs = [self._pair(mapping, at)]
                seed_id = _sha256(_array([context, pairs[0].question]))[:16]
            _, known, _ = found.setdefault(seed_id, (context, [], line))
            seen = {(pair.question, pair.answer) for pair in known}
            known.extend(pair for pair in pairs if (pair.question, pair.answer) not in seen)
        return tuple(
            Seed(seed_id, _answer_hash(pairs), context, tuple(pairs), line)
            for seed_id, (context, pairs, line) in found.items()
        )

    def _pair(self, item: object, at: Sequence[str | int]) -> QuestionAnswer:
        mapping = self._mapping(item, at)
        question, answer = self._text(mapping, "question", at), self._text(mapping, "answer", at)
        return QuestionAnswer(question, answer, self._line((*at, "question")))

    def _document(self, data: Json) -> DocumentRef:
        at = ("document",)
        mapping = self._mapping(data.get("document"), at)
        patterns = self._list(mapping, "patterns", at)
        for index, pattern in enumerate(patterns):
            if not isinstance(pattern, str) or not pattern.strip():
                raise self._error((*at, "patterns", index), "A pattern must be text.")
        return DocumentRef(
            self._text(mapping, "repo", at), self._text(mapping, "commit", at), tuple(patterns)
        )

    def _documents(self, document: DocumentRef) -> tuple[LocalDocument, ...]:
        """Documents beside the leaf, sorted by path; none for documents in another repository."""
        if document.repo != ".":
            return ()
        files = list(self._tree.files(self._path))
        found: set[str] = set()
        for index, pattern in enumerate(document.patterns):
            matched = match_documents(files, self._path, pattern)
            if not matched:
                at = ("document", "patterns", index)
                raise self._error(at, f"No document beside the leaf matches `{pattern[:60]}`.")
            found.update(matched)
        try:
            return tuple(
                LocalDocument(
                    unicodedata.normalize("NFC", file), _text_sha256(self._tree.read(file))
                )
                for file in sorted(found)
            )
        except OSError as error:
            message = f"A document beside the leaf cannot be read: {error.strerror}."
            raise self._error(("document", "patterns"), message) from error

    def _attribution(self) -> tuple[Attribution, ...]:
        if self._meaning_only:
            return ()
        file = posixpath.join(self._path, ATTRIBUTION_FILE)
        try:
            return parse_attribution(normalise_newlines(self._tree.read(file)), file)[0]
        except (OSError, UnicodeDecodeError):
            return ()

    def _text(self, data: Json, key: str, at: Sequence[str | int], *, empty: bool = False) -> str:
        value = data.get(key)
        if not isinstance(value, str):
            raise self._error((*at, key), f"`{key}` must be there and be text.")
        value = unicodedata.normalize("NFC", value).strip()
        if not value and not empty:
            raise self._error((*at, key), f"`{key}` must not be empty.")
        return value

    def _list(self, data: Json, key: str, at: Sequence[str | int]) -> list[Any]:
        value = data.get(key)
        if not isinstance(value, list) or not value:
            raise self._error((*at, key), f"`{key}` must be there and be a list of one or more.")
        return value

    def _mapping(self, value: object, at: Sequence[str | int]) -> Json:
        if not isinstance(value, dict):
            raise self._error(at, f"`{at[0]}` must hold keys with values here.")
        return value

    def _line(self, at: Sequence[str | int]) -> int:
        return 0 if self._meaning_only else self._source.value_at(at)[0]

    def _error(self, at: Sequence[str | int], message: str) -> LeafError:
        line, column = self._source.value_at(at)
        hint = "`graft check` lists everything that is wrong."
        file = self._source.path
        return LeafError(message, rule="schema", path=file, line=line, column=column, hint=hint)


def _content_hash(
    kind: Kind,
    meaning: Json,
    seeds: tuple[Seed, ...],
    document: list[Any] | None,
) -> str:
    """The digest of what a leaf means: formatting, names and licences leave it as it is."""
    taught = [
        [seed.id, seed.context, [[pair.question, pair.answer] for pair in seed.pairs]]
        for seed in sorted(seeds, key=lambda seed: seed.id)
    ]
    return _hash({"kind": kind, **meaning, "seeds": taught, "document": document})


def _document_meaning(
    path: str, document: DocumentRef, documents: tuple[LocalDocument, ...]
) -> list[Any]:
    """What of a document enters the content hash: the text where it is here, else the commit."""
    if document.repo == ".":
        here = unicodedata.normalize("NFC", path) + "/"
        texts = [[found.path.removeprefix(here), found.sha256] for found in documents]
        return [".", list(document.patterns), texts]
    return [document.repo, document.commit, list(document.patterns)]


def _answer_hash(pairs: Sequence[QuestionAnswer]) -> str:
    return _sha256(f"[{','.join(_array([pair.question, pair.answer]) for pair in pairs)}]")[:16]


# The canonical form of artifacts.canonical_json, which this layer may not import.
_quoted = json.encoder.encode_basestring
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _hash(value: Any) -> str:
    return _sha256(_CANONICAL.encode(value))


def _array(texts: Sequence[str]) -> str:
    """The canonical form of a list of texts; an encoder takes three times as long to set up."""
    return f"[{','.join(map(_quoted, texts))}]"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _text_sha256(data: bytes) -> str:
    """SHA-256 of a document's text with newlines as LF; of its bytes where it is no UTF-8 text."""
    with contextlib.suppress(UnicodeDecodeError):
        data = normalise_newlines(data).encode()
    return hashlib.sha256(data).hexdigest()


def leaf_to_json(leaf: Leaf) -> Json:
    """A leaf as plain JSON, for releases; ``leaf_from_json`` is the way back."""
    data: Json = as_json(leaf)
    return data


def leaf_from_json(data: Json) -> Leaf:
    """The inverse of ``leaf_to_json``; ``KeyError`` or ``TypeError`` where the shape is another."""
    seeds = tuple(
        Seed(**{**seed, "pairs": tuple(QuestionAnswer(**pair) for pair in seed["pairs"])})
        for seed in data["seeds"]
    )
    document = data["document"]
    if document is not None:
        document = DocumentRef(**{**document, "patterns": tuple(document["patterns"])})
    return Leaf(
        **{
            **data,
            "seeds": seeds,
            "document": document,
            "documents": tuple(LocalDocument(**found) for found in data["documents"]),
            "attribution": tuple(Attribution(**block) for block in data["attribution"]),
        }
    )
