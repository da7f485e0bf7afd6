"""The texts of a leaf as rules look at them: values of its YAML, pairs, documents beside it.

In: a ``LeafSubject``, whose shape may be wrong in any way: what is not text is left to the schema.
Out: passages, each of which can say where one of its characters stands. Read once a leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from pipelines.check.places import offset_place, place_in
from pipelines.check.subject import LeafSubject
from pipelines.leaf_files import is_knowledge, match_documents
from pipelines.yaml_source import normalise_newlines

# Findings of one rule in one leaf. More would help nobody, and a hostile file could ask for thousands.
MOST = 20

At = tuple[str | int, ...]
T = TypeVar("T")


class Passage(NamedTuple):
    """A text in the file ``path``; ``at`` is where it stands in the YAML, None for a whole file."""

    path: str
    text: str
    at: At | None = None


class Pair(NamedTuple):
    """A question and its answer, each "" where it is no text; ``at`` is the mapping they stand in.

    ``seed`` is the index of the seed example, ``context`` what it says.
    """

    seed: int
    at: At
    context: str
    question: str
    answer: str


def place(leaf: LeafSubject, passage: Passage, offset: int = 0) -> tuple[int, int]:
    """Line and column of a character of a passage."""
    if passage.at is None:
        return offset_place(passage.text, offset)
    if leaf.source is None or leaf.reading.text is None:
        return 1, 1
    return place_in(leaf.source, leaf.reading.text, passage.at, offset)


def file_text(leaf: LeafSubject, path: str) -> str:
    """A file beside the leaf as text; ``UnicodeDecodeError`` or ``OSError`` where it is none."""
    return _once(leaf, path, lambda: normalise_newlines(leaf.tree.read(path)))


def values(leaf: LeafSubject) -> tuple[Passage, ...]:
    """Every text of the qna.yaml, in its order."""

    def read() -> tuple[Passage, ...]:
        found: list[Passage] = []
        _gather(leaf.source.data if leaf.source else None, (), leaf.file, found)
        return tuple(found)

    return _once(leaf, "values", read)


def documents(leaf: LeafSubject) -> tuple[Passage, ...]:
    """The documents beside a knowledge leaf that its patterns name and that are text."""
    return _once(leaf, "documents", lambda: tuple(_documents(leaf)))


def attribution(leaf: LeafSubject) -> Passage | None:
    """Its attribution.txt, None where there is none that is text."""

    def read() -> Passage | None:
        if leaf.attribution_file not in leaf.files:
            return None
        return next(_files(leaf, [leaf.attribution_file]), None)

    return _once(leaf, "attribution", read)


def everything(leaf: LeafSubject) -> tuple[Passage, ...]:
    """What a reader of the leaf would see: all its values and documents."""
    return _once(leaf, "everything", lambda: (*values(leaf), *documents(leaf)))


def all_text(leaf: LeafSubject) -> str:
    """``everything`` as one text, line after line: what it lacks need not be looked for in each."""
    return _once(leaf, "text", lambda: "\n".join(passage.text for passage in everything(leaf)))


def folded_text(leaf: LeafSubject) -> str:
    """``all_text``, case folded."""
    return _once(leaf, "folded", lambda: all_text(leaf).casefold())


def pairs(leaf: LeafSubject) -> tuple[Pair, ...]:
    """All questions with their answers, in the order of the file."""
    return _once(leaf, "pairs", lambda: tuple(_pairs(leaf)))


def contexts(leaf: LeafSubject) -> dict[int, str]:
    """The context of each seed example that has one that is text, by the example's index."""

    def read() -> dict[int, str]:
        found = {i: seed.get("context") for i, seed in _seeds(leaf)}
        return {index: text for index, text in found.items() if isinstance(text, str) and text}

    return _once(leaf, "contexts", read)


def knows(leaf: LeafSubject) -> bool:
    """Whether it is a knowledge leaf."""
    data = leaf.source.data if leaf.source else None
    return _once(leaf, "knows", lambda: is_knowledge(leaf.path, data))


def document_block(leaf: LeafSubject) -> dict[str, object]:
    """The mapping below ``document`` of a knowledge leaf; empty where there is none."""
    data = leaf.source.data if leaf.source else None
    block = data.get("document") if isinstance(data, dict) and knows(leaf) else None
    return block if isinstance(block, dict) else {}


def _once(leaf: LeafSubject, name: str, read: Callable[[], T]) -> T:
    if name not in leaf.memo:
        leaf.memo[name] = read()
    found: T = leaf.memo[name]
    return found


def _gather(value: object, at: At, path: str, found: list[Passage]) -> None:
    if isinstance(value, str):
        found.append(Passage(path, value, at))
    elif isinstance(value, dict):
        for key, item in value.items():
            _gather(item, (*at, key), path, found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _gather(item, (*at, index), path, found)


def _documents(leaf: LeafSubject) -> Iterator[Passage]:
    block = document_block(leaf)
    patterns = block.get("patterns")
    if str(block.get("repo")).strip() != "." or not isinstance(patterns, list):
        return
    names: Sequence[str] = [name for name in patterns if isinstance(name, str) and name]
    found = {file for name in names for file in match_documents(leaf.files, leaf.path, name)}
    yield from _files(leaf, sorted(found))


def _files(leaf: LeafSubject, paths: Sequence[str]) -> Iterator[Passage]:
    for path in paths:
        try:
            yield Passage(path, file_text(leaf, path))
        except (UnicodeDecodeError, OSError):
            continue  # the rules `documents` and `attribution` tell


def _seeds(leaf: LeafSubject) -> Iterator[tuple[int, dict[str, object]]]:
    data = leaf.source.data if leaf.source else None
    seeds = data.get("seed_examples") if isinstance(data, dict) else None
    for index, seed in enumerate(seeds if isinstance(seeds, list) else ()):
        if isinstance(seed, dict):
            yield index, seed


def _pairs(leaf: LeafSubject) -> Iterator[Pair]:
    for index, seed in _seeds(leaf):
        at: At = ("seed_examples", index)
        context = _text(seed, "context")
        items = seed.get("questions_and_answers")
        if isinstance(items, list):
            for number, item in enumerate(items):
                if isinstance(item, dict):
                    inner = (*at, "questions_and_answers", number)
                    yield Pair(
                        index, inner, context, _text(item, "question"), _text(item, "answer")
                    )
        else:
            yield Pair(index, at, context, _text(seed, "question"), _text(seed, "answer"))


def _text(data: dict[str, object], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""
