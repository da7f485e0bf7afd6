"""A taxonomy in a checkout, its repository at the stand-in of GitHub, and `graft github` run in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import cli
from tests.check.builders import write, write_knowledge, write_skill
from tests.support.github import TOKEN, Hub, github
from tests.support.repositories import Repo

Graft = Callable[..., tuple[int, str, str]]
FIELDS = {
    "knowledge": {
        "title": "Title",
        "document": "Document",
        "source": "Source",
        "licence": "Licence",
        "questions": "Questions",
        "dco": "Developer Certificate of Origin",
    },
    "skill": {
        "title": "Title",
        "description": "Description",
        "examples": "Examples",
        "dco": "Developer Certificate of Origin",
    },
    "correction": {
        "leaf": "Leaf",
        "wrong": "What is wrong",
        "right": "What is right",
        "dco": "Developer Certificate of Origin",
    },
}
TICKED = "- [X] I certify the above."


def form(kind: str) -> str:
    """An issue form with the fields of ``FIELDS``."""
    lines = [f"name: {kind}", "description: A form.", "body:", "  - type: markdown"]
    lines += ["    attributes:", "      value: Thank you."]
    for name, label in FIELDS[kind].items():
        lines += ["  - type: textarea", f"    id: {name}", "    attributes:"]
        lines += [f"      label: {label}"]
    return "\n".join(lines) + "\n"


def filled(kind: str, **values: str) -> str:
    """A body as GitHub makes it of what was filled in."""
    given = {"dco": TICKED, **values}
    return "\n\n".join(
        f"### {label}\n\n{given.get(name) or '_No response_'}"
        for name, label in FIELDS[kind].items()
    )


@pytest.fixture
def site(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The checkout; the current folder."""
    repo = Repo(tmp_path / "site")
    write_skill(repo.path / "taxonomy")
    write_knowledge(repo.path / "taxonomy")
    write(repo.path, "graft.yaml", "licences: [CC-BY-4.0, Apache-2.0]\n")
    for kind in FIELDS:
        write(repo.path, f".github/ISSUE_TEMPLATE/{kind}.yml", form(kind))
    repo.commit("first")
    repo.git("clone", "--quiet", "--bare", ".", str(tmp_path / "remote.git"))
    monkeypatch.chdir(repo.path)
    # The teacher's answers are kept from test to test: to propose questions takes seconds.
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path_factory.getbasetemp() / "graft-cache"))
    return repo.path


@pytest.fixture
def hub(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with github(tmp_path / "remote.git") as found:
        monkeypatch.setenv("GITHUB_API_URL", found.url)
        monkeypatch.setenv("GITHUB_REPOSITORY", found.repository)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        yield found


@pytest.fixture
def graft(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Graft:
    """``graft("github", "issue-to-leaf", event={…})``: exit code, output, errors."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    def run(*words: str, event: dict[str, Any] | None = None) -> tuple[int, str, str]:
        capsys.readouterr()
        given = [*words]
        if event is not None:
            (tmp_path / "event.json").write_text(json.dumps(event), encoding="utf-8")
            given += ["--event", str(tmp_path / "event.json")]
        code = cli.main(["github", *given])
        out, err = capsys.readouterr()
        assert TOKEN not in out + err
        return code, out, err

    return run
