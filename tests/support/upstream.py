"""A taxonomy laid out as InstructLab's checkouts are: leaves at the root, other things beside them.

In: an empty folder. Out: a ``Repo`` at its first commit. The content is this project's own.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.repositories import ATTRIBUTION, Repo, knowledge_seeds, skill_seeds

KNOWLEDGE = "knowledge/science/oceans/tides"
GROUNDED = "compositional_skills/grounded/linguistics/notes"
FREEFORM = "compositional_skills/writing/freeform/keepers"
FOUNDATIONAL = "foundational_skills/reasoning/common_sense"
LEAVES = (GROUNDED, FREEFORM, FOUNDATIONAL, KNOWLEDGE)

SHA = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"


def upstream(path: Path) -> Repo:
    """A checkout with a leaf of each kind, none of them written for Graft."""
    repo = Repo(path)
    for folder in ("knowledge", "compositional_skills", "foundational_skills", "docs"):
        repo.write(f"{folder}/README.md", f"# {folder}\n\nHow to add one.  \n")
    repo.write("README.md", "# Taxonomy\n").write("LICENSE", "Apache License\n")
    repo.write(".github/workflows/lint.yaml", "on: push   \n")
    repo.write(".gitignore", "*.pyc\n").write("scripts/check-yaml.py", "print('no leaf')\n")
    repo.write("docs/template_qna.yaml", "version: 3   \ncreated_by: <your name>\n")
    repo.write(f"{KNOWLEDGE}/qna.yaml", knowledge())
    repo.write(f"{GROUNDED}/qna.yaml", skill(2, grounded=True))
    repo.write(f"{FREEFORM}/qna.yaml", skill(3))
    # Foundational skills have no version there, and some no attribution.
    repo.write(f"{FOUNDATIONAL}/qna.yaml", skill(None))
    for leaf in (KNOWLEDGE, GROUNDED, FREEFORM):
        repo.write(f"{leaf}/attribution.txt", ATTRIBUTION.format(title=leaf.rsplit("/", 1)[-1]))
    repo.commit("A taxonomy")
    return repo


def knowledge() -> str:
    """Version 3, its document in another repository."""
    lines = ["version: 3", "domain: oceanography", "created_by: ada", "seed_examples:"]
    for context, pairs in knowledge_seeds():
        lines += ["  - context: |", f"      {context}", "    questions_and_answers:"]
        for question, answer in pairs:
            lines += ["      - question: |", f"          {question}", "        answer: |"]
            lines += [f"          {answer}"]
    lines += ["document_outline: |", "  How the tides come about.", "document:"]
    lines += ["  repo: https://github.com/example/tides.git", f"  commit: {SHA}"]
    return "\n".join([*lines, "  patterns:", "    - tides*.md", ""])


def skill(version: int | None, *, grounded: bool = False) -> str:
    """A skill, its lists not indented below their key, as many are written there."""
    lines = [] if version is None else [f"version: {version}"]
    lines += [f"task_description: 'Tell of things ({version}, {grounded}).'", "created_by: ada"]
    lines += ["seed_examples:"]
    for context, question, answer in skill_seeds(grounded=grounded):
        lines += [f"- question: {question} ({version})", f"  answer: |\n    {answer}"]
        lines += [f"  context: |\n    {context}"] if grounded else []
    return "\n".join([*lines, ""])


def knowledge_v2() -> str:
    """Version 2, which InstructLab itself has declared out of date."""
    lines = ["version: 2", "task_description: Tides", "created_by: ada", "domain: oceanography"]
    lines += ["seed_examples:"]
    for at in range(5):
        lines += [f"  - question: What is fact {at} of the tides?", f"    answer: It is fact {at}."]
    lines += ["document:", "  repo: https://github.com/example/tides.git", f"  commit: {SHA}"]
    return "\n".join([*lines, "  patterns:", "    - tides*.md", ""])
