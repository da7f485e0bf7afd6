"""Rule `question-mark`: what asks ends with a question mark, in the script's own form.

Interrogatives are known by their first word (or, where a language puts it there, by the last). What
cannot be told from a statement is left alone, and so are languages that use no mark (Thai, Lao, …).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from pipelines.check.about import About
from pipelines.check.passages import pairs
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.schemas import describe, show

_MARKS = frozenset("?？؟՞፧⸮⁇⁈⁉‽﹖꘏\u037e⳺⳻꛷𞥟")
_GREEK = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")

# These ask wherever a text begins with them.
_ALWAYS = frozenset(
    (
        # English: `what`, `when`, `where`, `how` and verbs need a look at the next word, below.
        "who whom whose why which "
        # German, Dutch
        "wer wen wem wessen warum wieso weshalb woher wohin welche welcher welches welchen welchem "
        "wieviel wie's waarom wanneer welk hoeveel "
        # French, Spanish, Portuguese, Italian, Catalan
        "pourquoi combien quel quelle quels quelles est-ce qu'est-ce qui "
        "qué quién quiénes cuál cuáles cuándo dónde cómo cuánto cuánta cuántos cuántas "
        "quem qual quais quantos quantas chi perché quale quali quanti quante cos'è qual'è dov'è "
        # Polish, Czech, Swedish, Danish, Norwegian, Finnish, Hungarian
        "kto gdzie dlaczego ile czyj proč kolik kde vem varför vilken vilket vilka hvem hvorfor hvilken "
        "hvilket hvor kuka mikä missä miksi milloin ki hol miért mikor melyik "
        # Turkish, Indonesian
        "neden niçin hangi kaç nasıl nerede siapa mengapa bagaimana berapa kapan "
        # Russian, Ukrainian, Bulgarian
        "кто почему где сколько зачем откуда какой какая какое какие чей хто чому де скільки який яка "
        "яке які защо колко кой коя кое "
        # Greek
        "ποιος ποια ποιο ποιοι ποιες ποιοσ γιατί πού πότε πώς πόσο πόσα πόσοι πόσες τι "
        # Armenian: without the mark inside the word
        "ով ինչ երբ որտեղ ինչու ինչպես քանի "
        # Arabic, Persian, Hebrew
        "هل ماذا متى أين لماذا كيف كم آیا چرا کجا چگونه چند מי מה מתי איפה למה מדוע איך כמה האם "
        # Hindi
        "क्या कौन कब कहाँ क्यों कैसे कितने कितना कितनी"
    ).split()
)
_VERBS = frozenset(
    "is are was were do does did has have had can could will would shall should may might must "
    "isn't aren't wasn't weren't doesn't didn't can't couldn't won't wouldn't".split()
)
_OPENING_VERBS = frozenset("is are was were does did can could would should".split())
_SUBJECTS = frozenset("i you he she it we they the a an this that these those there any".split())
_HOW = frozenset("many much long far old often tall high big deep fast large wide heavy".split())
# Whole texts of Chinese, Japanese and Korean, whose questions show at their end or beginning.
_EAST = (
    r"(?:.*(?:吗|什么|哪里|哪儿|哪个|多少|几个|谁)|(?:为什么|为何|谁|哪|什么).*|.*(?:何|誰|どこ|なぜ|いつ|どれ|どちら|いくつ|いくら)"
    r"(?:です)?|.*(?:습니까|ㅂ니까|입니까|나요|은가요|는가요|인가요))[。.．]?"
)
_FIRST_EAST_LETTER = "\u3040"
_WORD = re.compile(r"[^\s\"“”„«»()\[\]¿¡:,.!]+")


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at each question that asks and holds no question mark anywhere."""
    if leaf.source is None:
        return
    for pair in pairs(leaf):
        question = pair.question
        if not question or "?" in question or not asks(question):
            continue
        at = (*pair.at, "question")
        message = f"{describe(at)} asks, but has no question mark."
        stripped = question.strip()
        hint = f"Write {show(stripped.rstrip('.。．:;') + mark_for(stripped))}."
        if "\n" in stripped or len(stripped) > 38:
            hint = f"Put {show(mark_for(stripped))} where the question ends."
        place = leaf.source.value_at(at)
        yield Finding("question-mark", "warning", leaf.file, *place, message, hint)


def asks(text: str) -> bool:
    """Whether a text is put as a question and has no mark that says so."""
    if not _MARKS.isdisjoint(text) or (";" in text and _GREEK.search(text)):
        return False
    if "¿" in text:
        return True
    if not text.isascii() and max(text) >= _FIRST_EAST_LETTER and _east_letter().search(text):
        return bool(re.fullmatch(_EAST, text.strip(), re.DOTALL))
    words = [word.casefold().replace("’", "'") for word in _WORD.findall(text[:200])[:5]]
    if len(words) < 2 or "!" in text:
        return False
    first, second = words[0], words[1]
    if first in ("what", "when", "where", "how", "what's", "where's", "how's", "who's"):
        return _asks_in_english(first, second, words)
    if first in _OPENING_VERBS:
        return second in _SUBJECTS
    return first in _ALWAYS


@cache
def _east_letter() -> re.Pattern[str]:
    # Compiled when it is needed: that takes longer than all questions of a leaf.
    return re.compile("[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")


def _asks_in_english(first: str, second: str, words: list[str]) -> bool:
    """`What is …`, `how many …`; not `when the bell rings, …`, `how to …`, `what a day`."""
    if first.endswith("'s") or second in _VERBS:
        return True
    if first == "how":
        return second in _HOW
    return (
        first == "what"
        and second not in ("a", "an", "follows")
        and not _VERBS.isdisjoint(words[2:])
    )


def mark_for(text: str) -> str:
    """The question mark of the script that a text is written in."""
    for mark, letters in (
        ("？", "[\u3040-\u30ff\u4e00-\u9fff]"),
        ("؟", "[\u0600-\u06ff]"),
        (";", _GREEK.pattern),
    ):
        if re.search(letters, text):
            return mark
    return "՞" if re.search("[\u0531-\u058f]", text) else "?"


RULE = LeafRule(
    check,
    About(
        "warning",
        "A question that asks has a question mark, in the form of its script (?, ？, ؟, ՞, Greek ;).",
        "Put the mark where the question ends.",
    ),
)
