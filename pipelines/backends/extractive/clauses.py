"""English sentences → clauses: who did what, and where, when and how, each as a span of the text.

In: one sentence. Out: ``Clause`` records: a subject, a verb group, the phrases around it. A wrong guess costs
a clumsy question and never a wrong answer, for every phrase is a verbatim span. Text in other languages
gives no clause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from pipelines.backends.extractive.tagging import Token, tokens, verb_forms


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens that belong together: a noun phrase, after ``prep`` where one leads into it.

    ``kind``: "noun", "purpose" (to do …), "adjective" or "adverb".
    """

    kind: Literal["noun", "purpose", "adjective", "adverb"]
    tokens: tuple[Token, ...]
    prep: str = ""

    def text(self, sentence: str) -> str:
        """The phrase without its preposition, as it stands."""
        return sentence[self.tokens[0].start : self.tokens[-1].end]

    @property
    def head(self) -> Token:
        """The word that says what it is: the last noun before an "of" or another preposition."""
        found = self.tokens[-1]
        for place, token in enumerate(self.tokens):
            if token.tag == "prep" and place:
                found = self.tokens[place - 1]
                break
        return found


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that a sentence says. ``verbs`` are the tokens of the verb group, adverbs left out.

    ``before`` and ``after`` are the phrases on either side of it, the subject not among them.
    ``reason`` is the text after a "because", a span of the sentence. A relative clause or an apposition
    is not ``main``.
    """

    subject: Phrase
    verbs: tuple[Token, ...]
    before: tuple[Phrase, ...]
    after: tuple[Phrase, ...]
    reason: str = ""
    main: bool = True


# A chunk is asked about once a shown seed: its sentences come back and are read once.
@lru_cache(maxsize=4096)
def clauses(sentence: str) -> tuple[Clause, ...]:
    """What the sentence says, clause by clause, in order."""
    words = _lists_joined(tokens(sentence))
    found: list[Clause] = []
    loose: list[Phrase] = []
    antecedent: Phrase | None = None
    for segment in _segments(words):
        led = segment[0]
        verb = _verb_group(segment)
        if verb is None:
            phrases = _phrases(segment)
            if led.tag == "sub" and found and led.lower == "because":
                found[-1] = _with_reason(found[-1], sentence, segment)
            elif phrases and phrases[0].prep and found:
                found[-1] = _extended(found[-1], phrases)
            elif phrases and phrases[0].prep:
                loose += phrases
            elif (
                phrases and antecedent and led.tag in ("det", "name", "num") and led.lower != "that"
            ):
                found.append(Clause(antecedent, (), (), tuple(phrases), main=False))
            if phrases:
                antecedent = _last_noun(phrases) or antecedent
            continue
        start, end = verb
        left = _phrases(segment[:start])
        right = _phrases(segment[end:])
        group = tuple(token for token in segment[start:end] if token.tag in ("aux", "verb"))
        if led.tag not in ("rel", "joint"):
            left = _name_apart(left)
        subject = next((p for p in reversed(left) if p.kind == "noun" and not p.prep), None)
        before = [p for p in left if p is not subject]
        if led.tag == "rel" and subject is None:
            subject = antecedent
        if subject is None and found:
            subject = next((c.subject for c in reversed(found) if c.main), found[-1].subject)
        if led.tag == "sub" and led.lower == "because" and found:
            found[-1] = _with_reason(found[-1], sentence, segment)
        if subject is not None:
            main = led.tag not in ("rel", "sub")
            found.append(Clause(subject, group, (*loose, *before), tuple(right), main=main))
            loose = []
        antecedent = _last_noun(right) or subject
    return tuple(found)


def _lists_joined(words: Sequence[Token]) -> list[Token]:
    """Commas of "a, b and c" as joints, so that a list is one phrase."""
    found = list(words)
    for place, token in enumerate(found):
        if token.text != "," or not place or found[place - 1].tag not in ("noun", "name", "num"):
            continue
        end = _noun_end(found, place + 1)
        more = end > place + 1 and end < len(found) and found[end].text == ","
        joined = any(word.tag == "joint" and word.text != "," for word in found[place + 1 : end])
        if more:
            last = _noun_end(found, end + 1)
            if found[end + 1 : end + 2] and found[end + 1].tag == "joint":
                last = _noun_end(found, end + 2)
            joined = joined or last > end + 1
        starts = found[place + 1 : place + 2]
        if joined and starts and starts[0].tag != "rel" and not _verb_follows(found, end):
            found[place] = Token(token.text, token.start, token.end, "joint")
    return found


def _verb_follows(words: Sequence[Token], place: int) -> bool:
    return place < len(words) and words[place].tag in ("verb", "aux")


def _name_apart(left: list[Phrase]) -> list[Phrase]:
    """ "At that time Panama" before a verb: the name is the subject, not a part of the phrase."""
    if not left or any(p.kind == "noun" and not p.prep for p in left):
        return left
    last = left[-1]
    for place in range(1, len(last.tokens)):
        token, before = last.tokens[place], last.tokens[place - 1]
        if before.tag in ("noun", "num") and token.tag in ("name", "det", "pron"):
            apart = Phrase("noun", last.tokens[place:])
            return [*left[:-1], Phrase(last.kind, last.tokens[:place], last.prep), apart]
    return left


def _with_reason(clause: Clause, sentence: str, segment: Sequence[Token]) -> Clause:
    reason = sentence[segment[0].start : segment[-1].end]
    return replace(clause, reason=reason)


def _extended(clause: Clause, phrases: Sequence[Phrase]) -> Clause:
    return replace(clause, after=(*clause.after, *phrases))


def _last_noun(phrases: Sequence[Phrase]) -> Phrase | None:
    return next((p for p in reversed(phrases) if p.kind == "noun"), None)


def _segments(words: Sequence[Token]) -> list[list[Token]]:
    """Runs of tokens between marks, relatives and subordinators; joined where a list goes on."""
    found: list[list[Token]] = [[]]
    for place, token in enumerate(words):
        rest = words[place + 1 :]
        if token.tag == "punct":
            if token.text in "-–'’\"“”%/" and token.text not in "–":
                continue
            found.append([])
        elif token.tag in ("rel", "sub"):
            found.append([token])
        elif token.tag == "joint" and _opens_clause(rest):
            found.append([])
        else:
            found[-1].append(token)
    return [segment for segment in found if segment]


def _opens_clause(rest: Sequence[Token]) -> bool:
    """Whether a verb comes after "and", at once or after a noun phrase, before the next break."""
    if rest and rest[0].tag in ("verb", "aux"):
        return True
    for token in rest[:8]:
        if token.tag in ("aux", "verb"):
            return True
        if token.tag in ("punct", "rel", "sub", "joint", "prep", "to"):
            return False
    return False


def _verb_group(segment: Sequence[Token]) -> tuple[int, int] | None:
    """(start, end) of the first finite verb group; None where the segment has none."""
    for place, token in enumerate(segment):
        finite = token.tag == "aux" or (
            token.tag == "verb" and verb_forms(token.lower) & {"VBD", "VBZ", "VBP"}
        )
        if not finite or (place and segment[place - 1].tag == "to"):
            continue
        end = _group_end(segment, place)
        return place, end
    return None


def _group_end(segment: Sequence[Token], place: int) -> int:
    """Where the verb group that begins at ``place`` ends: its main verb, "to do" behind it included."""
    end = main = place
    chained = False
    while end < len(segment):
        tag = segment[end].tag
        if tag not in ("aux", "verb", "adv", "to"):
            break
        if tag == "verb" and segment[main].tag == "verb" and main != end and not chained:
            break
        chained = tag in ("aux", "to") or (tag == "adv" and end > place and chained)
        if tag != "adv":
            main = end
        end += 1
    while segment[main].tag == "to":
        main -= 1
    return main + 1


def _phrases(words: Sequence[Token]) -> list[Phrase]:
    """The noun phrases, with the preposition before each, and the purposes ("to do …")."""
    found: list[Phrase] = []
    place = 0
    while place < len(words):
        token = words[place]
        if token.tag == "to":
            return [*found, Phrase("purpose", tuple(words[place:]))]
        prep = ""
        if token.tag == "prep":
            prep, place = token.lower, place + 1
        end = _noun_end(words, place)
        if end > place:
            found.append(Phrase("noun", tuple(words[place:end]), prep))
            place = end
        elif not prep and token.tag in ("adj", "adv", "verb"):
            if token.tag == "adj":
                found.append(Phrase("adjective", (token,)))
            place += 1
        elif not prep:
            place += 1
    return found


def _noun_end(words: Sequence[Token], start: int) -> int:
    """Where the noun phrase that begins at ``start`` ends; "of" and "and" carry it on."""
    end, seen = start, False
    while end < len(words):
        token = words[end]
        nominal = token.tag in ("noun", "name", "num", "pron")
        if nominal or token.tag in ("det", "adj"):
            if seen and token.tag == "det" and words[end - 1].tag not in ("prep", "joint", "det"):
                break
        elif (
            token.tag == "adv"
            and end + 1 < len(words)
            and not (seen and words[end - 1].tag != "joint")
        ):
            if words[end + 1].tag not in ("adj", "num", "det", "adv"):
                break
        elif seen and (token.lower == "of" or token.tag == "joint"):
            if token.text == "," and end + 1 < len(words) and words[end + 1].tag == "joint":
                end += 1
                continue
            if end + 1 >= len(words) or words[end + 1].tag not in (
                "det", "adj", "noun", "name", "num"):  # fmt: skip
                break
        else:
            break
        seen = seen or nominal
        end += 1
    return end if seen else start
