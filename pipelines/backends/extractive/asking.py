"""Clauses → questions and answers, each time in other words.

A student learns a fact from varied phrasings, not from one: every draw leaves out other phrases, names the
thing asked for in another way, or breaks the grammar as people do. Answers are verbatim spans of the
sentence. All draws come from the ``random.Random`` given.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pipelines.backends.extractive.amounts import counted, date_opening, is_date
from pipelines.backends.extractive.clauses import Clause, Phrase, clauses
from pipelines.backends.extractive.reading import content_words
from pipelines.backends.extractive.tagging import (
    BE,
    DO,
    HAVE,
    MODALS,
    NUMBER_WORDS,
    lemma,
    past,
)

Pair = tuple[str, str]

_PLACES = frozenset(
    "in on at near under below above behind between beneath beside along inside off".split()
)
_PLACE_TYPES = tuple("place country town city state region part sea river island".split())
_PERSON_TYPES = ("person", "man", "people")
_COLOURS = frozenset(
    "red blue green yellow white black brown grey gray orange purple pink violet".split()
)
_PERSONAL = {"he", "she", "him", "her", "his"}
_POSSESSIVES = {"its", "his", "her", "their"}


@dataclass(slots=True)
class Memory:
    """What pronouns stand for as a text is read: the topic, the last subject, the last person."""

    topic: str
    thing: str = ""
    person: str = ""
    also: dict[str, str] = field(default_factory=dict)

    def of(self, pronoun: str) -> str:
        """The words to say instead of a pronoun."""
        if pronoun.lower() in _PERSONAL:
            return self.person or self.thing or self.topic
        return self.thing or self.topic


def pairs(sentence: str, memory: Memory, rng: random.Random) -> list[Pair]:
    """One question and answer for everything that can be asked about ``sentence``."""
    found: list[Pair] = []
    for clause in clauses(sentence):
        speaker = _Speaker(sentence, clause, memory, rng)
        found += [pair for pair in speaker.pairs() if _sensible(*pair)]
        _remember(clause, sentence, memory)
    return found


def _sensible(question: str, answer: str) -> bool:
    words = answer.split()
    return 0 < len(words) <= 14 and len(question.split()) >= 3


def _remember(clause: Clause, sentence: str, memory: Memory) -> None:
    subject = clause.subject
    if all(token.tag == "pron" or token.tag == "det" for token in subject.tokens):
        return
    said = _lowered(subject, sentence)
    if clause.main:
        memory.thing = said
    names = [token for token in subject.tokens if token.tag == "name"]
    if names and subject.tokens[0].tag == "name":
        memory.person = said
    if not clause.verbs and clause.after:
        memory.also[said] = clause.after[0].text(sentence)


def _lowered(phrase: Phrase, sentence: str) -> str:
    """The phrase as it would stand inside a sentence."""
    text = phrase.text(sentence)
    first = phrase.tokens[0]
    return text[0].lower() + text[1:] if first.start == 0 and first.tag != "name" else text


class _Speaker:
    """Says what can be asked about one clause."""

    def __init__(self, sentence: str, clause: Clause, memory: Memory, rng: random.Random) -> None:
        self.sentence, self.clause, self.memory, self.rng = sentence, clause, memory, rng
        self.verbs = [token.lower for token in clause.verbs] or [rng.choice(("is", "was"))]
        self.passive = len(self.verbs) > 1 and self.verbs[-2] in BE and self.verbs[-1] not in BE
        self.copula = self.verbs[-1] in BE

    def pairs(self) -> Iterator[Pair]:
        clause = self.clause
        yield from self._about_subject()
        for phrase in (*clause.before, *clause.after):
            if phrase.kind == "purpose":
                yield (
                    self._inverted(self._pick("Why", "For what", "What for"), phrase),
                    self._said(phrase),
                )
            elif phrase.kind == "adjective":
                yield from self._about_adjective(phrase)
            else:
                yield from self._about(phrase)
        if clause.reason:
            yield self._inverted(self._pick("Why", "Why", "For what reason"), None), clause.reason

    # --- questions about one part ------------------------------------------------------------

    def _about_subject(self) -> Iterator[Pair]:
        subject = self.clause.subject
        if all(token.tag in ("pron", "det") for token in subject.tokens):
            return
        if not self.clause.verbs:  # an apposition: "William Gorgas, an army doctor"
            described = self._said(self.clause.after[0])
            yield self._ended([self._who(subject), self.verbs[0], described]), self._said(subject)
            return
        count = counted(subject, self.sentence, self.rng)
        if count:
            asked = [count.wh, count.rest, self._verbs(), *self._others()]
            yield self._ended(asked), count.answer
        yield from self._named(
            subject, lambda wh, rest: self._ended([wh, self._verbs(), *self._others()])
        )
        yield from self._whole()
        if count is None or self.rng.random() < 0.3:
            wh = self._who(subject)
            yield self._ended([wh, self._verbs(), *self._others()]), self._said(subject)

    def _whole(self) -> Iterator[Pair]:
        """What happens: the clause itself is the answer, asked for by a part of it."""
        tokens = [t for p in (self.clause.subject, *self.clause.after) for t in p.tokens]
        tokens += self.clause.verbs
        start, end = min(t.start for t in tokens), max(t.end for t in tokens)
        answer = self.sentence[start:end]
        wh = self._pick("What happens", "Why", "How", "What", "What happened", "What is said")
        words = [
            self._subject(),
            *self._others(),
            "" if self.rng.random() < 0.5 else lemma(self.verbs[-1]),
        ]
        self.rng.shuffle(words)
        if len(answer.split()) >= 4:
            yield self._ended([wh, *words]), answer

    def _about_adjective(self, phrase: Phrase) -> Iterator[Pair]:
        if not self.copula:
            return
        text = self._said(phrase)
        wh = (
            self._pick("What colour", "Which colour")
            if text in _COLOURS
            else self._pick("What", "How")
        )
        yield self._inverted(wh, phrase), text

    def _about(self, phrase: Phrase) -> Iterator[Pair]:
        if all(token.tag == "pron" for token in phrase.tokens):
            return
        text, prep = self._said(phrase), phrase.prep
        if is_date(phrase, text):
            wh = date_opening(phrase, text, self.rng)
            led = prep and wh == "When" and self.rng.random() < 0.6
            yield self._inverted(wh, phrase), f"{prep} {text}" if led else text
            return
        count = counted(phrase, self.sentence, self.rng)
        if count:
            yield self._inverted(self._spoken(count.wh, count.rest, phrase), phrase), count.answer
            if self.rng.random() < 0.7:
                return
        if prep == "by" and self.passive and self.rng.random() < 0.6:
            active = past(lemma(self.verbs[-1]))
            yield (
                self._ended([self._who(phrase), active, self._subject(), *self._others(phrase)]),
                text,
            )
        elif prep in _PLACES and self.rng.random() < 0.5:
            answer = f"{prep} {text}" if self.rng.random() < 0.5 else text
            yield self._inverted("Where", phrase), answer
        elif prep in ("by", "with", "through", "from") and self.rng.random() < 0.25:
            yield self._inverted("How" if prep != "from" else "Where", phrase), f"{prep} {text}"
        elif prep:
            yield self._with_preposition(phrase), text
        else:
            yield self._inverted(self._who(phrase), phrase), text
        yield from self._part_of(phrase)
        yield from self._named(
            phrase, lambda wh, rest: self._inverted(self._spoken(wh, rest, phrase), phrase)
        )

    def _named(self, phrase: Phrase, ask: Callable[[str, str], str]) -> Iterator[Pair]:
        """ "the Danish astronomer Ole Rømer" → "Which astronomer …?" → "Ole Rømer"."""
        tokens = phrase.tokens
        start = len(tokens)
        while start and tokens[start - 1].tag == "name":
            start -= 1
        if not 0 < start < len(tokens) or tokens[start - 1].tag != "noun":
            return
        kind = self.sentence[tokens[start - 1].start : tokens[start - 1].end]
        if tokens[start - 2].tag in ("name", "adj") and start > 1 and self.rng.random() < 0.5:
            kind = f"{tokens[start - 2].text} {kind}"
        yield ask(f"Which {kind}", ""), self.sentence[tokens[start].start : tokens[-1].end]

    def _with_preposition(self, phrase: Phrase) -> str:
        wh = self._who(phrase)
        wh = "whom" if wh == "Who" else wh[0].lower() + wh[1:]
        if self.rng.random() < 0.5:
            return self._inverted(f"{phrase.prep.capitalize()} {wh}", phrase)
        return self._inverted(wh[0].upper() + wh[1:], phrase, phrase.prep)

    def _part_of(self, phrase: Phrase) -> Iterator[Pair]:
        """ "a part of Colombia" → "Of which country was Panama a part?"."""
        tokens = phrase.tokens
        cut = next((i for i, t in enumerate(tokens) if t.lower == "of" and i), None)
        if cut is None or cut + 1 >= len(tokens):
            return
        whole = Phrase("noun", tokens[cut + 1 :], "of")
        rest = self.sentence[tokens[0].start : tokens[cut - 1].end]
        led = f"{phrase.prep} {rest}".strip()
        answer = self._said(whole)
        if self.rng.random() < 0.5:
            yield self._inverted(f"Of {self._who(whole).lower()}", phrase, led), answer
        else:
            yield self._inverted(self._who(whole), phrase, f"{led} of"), answer

    # --- pieces of a question ----------------------------------------------------------------

    def _spoken(self, wh: str, rest: str, phrase: Phrase) -> str:
        led = (
            f"{phrase.prep} {wh[0].lower()}{wh[1:]}"
            if phrase.prep and self.rng.random() < 0.5
            else wh
        )
        return f"{led[0].upper()}{led[1:]} {rest}".strip()

    def _who(self, phrase: Phrase) -> str:
        """What to ask for a noun phrase with: who, what, or which and a word for its kind."""
        head = phrase.head
        named = [token for token in phrase.tokens if token.tag == "name"]
        draw = self.rng.random()
        if head.tag == "name" or (named and phrase.tokens[0].tag == "name"):
            if phrase.prep in _PLACES | {"from", "to"}:
                return self._pick("What", "Which", "Which " + self.rng.choice(_PLACE_TYPES))
            alone = phrase.tokens[0].tag == "name"
            if draw < (0.6 if alone else 0.3):
                return "Who"
            kind = self.memory.also.get(self._said(phrase), "")
            if kind and draw < 0.8:
                return "Which " + kind.split()[-1]
            return self._pick(
                "What", "Which", "Which " + self.rng.choice((*_PLACE_TYPES, *_PERSON_TYPES))
            )
        kind = head.lower
        if draw < 0.35 and head.tag in ("noun", "adj"):
            return self._pick("Which", "What", "What kind of") + f" {kind}"
        return "What" if draw < 0.85 else "Which"

    def _inverted(self, wh: str, asked: Phrase | None, tail: str = "") -> str:
        """wh + auxiliary + subject + verb + the other phrases + tail."""
        others = self._others(asked)
        subject = self._subject()
        verbs = self.verbs
        if verbs[0] in BE | MODALS | DO or (verbs[0] in HAVE and len(verbs) > 1):
            first, rest = verbs[0], verbs[1:]
        else:
            token = self.clause.verbs[0].lower if self.clause.verbs else verbs[0]
            base = lemma(token)
            helper = "did" if token == past(base) else ("does" if token != base else "do")
            first, rest = helper, [base, *verbs[1:]]
        if self.rng.random() < 0.06:
            first = ""
        chain = (
            " ".join(rest)
            if len(rest) < 2 or not self._chained()
            else " ".join([*rest[:-1], "to", rest[-1]])
        )
        middle = self.rng.random() < 0.5
        pieces = [
            wh,
            first,
            subject,
            chain,
            tail if middle else "",
            *others,
            "" if middle else tail,
        ]
        return self._ended(pieces)

    def _chained(self) -> bool:
        tokens = self.clause.verbs
        return len(tokens) > 1 and " to " in self.sentence[tokens[-2].end : tokens[-1].start + 1]

    def _verbs(self) -> str:
        tokens = self.clause.verbs
        return self.sentence[tokens[0].start : tokens[-1].end] if tokens else self.verbs[0]

    def _subject(self) -> str:
        subject = self.clause.subject
        if subject.tokens[0].tag == "pron" and len(subject.tokens) == 1:
            return self.memory.of(subject.tokens[0].text)
        said = _lowered(subject, self.sentence)
        alias = self.memory.also.get(said)
        if alias and self.rng.random() < 0.3:
            said = re.sub(r"^(?:an?)\b", "the", alias)
        return self._owned(said)

    def _owned(self, text: str) -> str:
        """ "its builders" → "the Panama Canal's builders", most of the time."""
        first, _, rest = text.partition(" ")
        if first.lower() in _POSSESSIVES and rest and self.rng.random() < 0.7:
            return f"{self.memory.of(first)}'s {rest}"
        return text

    def _others(self, asked: Phrase | None = None) -> list[str]:
        """The other phrases, some left out, now and then in another order."""
        found = []
        for phrase in (*self.clause.after, *self.clause.before):
            if phrase is asked or self.rng.random() < 0.22:
                continue
            found.append(self._owned(f"{phrase.prep} {self._said(phrase)}".strip()) if not phrase.prep
                         else f"{phrase.prep} {self._owned(self._said(phrase))}")  # fmt: skip
        if len(found) > 1 and self.rng.random() < 0.2:
            self.rng.shuffle(found)
        return found

    def _said(self, phrase: Phrase) -> str:
        return _lowered(phrase, self.sentence)

    def _pick(self, *forms: str) -> str:
        return self.rng.choice(forms)

    def _ended(self, pieces: Sequence[str]) -> str:
        return " ".join(" ".join(piece for piece in pieces if piece).split()) + "?"


_SELDOM = re.compile(
    r"(?:this|that|these|those|such|its?|they|them|their|his|her|he|something|nothing|anything|ones?|"
    r"which|what|not|some|any|(?:the )?others?|the same|the one)\b",
    re.IGNORECASE,
)


def worth(answer: str, title: Sequence[str]) -> float:
    """How readily a person asks for ``answer``, 0..1: numbers and names always, the topic never."""
    core = content_words(answer)
    if not core or _SELDOM.match(answer) or {*map(str.lower, core)} <= {*map(str.lower, title)}:
        return 0.0
    words = answer.split()
    counts = any(word in NUMBER_WORDS or word[0].isdigit() for word in answer.lower().split())
    if (counts and len(words) <= 5) or all(word[0].isupper() for word in core):
        return 1.0
    if answer.startswith(("because ", "to ", "so that ")):
        return 1.0
    if len(words) > 7:
        return 0.15
    return 0.7 if any(word[0].isupper() for word in core) else 0.45


def loosened(question: str, topic: Sequence[str], rng: random.Random) -> str:
    """The question as people type it: the topic named, words left out, small words lost."""
    words = question.rstrip("?").split()
    draw = rng.random()
    if draw < 0.5 and topic:
        kept = [word for word in topic if rng.random() < 0.8] or list(topic[:1])
        if not all(word in words for word in kept):
            words += [rng.choice(("of", "in", "at", "for", "the")), *kept]
    if rng.random() < 0.5:
        words = [w for i, w in enumerate(words) if i < 2 or rng.random() > 0.12]
    return " ".join(words) + "?"
