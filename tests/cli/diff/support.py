"""``graft diff`` as it is typed, in a repository of two leaves; what its tests have in common."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipelines.errors import EXIT_OK
from tests.support.commands import Graft, Said, commands
from tests.support.repositories import Repo, knowledge_leaf, skill_leaf, skill_seeds

ROOT = Path(__file__).parents[3]
TIDES = "knowledge/sea/tides"
SKILL = "compositional_skills/describe"
OTHER = "compositional_skills/other"
# What `fork` leaves: on the branch, and between the two commits.
OWN = [("added", OTHER)]
BOTH = [("modified", SKILL), ("added", OTHER)]


def diffing(capsys: pytest.CaptureFixture[str]) -> Graft:
    """``graft diff`` in this process: exit code, standard output, standard error."""

    return functools.partial(commands(capsys), "diff")


def two_leaves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A repository with one leaf of each kind in taxonomy/; it is the current folder."""
    made = Repo(folder)
    knowledge_leaf(made.path / "taxonomy", TIDES)
    skill_leaf(made.path / "taxonomy", SKILL)
    made.commit("Two leaves")
    monkeypatch.chdir(made.path)
    return made


def edit(repo: Repo, path: str, old: str, new: str) -> None:
    file = repo.path / "taxonomy" / path
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def add(repo: Repo, path: str = OTHER) -> None:
    skill_leaf(repo.path / "taxonomy", path, task="Another task", seeds=skill_seeds(8)[5:])


def listed(said: Said) -> list[tuple[str, str]]:
    """Status and leaf of each line; nothing may stand on standard error."""
    code, out, err = said
    assert (code, err) == (EXIT_OK, "")
    if out == "No leaf changed.\n":
        return []
    return [(line.split()[0], line.split()[1]) for line in out.splitlines()]


def in_json(said: Said) -> dict[str, Any]:
    """Standard output, once it has been held against the schema."""
    assert said[0] == EXIT_OK, said[2]
    found = json.loads(said[1])
    schema = json.loads((ROOT / "schema" / "changes.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(found)
    assert isinstance(found, dict)
    return found


def assert_stops(said: Said, code: int, *parts: str) -> None:
    """One sentence on standard error, and nothing else."""
    assert (said[0], said[1]) == (code, "")
    assert said[2].startswith("graft: ")
    assert said[2].count("\n") == 1
    for part in parts:
        assert part in said[2]


def fork(repo: Repo) -> Repo:
    """``topic`` added a leaf and is checked out; ``main`` edited another one meanwhile."""
    repo.branch("topic")
    add(repo)
    repo.commit("A leaf")
    repo.checkout("main")
    edit(repo, f"{SKILL}/qna.yaml", "Describe an object", "Draw an object")
    repo.commit("An edit")
    repo.checkout("topic")
    return repo
