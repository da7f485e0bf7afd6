"""What the stand-in teacher answers: a function of the prompt and of how often it was asked before.

Standard library alone. A prompt says on a line ``FORM: …`` which form of answer it wants. One that does not,
as the package's own, gets a block for each pair of tags that it speaks of.
"""

from __future__ import annotations

import random
import re


def reply(prompt: str, number: int) -> str:
    """The answer to ``prompt`` when it is drawn for the ``number``-th time, from 0."""
    form = re.search(r"^FORM: (\w+)", prompt, re.MULTILINE)
    rng = random.Random(f"{number} {prompt}")
    return FORMS[form[1]](rng) if form else _any(prompt, rng)


def _any(prompt: str, rng: random.Random) -> str:
    if re.search(r"\[question\]", prompt, re.IGNORECASE):
        return _pairs(rng)
    parts = [f"What of {_word(rng)}? It is {_word(rng)}."]
    for name in dict.fromkeys(re.findall(r"\[Start of (\w+)\]", prompt)):
        said = {"Score": rng.choice("1122"), "Rating": rng.choice("1110"), "Answer": "YES"}
        parts.append(f"[Start of {name}]\n{said.get(name, _word(rng))}\n[End of {name}]")
    return "\n".join(parts)


def _word(rng: random.Random) -> str:
    return rng.choice(["tides", "moon", "bay", "ebb", "flood"]) + f" {rng.randrange(10**6)}"


def _text(rng: random.Random) -> str:
    return f"  A text on {_word(rng)}.\nAnd a line on {_word(rng)}. "


def _pairs(rng: random.Random) -> str:
    """From none to three pairs, some of them asked before, in words before and after."""
    blocks = [
        f"[QUESTION]\n{rng.choice([_word(rng), 'What again'])}?\n[ANSWER]\n{_word(rng)} [END]\n"
        for _ in range(rng.randrange(4))
    ]
    return "Here you are.\n" + "".join(blocks)


def _lines(rng: random.Random) -> str:
    return "\n".join(f"{n}. [Q] {_word(rng)}? [/Q]" for n in range(rng.randrange(4)))


def _tagged(rng: random.Random) -> str:
    return f"[A]{_word(rng)}\n[/A]" if rng.random() < 0.9 else "I would rather not."


def _verdict(rng: random.Random) -> str:
    verdict = rng.choice(["YES", "YES", "MOSTLY", "NO", "yes"])
    return f"[Reason] {_word(rng)} [/Reason] [Verdict] {verdict} [/Verdict]"


def _score(rng: random.Random) -> str:
    score = rng.choice(["0", "1", "1.0", "2", "good", "-1", ""])
    return f"[Reason]{_word(rng)}[/Reason]\n[Score]{score}[/Score]"


def _uneven(rng: random.Random) -> str:
    first, second, third = (f"[Q]q{n}[/Q] [A]a{n}[/A]\n" for n in range(3))
    return rng.choice([first + "[Q]q9[/Q]\n" + second, first + second + "[A]a9[/A]\n" + third])


FORMS = {
    "text": _text,
    "pairs": _pairs,
    "lines": _lines,
    "tagged": _tagged,
    "verdict": _verdict,
    "score": _score,
    "uneven": _uneven,
}
