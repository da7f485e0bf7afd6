"""The wizard on a real pseudo-terminal: every kind of question, interruptions, what is kept."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pexpect
import pytest
import yaml

from pipelines.errors import EXIT_OK, EXIT_RESUMABLE
from tests.author.support import git, repository, spawn
from tests.check.builders import KNOWLEDGE, SKILL

DOWN, ENTER, CTRL_C, CTRL_D, ESC = "\x1b[B", "\r", "\x03", "\x04", "\x1b"
Child = pexpect.spawn


def _slow(*values: str) -> list[object]:
    """Further cases of one kind: each starts a terminal of its own."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return repository(tmp_path / "site")


def answer(child: Child, prompt: str, keys: str) -> None:
    child.expect_exact(prompt)
    child.send(keys)


def ended(child: Child) -> int:
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus is not None
    return int(child.exitstatus)


def begin(child: Child, kind: int, path: str) -> None:
    """Kind (by its place in the list) and place."""
    child.expect_exact("What shall the model learn?")
    for _ in range(kind):
        child.send(DOWN)
    child.send(ENTER)
    answer(child, "Where does it belong?", path + ENTER)


def origin(child: Child) -> None:
    """The last questions: title, link (its default), the second licence, creator, name (default)."""
    answer(child, "The title of the", "Songs" + ENTER)
    answer(child, "Where it can be found", ENTER)
    answer(child, "The licence of the", DOWN + ENTER)
    answer(child, "Who wrote the", "Ada" + ENTER)
    answer(child, "Your name on GitHub:", ENTER)


def test_a_skill_from_the_first_question_to_the_commit(site: Path) -> None:
    child = spawn(site, "new")
    begin(child, 2, "writng/songs")
    answer(child, "Do you mean that instead of", ENTER)
    answer(child, "What is the task", "Sing: a song" + ENTER)
    answer(child, "Question 1:", "What rhymes with 3?" + ENTER)  # the tree asks this already
    child.expect_exact(SKILL)
    answer(child, "Keep this question?", "n")
    for number, word in enumerate(["Yes", "42", "- la", "a: b", "😀 #"], start=1):
        answer(child, f"Question {number}:", f"How does {'la' * number} go?" + ENTER)
        found = child.expect_exact(["Keep this question?", "Answer to"])
        if found == 0:
            child.send("y")
            child.expect_exact("Answer to")
        child.send(word + ENTER)
    answer(child, "Question 6; empty to end:", ENTER)
    origin(child)
    answer(child, "Commit it with your sign-off", "y")
    assert ended(child) == EXIT_OK
    folder = site / "taxonomy/compositional_skills/writing/songs"
    leaf = yaml.safe_load((folder / "qna.yaml").read_text("utf-8"))
    assert leaf["task_description"] == "Sing: a song"
    assert leaf["created_by"] == "Ada Lovelace"
    answers = [seed["answer"] for seed in leaf["seed_examples"]]
    assert answers == ["Yes", "42", "- la", "a: b", "😀 #"]
    assert (
        "License of the work: MIT\nCreator names: Ada\n" in (folder / "attribution.txt").read_text()
    )
    assert "Signed-off-by: Ada Lovelace <ada@example.org>" in git(site, "log", "-1")
    assert git(site, "status", "--porcelain") == ""
    assert not (site / ".graft/new.json").exists()


DOCUMENT = "# Tower\n\n" + "\n\n".join(f"Fact {n} is about the\ntower." for n in range(1, 8)) + "\n"


def context(child: Child, number: int, text: str) -> None:
    answer(child, f"Context {number}", text + ESC + ENTER)


def test_knowledge_with_a_context_that_is_not_in_the_document(site: Path) -> None:
    (site / "tower.md").write_text(DOCUMENT)
    child = spawn(site, "new")
    begin(child, 0, "history/towers/tower")
    answer(child, "The document's file", "missing.md" + ENTER)
    child.expect_exact("cannot be read")
    child.send("\x15tower.md" + ENTER)  # Ctrl-U clears the line
    answer(child, "The domain", "history" + ENTER)
    answer(child, "What does the document cover", "A tower" + ENTER)
    context(child, 1, "No such words.")
    child.expect_exact("do not stand in the document")
    answer(child, "Keep this context?", ENTER)
    for number in range(1, 6):
        context(child, number, f"Fact {number} is about the tower.")
        for pair in range(1, 4):
            answer(
                child,
                f"Question {pair} on context {number}:",
                f"Which tower has the number {number}{pair}?" + ENTER,
            )
            answer(child, "Answer to", f"the tower {pair}" + ENTER)
        answer(child, f"Question 4 on context {number}; empty for the next context", ENTER)
    context(child, 6, "")
    origin(child)
    answer(child, "Commit it with your sign-off", ENTER)  # the default is no
    assert ended(child) == EXIT_OK
    folder = site / "taxonomy/knowledge/history/towers/tower"
    leaf = yaml.safe_load((folder / "qna.yaml").read_text())
    assert leaf["document"] == {"repo": ".", "commit": "HEAD", "patterns": ["tower.md"]}
    assert [len(seed["questions_and_answers"]) for seed in leaf["seed_examples"]] == [3] * 5
    assert (folder / "tower.md").read_text() == DOCUMENT
    assert git(site, "log", "--format=%s") == "first\n"


@pytest.mark.parametrize("how", ["ctrl-c", *_slow("ctrl-d", "hang up", "kill")])
def test_an_interruption_loses_nothing(site: Path, how: str) -> None:
    child = spawn(site, "new")
    begin(child, 3, "language/vowels")
    answer(child, "What is the task", "Count vowels." + ENTER)
    answer(child, "Question 1:", "How many vowels are in pear?" + ENTER)
    child.expect_exact("Answer to")
    stop = {"ctrl-c": lambda: child.send(CTRL_C), "ctrl-d": lambda: child.send(CTRL_D)}
    if how in stop:
        stop[how]()
        assert ended(child) == EXIT_RESUMABLE
        assert "run the same command again" in str(child.before)
    else:
        os.kill(child.pid, signal.SIGHUP if how == "hang up" else signal.SIGKILL)
        child.expect(pexpect.EOF)
        child.close()
    assert not (site / "taxonomy/foundational_skills").exists()

    child = spawn(site, "new")
    answer(child, "Go on with foundational_skills/language/vowels", ENTER)
    child.expect_exact("How many vowels are in pear?")
    child.send("two" + ENTER)
    answer(child, "Question 2:", CTRL_C)
    assert ended(child) == EXIT_RESUMABLE
    kept = json.loads((site / ".graft/new.json").read_text())
    assert kept["seed_examples"] == [{"question": "How many vowels are in pear?", "answer": "two"}]


def test_an_unfinished_leaf_that_is_not_wanted_is_set_aside(site: Path) -> None:
    kept = site / ".graft/new.json"
    kept.parent.mkdir()
    kept.write_text(json.dumps({"kind": "freeform", "path": "a/b"}))
    child = spawn(site, "new")
    answer(child, "Go on with a/b", "n")
    child.expect_exact("new-1.json")
    answer(child, "What shall the model learn?", CTRL_C)
    assert ended(child) == EXIT_RESUMABLE
    assert json.loads((site / ".graft/new-1.json").read_text())["path"] == "a/b"
    assert not kept.exists()


@pytest.mark.parametrize("damage", ["{", *_slow("[]", '{"seed_examples": 3}', "\udcff")])
def test_a_damaged_draft_is_set_aside(site: Path, damage: str) -> None:
    kept = site / ".graft/new.json"
    kept.parent.mkdir()
    kept.write_bytes(damage.encode("utf-8", "surrogateescape"))
    child = spawn(site, "new")
    answer(child, "What shall the model learn?", CTRL_C)
    assert ended(child) == EXIT_RESUMABLE
    assert (site / ".graft/new-1.json").read_bytes() == damage.encode("utf-8", "surrogateescape")


def test_a_path_that_cannot_be_is_asked_again(site: Path) -> None:
    child = spawn(site, "new")
    begin(child, 0, KNOWLEDGE)
    child.expect_exact("exists already")
    child.send("\x15earth/rivers/rhine" + ENTER)
    answer(child, "The document's file", CTRL_C)
    assert ended(child) == EXIT_RESUMABLE
    kept = json.loads((site / ".graft/new.json").read_text())
    assert kept["path"] == "knowledge/earth/rivers/rhine"
