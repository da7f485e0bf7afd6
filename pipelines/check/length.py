"""Rule `length`: no text is longer, in words of its own script, than a person and a model take in."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import contexts, knows, pairs
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.schemas import describe
from pipelines.text import count_words


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each text beyond its limit, and for a skill's file that is."""
    if leaf.source is None:
        return
    limits = policy.limits
    texts: list[tuple[tuple[str | int, ...], str, int]] = []
    if knows(leaf):
        texts += [
            (("seed_examples", index, "context"), text, limits.context_words)
            for index, text in contexts(leaf).items()
        ]
    for pair in pairs(leaf):
        texts.append(((*pair.at, "question"), pair.question, limits.question_words))
        texts.append(((*pair.at, "answer"), pair.answer, limits.answer_words))
    for at, text, limit in texts:
        words = _words_beyond(text, limit)
        if words:
            message = f"{describe(at)} has {words:,} words; more than {limit:,} teach badly."
            place = leaf.source.key_at(at)
            yield Finding("length", "warning", leaf.file, *place, message, "Cut it or split it.")
    words = 0 if knows(leaf) else _words_beyond(leaf.reading.text or "", limits.skill_file_words)
    if words:
        message = (
            f"The file has {words:,} words; a skill should not need {limits.skill_file_words:,}."
        )
        hint = "Keep the most telling seeds, or split the skill."
        yield Finding("length", "warning", leaf.file, 1, 1, message, hint)


def _words_beyond(text: str, limit: int) -> int:
    """The words of a text that has more than ``limit``, else 0."""
    # A word takes two characters at least, one of them the space; without spaces one is half a word.
    if len(text) + 1 <= 2 * limit:
        return 0
    words = len(text.split()) if text.isascii() else count_words(text)
    return int(words) if words > limit else 0


RULE = LeafRule(
    check,
    About(
        "warning",
        "A skill's file has at most 2,300 words, a knowledge context 500, a question or answer 250 "
        "(the policy's `limits`). Half a word a character in scripts without spaces.",
        "Cut the text, or split it over several seeds or leaves.",
    ),
)
