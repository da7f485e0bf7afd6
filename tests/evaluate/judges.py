"""What judges of several characters say: answers for the stand-in server, by the pair they are shown."""

from __future__ import annotations

import re

from tests.support.openai_answers import Chat, text_of

_MARK = re.compile(r"between the marks ([0-9a-f]{16}) is")


def shown(chat: Chat) -> dict[str, str]:
    """The texts of a prompt by name, read by its mark alone."""
    text = text_of(chat)
    marks = _MARK.findall(text)
    block = rf"<{marks[0]} (\w+)>\n(.*?)\n</{marks[0]} \1>"
    return dict(re.findall(block, text, re.DOTALL))


def fair(chat: Chat, variation: int) -> str:
    """Right is what has the reference's letters."""
    texts = {name: re.sub(r"\W", "", text.casefold()) for name, text in shown(chat).items()}
    a, b = texts["A"] == texts["REFERENCE"], texts["B"] == texts["REFERENCE"]
    return f"VERDICT: {'TIE' if a == b else 'A' if a else 'B'}"


def first(chat: Chat, variation: int) -> str:
    """Likes whatever stands first."""
    return "VERDICT: A"


def chatty(chat: Chat, variation: int) -> str:
    """Never comes to the point."""
    return "Both have merits. VERDICT: A, or perhaps B."
