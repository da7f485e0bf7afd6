"""Filters: a row and its setting in; "" to keep it out, else the reason why not, for a person.

``FILTERS`` maps the name that a flow's ``keep`` uses to the filter. A further one is a function, a line
in ``FILTERS`` and a test; a line in ``READS`` where it fails without a column.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pipelines.backends.extractive.distracting import WRONG, apart
from pipelines.generate.steps import Row, Setting
from pipelines.sensitive.abuse import WORDS
from pipelines.sensitive.lexicon import find_words, lexicon
from pipelines.sensitive.personal import find_personal
from pipelines.text import tokens, too_close

LONGEST = 2000  # characters of a row: about the student's longest sequence
SHORT, SHORT_WORDS = 60, 6  # characters and words of an answer that can be a choice
CONTROL = re.compile(r"<\|[^|<>\s]{1,40}\|>|\[/?INST\]|</?s>")


def short_enough(row: Row, setting: Setting) -> str:
    """Not longer than a student can read."""
    total = sum(len(row.columns.get(name, "")) for name in ("context", "question", "answer"))
    return f"longer than {LONGEST} characters" if total > LONGEST else ""


def no_control_token(row: Row, setting: Setting) -> str:
    """Nothing that a chat template would read as a turn: contributed text stays text."""
    names = ("context", "question", "answer")
    found = any(CONTROL.search(row.columns.get(name, "")) for name in names)
    return "holds a control token of a chat template" if found else ""


def grounded(row: Row, setting: Setting) -> str:
    """The answer's words stand in the chunk, and so does every number of it."""
    source = set(tokens(row.origin.source))
    answer = tokens(row.columns["answer"])
    strange = [word for word in answer if word not in source]
    if any(word.isdigit() for word in strange):
        return "a number of the answer does not stand in the text"
    if len(strange) * 2 > len(answer):
        return "the answer does not stand in the text"
    return ""


def short_answer(row: Row, setting: Setting) -> str:
    """A name, a number or a short phrase: what can be set beside others of its kind."""
    answer = row.columns["answer"]
    long = len(answer) > SHORT or len(answer.split()) > SHORT_WORDS
    return f"the answer is no short phrase: over {SHORT_WORDS} words" if long else ""


def choices_apart(row: Row, setting: Setting) -> str:
    """The right choice and the wrong ones are four, and none is a part of another."""
    answer, *wrong = (row.columns[name] for name in ("answer", *WRONG))
    for place, one in enumerate(wrong):
        if CONTROL.search(one):
            return "a wrong choice holds a control token of a chat template"
        if len(one) > 2 * SHORT or "\n" in one:
            return "a wrong choice is no short phrase"
        if not apart(one, [answer]):
            return "a wrong choice is the right one, or contains it, or is a part of it"
        if not apart(one, wrong[:place]):
            return "two wrong choices say the same"
    return ""


def not_an_exam_question(row: Row, setting: Setting) -> str:
    """The leak gate: no row asks what the exam asks. An equal answer alone is no leak."""
    asked = "\n".join(
        row.columns[name] for name in ("context", "question") if row.columns.get(name)
    )
    exam = [*setting.exam, *setting.asked.get((row.origin.document, row.origin.chunk), ())]
    close = any(too_close(asked, question) for question in exam)
    return "too close to an exam question" if close else ""


def no_personal_data(row: Row, setting: Setting) -> str:
    """No address or number of a person but those that stand in what the row was made from.

    A source was read by people, with ``graft check`` pointing at such data: what it holds may be taught.
    What a teacher adds is either made up or remembered from elsewhere.
    """
    for text in _texts(row):
        for kind, start, end in find_personal(text):
            source = row.origin.source
            known = {_compact(source[at:to]) for _, at, to in find_personal(source)}
            if _compact(text[start:end]) not in known:
                return f"holds {kind} that its source does not hold"
    return ""


def not_abusive(row: Row, setting: Setting) -> str:
    """No abusive or profane word but those that stand in what the row was made from."""
    words = lexicon(WORDS)
    found = {word for text in _texts(row) for _, word in find_words(text, words)}
    if found and not found <= {word for _, word in find_words(row.origin.source, words)}:
        return "holds an abusive or profane word that its source does not hold"
    return ""


def _texts(row: Row) -> list[str]:
    names = ("context", "question", "answer", *WRONG)
    return [row.columns[name] for name in names if row.columns.get(name)]


def _compact(text: str) -> str:
    """An address or number however it is spaced."""
    return "".join(filter(str.isalnum, text)).casefold()


FILTERS: dict[str, Callable[[Row, Setting], str]] = {
    "short_enough": short_enough,
    "no_control_token": no_control_token,
    "no_personal_data": no_personal_data,
    "not_abusive": not_abusive,
    "grounded": grounded,
    "short_answer": short_answer,
    "choices_apart": choices_apart,
    "not_an_exam_question": not_an_exam_question,
}
# The columns that a row must have where a filter stands.
READS: dict[str, tuple[str, ...]] = {
    "short_enough": ("question",),
    "no_control_token": ("question",),
    "no_personal_data": ("question",),
    "not_abusive": ("question",),
    "grounded": ("answer",),
    "short_answer": ("answer",),
    "choices_apart": ("answer", *WRONG),
    "not_an_exam_question": ("question",),
}
