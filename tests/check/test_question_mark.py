"""Questions with and without their mark, in the scripts of the world."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.check.builders import run, skill, told, write_skill

UNMARKED = [
    ("What is a rhyme", "?"),
    ("what's a rhyme", "?"),
    ("How many rhymes are there.", "?"),
    ("Where did it happen:", "?"),
    ("Which word rhymes with moon", "?"),
    ("Who wrote it", "?"),
    ("Can you rhyme this", "?"),
    ("What colour does it have", "?"),
    ("“Why” does it rhyme", "?"),
    ("Warum reimt sich das", "?"),
    ("Pourquoi rime-t-il", "?"),
    ("¿Qué rima con luna", "?"),
    ("Cuántos versos tiene", "?"),
    ("Сколько строк в стихе", "?"),
    ("Πόσο μακρύ είναι", ";"),
    ("لماذا تتساقط الأوراق", "؟"),
    ("Ինչ է սա", "՞"),
    ("什么是诗", "？"),
    ("你写诗吗", "？"),
    ("フランスの首都はどこです", "？"),
    ("क्या है", "?"),
]
MARKED = [
    "What is a rhyme?",
    "What is a rhyme? Answer in one word.",
    "Which is odd? moon, June, spoon",
    "What a day!",
    "What follows is a poem. Read it.",
    "When the bell rings, write a rhyme.",
    "Where the text says moon, write June.",
    "How to bake bread",
    "Write a rhyme.",
    "Is",
    "Do this at once.",
    "Will wrote a poem.",
    "Qualify the noun.",
    "Comment on the text.",
    "How interesting this is!",
    "詩を書いてください。",
    "フランスの首都はどこですか。",
    "写一首诗。",
    "你写诗吗？",
    "Τι είναι αυτό;",
    "Τι είναι αυτό\u037e",
    "متى كتب القصيدة؟",
    "Ի՞նչ է սա։",
    "บทกวีคืออะไร",
    "Write: what is rhyme",
]


@pytest.mark.parametrize(("question", "mark"), UNMARKED)
def test_questions_without(tmp_path: Path, question: str, mark: str) -> None:
    content = skill().replace("What rhymes with 2?", json.dumps(question, ensure_ascii=False))
    write_skill(tmp_path, content)
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.line, finding.column) == ("question-mark", 9, 15)
    assert finding.hint.endswith(f"{mark}`.")


@pytest.mark.parametrize("question", MARKED)
def test_what_needs_none_or_has_one(tmp_path: Path, question: str) -> None:
    content = skill().replace("What rhymes with 2?", json.dumps(question, ensure_ascii=False))
    write_skill(tmp_path, content)
    assert told(tmp_path) == []


def test_a_long_question_is_not_written_out(tmp_path: Path) -> None:
    long = "Why does " + "this " * 20 + "rhyme"
    write_skill(tmp_path, skill().replace("What rhymes with 2?", long))
    assert run(tmp_path).findings[0].hint == "Put `?` where the question ends."
