"""Real Git repositories and real leaves, written where a test wants them.

repo = Repo(tmp_path)
knowledge_leaf(repo.path / "taxonomy", "knowledge/science/tides")
sha = repo.commit("A leaf about tides")
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import yaml

TIDES = """# Tides

## Why the sea rises

The Moon pulls on the ocean and raises a bulge of water on the side that faces it. A second bulge
stands on the far side.

## Spring tides

At new moon and full moon the Sun and the Moon pull in one line, and the tides are at their highest.
"""

ATTRIBUTION = """Title of work: {title}
Link to work: https://example.org/{title}
Revision: 1
License of the work: CC-BY-SA-4.0
Creator names: Graft contributors
"""

# One seed: its context and the questions with their answers.
KnowledgeSeed = tuple[str, Sequence[tuple[str, str]]]
# One seed: context (or ""), question, answer.
SkillSeed = tuple[str, str, str]


class Repo:
    """A Git repository at ``path``, made on first use, deaf to the settings of this machine."""

    def __init__(self, path: Path, branch: str = "main") -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        if not (path / ".git").exists():
            self.git("init", "--quiet", "--initial-branch", branch)

    def git(
        self,
        *arguments: str,
        author: str = "Ada Lovelace <ada@example.org>",
        date: str = "2024-01-01T00:00:00Z",
    ) -> str:
        """Run git here; what it prints, without white space at the ends."""
        name, address = author.rstrip(">").split(" <")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": address,
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": address,
            "GIT_COMMITTER_DATE": date,
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def write(self, path: str, content: str | bytes) -> Repo:
        """Write a file of the work tree; text is written as UTF-8, its newlines as they are."""
        full = self.path / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def delete(self, path: str) -> Repo:
        """Remove a file or folder from the work tree and the index."""
        self.git("rm", "-r", "--quiet", path)
        return self

    def move(self, old: str, new: str) -> Repo:
        """Rename a file or folder."""
        (self.path / new).parent.mkdir(parents=True, exist_ok=True)
        self.git("mv", old, new)
        return self

    def branch(self, name: str, at: str = "HEAD") -> Repo:
        """Make a branch and check it out."""
        self.git("checkout", "--quiet", "-b", name, at)
        return self

    def checkout(self, ref: str) -> Repo:
        self.git("checkout", "--quiet", ref)
        return self

    def commit(
        self,
        message: str,
        author: str = "Ada Lovelace <ada@example.org>",
        date: str = "2024-01-01T00:00:00Z",
    ) -> str:
        """Commit everything in the work tree, even where nothing has changed; the SHA."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message, author=author, date=date)
        return self.git("rev-parse", "HEAD")


def knowledge_seeds(count: int = 5, questions: int = 3) -> list[KnowledgeSeed]:
    """Seeds whose texts are far enough apart that none is taken for another."""
    return [
        (
            f"The {THINGS[at]} of {PLACES[at]} was {WORKS[at]} and is kept in the {KEEPERS[at]}.",
            [
                (f"Which question number {q} asks about the {THINGS[at]}?", f"Answer {at}.{q}")
                for q in range(questions)
            ],
        )
        for at in range(count)
    ]


def skill_seeds(count: int = 5, *, grounded: bool = False) -> list[SkillSeed]:
    return [
        (
            f"A note found in {PLACES[at]} speaks of a {THINGS[at]}." if grounded else "",
            f"How would the {KEEPERS[at]} describe the {THINGS[at]} of {PLACES[at]}?",
            f"It was {WORKS[at]}.",
        )
        for at in range(count)
    ]


THINGS = ["lighthouse", "bell", "tapestry", "compass", "orchard", "bridge", "violin", "mosaic"]
PLACES = ["Quillon", "Marbeck", "Oostvar", "Tennish", "Ulvadal", "Brightsea", "Harrow", "Zelm"]
WORKS = [
    "carved from oak",
    "cast in bronze",
    "woven by monks",
    "bought at sea",
    "planted twice",
    "built without nails",
    "strung with gut",
    "laid in winter",
]
KEEPERS = ["museum", "abbey", "guild", "harbour", "school", "council", "theatre", "palace"]


def knowledge_leaf(
    taxonomy: Path,
    path: str,
    *,
    seeds: Sequence[KnowledgeSeed] | None = None,
    domain: str = "science",
    outline: str = "How tides come about",
    document: str = TIDES,
    created_by: str = "ada",
) -> Path:
    """Write a knowledge leaf with its document beside it; the leaf's folder."""
    data = {
        "version": 3,
        "created_by": created_by,
        "domain": domain,
        "document_outline": outline,
        "seed_examples": [
            {
                "context": context,
                "questions_and_answers": [{"question": q, "answer": a} for q, a in pairs],
            }
            for context, pairs in (knowledge_seeds() if seeds is None else seeds)
        ],
        "document": {"repo": ".", "commit": "HEAD", "patterns": ["*.md"]},
    }
    folder = _write_leaf(taxonomy, path, data)
    (folder / "document.md").write_text(document, encoding="utf-8")
    return folder


def skill_leaf(
    taxonomy: Path,
    path: str,
    *,
    seeds: Sequence[SkillSeed] | None = None,
    task: str = "Describe an object in the voice of its keeper",
    created_by: str = "ada",
) -> Path:
    """Write a skill leaf, grounded where its seeds have contexts; the leaf's folder."""
    data = {
        "version": 2,
        "created_by": created_by,
        "task_description": task,
        "seed_examples": [
            ({"context": context} if context else {}) | {"question": question, "answer": answer}
            for context, question, answer in (skill_seeds() if seeds is None else seeds)
        ],
    }
    return _write_leaf(taxonomy, path, data)


def _write_leaf(taxonomy: Path, path: str, data: dict[str, object]) -> Path:
    folder = taxonomy / path
    folder.mkdir(parents=True, exist_ok=True)
    written = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=100)
    (folder / "qna.yaml").write_text(written, encoding="utf-8")
    attribution = ATTRIBUTION.format(title=path.rsplit("/", 1)[-1])
    (folder / "attribution.txt").write_text(attribution, encoding="utf-8")
    return folder
