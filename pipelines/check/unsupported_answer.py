"""Rule `unsupported-answer`: what a knowledge answer says can be found in its context.

Words are compared by their beginnings, so that an answer may decline and conjugate; what the question
says counts as said. In scripts without spaces pairs of characters are compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import contexts, knows, pairs
from pipelines.check.policy import Policy
from pipelines.check.repeated_text import folded
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.schemas import describe
from pipelines.text import has_spaceless, tokens

_STEM = 5
_YES_OR_NO = frozenset(
    "yes no true false ja nein oui non sí si sì sim não nao да нет evet hayır نعم لا はい いいえ 是 不是 "
    "否 예 아니요 हाँ नहीं".split()
)


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at each answer less than half of whose telling words the context holds."""
    if leaf.source is None or not knows(leaf):
        return
    folds = {index: folded(text) for index, text in contexts(leaf).items()}
    stems: dict[int, frozenset[str]] = {}
    for pair in pairs(leaf):
        answer = folded(pair.answer)
        # Most answers are copied: that is quickly seen.
        if not pair.context or not answer or answer in folds.get(pair.seed, ""):
            continue
        if pair.seed not in stems:
            stems[pair.seed] = _stems(tokens(pair.context))
        if _is_supported(tokens(pair.answer), stems[pair.seed], pair.question):
            continue
        at = (*pair.at, "answer")
        place = leaf.source.value_at(at)
        message = f"{describe(at)} says what its context does not."
        hint = "Answer in the context's words, or copy the passage that says it into the context."
        yield Finding("unsupported-answer", "warning", leaf.file, *place, message, hint)


def _is_supported(words: list[str], known: frozenset[str], question: str) -> bool:
    if words and words[0] in _YES_OR_NO:
        return True
    said = _stems(words)
    telling = {stem for stem in said if len(stem) >= 4 or not stem.isascii() or stem.isdigit()}
    counted = telling or said
    lacking = counted - known
    if 2 * len(lacking) <= len(counted):
        return True
    return 2 * len(lacking - _stems(tokens(question))) <= len(counted)


def _stems(words: list[str]) -> frozenset[str]:
    if "".join(words).isascii():
        return frozenset([word[:_STEM] for word in words])
    found = {word[:_STEM] for word in words if not has_spaceless(word)}
    characters = [word for word in words if has_spaceless(word)]
    found.update(a + b for a, b in itertools.pairwise(characters))
    return frozenset(found or characters)


RULE = LeafRule(
    check,
    About(
        "warning",
        "At least half of a knowledge answer's telling words stand in its context (or question).",
        "Answer in the context's words, or copy the passage that says it into the context.",
    ),
)
