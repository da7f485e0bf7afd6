"""The twins of one leaf → findings: a conflict, a question asked elsewhere, a leaf that is a twin.

What is quoted was contributed: it is cut short and put on one line; ``render`` escapes the rest.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Sequence

from pipelines.findings import Finding
from pipelines.leaf_files import LEAF_FILE
from pipelines.near.index import PLACES, Index, Place, Twin

# A leaf is a twin where it shares this part of its questions or contexts, and at least so many.
SHARE = 1 / 3
QUESTIONS = 3
CONTEXTS = 2
NAMED = 3
QUOTED = 80

# A leaf of a tree; "" is the tree that is checked.
_Leaf = tuple[str, str]
# Questions and contexts that two leaves share, and the line of the first in the other.
_Shared = tuple[int, int, int]


def worded(
    index: Index, tree: str, leaf: str, twins: Sequence[Twin], prefix: str
) -> Iterator[Finding]:
    """The findings of one leaf; paths in messages begin with ``prefix``."""
    file = posixpath.join(leaf, LEAF_FILE)
    begin = f"In {_quoted(tree)}: " if tree else ""
    whole = _twin_leaves(index, (tree, leaf), twins)
    if whole:
        shared = _listed([_shared(at, text, prefix) for at, text in whole.items()])
        message = f"{begin}This leaf has much in common with {shared}."
        hint = "Mend or extend the other leaf, or teach here what it does not."
        yield Finding("near-duplicate", "warning", file, 1, 1, message, hint)
    by_number: defaultdict[int, list[Twin]] = defaultdict(list)
    for twin in twins:
        if twin.kind != "context":
            by_number[twin.number].append(twin)
    for found in by_number.values():
        at = (file, found[0].here.line, found[0].here.column)
        clash = [twin for twin in found if twin.relation == "conflict"]
        if clash:
            yield Finding("conflict", "warning", *at, *_clash(begin, clash, prefix))
        told = [t for t in found if t.relation != "conflict" and _leaf(t.there) not in whole]
        if told:
            yield Finding("near-duplicate", "warning", *at, *_again(begin, told, prefix))


def _twin_leaves(index: Index, here: _Leaf, twins: Sequence[Twin]) -> dict[_Leaf, _Shared]:
    """The leaves that share so much with this one that they are told of as a whole."""
    shared: defaultdict[_Leaf, dict[int, Twin]] = defaultdict(dict)
    for twin in twins:
        shared[_leaf(twin.there)].setdefault(twin.number, twin)
    found = {}
    for there, common in shared.items():
        contexts = sum(twin.kind == "context" for twin in common.values())
        questions = len(common) - contexts
        if questions < QUESTIONS and contexts < CONTEXTS:
            continue
        all_questions, all_contexts = map(min, index.counts(*here), index.counts(*there))
        if (questions >= QUESTIONS and questions >= SHARE * all_questions) or (
            contexts >= CONTEXTS and contexts >= SHARE * all_contexts
        ):
            first = min(twin.there.line for twin in common.values())
            found[there] = (questions, contexts, first)
    return found


def _shared(at: _Leaf, shared: _Shared, prefix: str) -> str:
    questions, contexts, line = shared
    parts = [
        f"{number} {name}{'' if number == 1 else 's'}"
        for number, name in ((questions, "question"), (contexts, "context"))
        if number
    ]
    return f"{_at(*at, line, prefix)} ({' and '.join(parts)})"


def _clash(begin: str, twins: Sequence[Twin], prefix: str) -> tuple[str, str]:
    here = twins[0].here
    others = _listed([f"{_quoted(t.there.answer)} at {_place(t.there, prefix)}" for t in twins])
    message = (
        f"{begin}The question {_quoted(here.text)} is answered {_quoted(here.answer)} here and "
        f"{others}."
    )
    return message, "Settle which is right, or say in the questions what sets them apart."


def _again(begin: str, twins: Sequence[Twin], prefix: str) -> tuple[str, str]:
    here = twins[0].here
    if all(twin.relation == "same" for twin in twins):
        others = _listed([_place(twin.there, prefix) for twin in twins])
        message = (
            f"{begin}The question {_quoted(here.text)} is asked in another leaf too: {others}."
        )
    else:
        others = _listed([f"{_quoted(t.there.text)} at {_place(t.there, prefix)}" for t in twins])
        message = f"{begin}The question {_quoted(here.text)} is nearly the same as {others}."
    return message, "Keep it in one leaf, or ask for what the other does not."


def _leaf(place: Place) -> _Leaf:
    return place.tree, place.leaf


def _place(place: Place, prefix: str) -> str:
    return _at(place.tree, place.leaf, place.line, prefix)


def _at(tree: str, leaf: str, line: int, prefix: str) -> str:
    """``path:line``, as an editor takes it, and in which tree where it is another."""
    path = posixpath.join(prefix, leaf, LEAF_FILE)
    return f"{path}:{line}{f' in {_quoted(tree)}' if tree else ''}"


def _listed(parts: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(parts) - NAMED
    if more <= 0:
        return ", ".join(parts)
    number = f"at least {more}" if len(parts) >= PLACES else str(more)
    return f"{', '.join(parts[:NAMED])} and {number} more"


def _quoted(text: str) -> str:
    """Contributed text on one line in backticks, which it cannot end, cut short."""
    line = " ".join(text.replace("`", "'").split())
    return f"`{line[:QUOTED]}…`" if len(line) > QUOTED else f"`{line}`"
