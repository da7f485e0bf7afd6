"""Lists of words: delicate topics, abuse and profanity; whole tokens, in any script."""

from __future__ import annotations

import codecs
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.check import Policy, check
from pipelines.leaves import WorkTree
from pipelines.sensitive.lexicon import lexicon
from tests.check.builders import KNOWLEDGE, run, skill, told, write, write_knowledge, write_skill


def found(root: Path, words: tuple[str, ...], text: str) -> list[tuple[int, int]]:
    value = json.dumps(f"Here: {text}", ensure_ascii=False)
    write_skill(root, skill().replace("Word 2.", value))
    findings = check(WorkTree(root), replace(Policy(), topics=(("x", words),))).findings
    assert all(f.rule == "topic" for f in findings)
    return [(f.line, f.column) for f in findings]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("vote", "Vote!"),
        ("vote", "(the VOTE)"),
        ("stock tip", "a stock\n tip"),
        ("self-harm", "of self-harm."),
        ("self-harm", "self‑harm"),
        ("don't", "they don’t"),
        ("Straße", "die STRASSE"),
        ("café", "le cafe\u0301 noir"),
        ("वोट", "यह वोट है"),
        ("انتحار", "عن انتحار،"),
        ("選挙", "昨日選挙があった"),
        ("ＶＯＴＥ", "vote"),
    ],
)
def test_words_are_found(tmp_path: Path, word: str, text: str) -> None:
    assert len(found(tmp_path, (word,), text)) == 1


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("vote", "devoted voters"),
        ("stock tip", "a tip on stock"),
        ("stock tip", "stock, no tip"),
        ("ass", "a class of assassins"),
        ("वो", "यह वोट है"),
        ("選挙", "選ぶ、挙げる"),
    ],
)
def test_parts_of_words_are_not(tmp_path: Path, word: str, text: str) -> None:
    assert found(tmp_path, (word,), text) == []


def test_the_place_is_the_words_own(tmp_path: Path) -> None:
    content = skill().replace("Word 2.", "|\n      One.\n\n      On suicide, a poem.")
    write_skill(tmp_path, content)
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.severity) == ("topic", "warning")
    assert (finding.line, finding.column) == (13, 10)
    assert "`self-harm`" in finding.message


def test_a_topic_is_told_once_a_file(tmp_path: Path) -> None:
    write_knowledge(tmp_path)
    write(tmp_path, f"{KNOWLEDGE}/danube.md", "# D\n\nA dosage, and a dosage.\nAn overdose.\n")
    assert [(f.rule, f.line) for f in run(tmp_path).findings] == [("topic", 3)]


def test_topics_never_reject(tmp_path: Path) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", "suicide"))
    assert not run(tmp_path).failed


@pytest.mark.parametrize("turned", ["shpx", "Shpxvat", "nffubyrf", "xvyy lbhefrys", "fpurvßr"])
def test_abuse_is_marked_for_a_person(tmp_path: Path, turned: str) -> None:
    word = codecs.decode(turned, "rot13")
    write_skill(tmp_path, skill().replace("Word 2.", f"Well, {word}!"))
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.severity) == ("offensive", "warning")
    assert (finding.line, finding.column) == (10, 19)
    assert word not in finding.message


@pytest.mark.parametrize(
    "text",
    ["Scunthorpe", "shiitake", "a cockpit", "Dickens", "Essex", "the class assassin", "kill weeds"],
)
def test_innocent_words(tmp_path: Path, text: str) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", text))
    assert told(tmp_path) == []


def test_abuse_in_documents(tmp_path: Path) -> None:
    write_knowledge(tmp_path)
    word = codecs.decode("shpx", "rot13")
    write(tmp_path, f"{KNOWLEDGE}/danube.md", f"# D\n\nIt flows, {word}.\n\n他妈的\n")
    assert [(f.rule, f.line, f.column) for f in run(tmp_path).findings] == [
        ("offensive", 3, 11),
        ("offensive", 5, 1),
    ]


def test_an_empty_list_finds_nothing() -> None:
    assert lexicon(("", "…")).phrases == ()
