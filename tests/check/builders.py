"""Real taxonomy folders for tests: one sound leaf of each kind, to be broken by the test."""

from __future__ import annotations

from pathlib import Path

from pipelines.check import CheckResult, Policy, check
from pipelines.leaves import WorkTree
from pipelines.records import Finding

SKILL = "compositional_skills/writing/rhymes"
KNOWLEDGE = "knowledge/earth/rivers/danube"

ATTRIBUTION = """\
Title of work: Rhymes
Link to work: -
License of the work: CC0-1.0
Creator names: Ada
"""


def skill(version: int | None = 3, seeds: int = 5, extra: str = "") -> str:
    """A skill's qna.yaml; ``extra`` lines stand at the end of the last seed."""
    lines = [] if version is None else [f"version: {version}"]
    lines += ["created_by: ada", "task_description: Rhyme.", "seed_examples:"]
    for number in range(seeds):
        lines += [f"  - question: What rhymes with {number}?", f"    answer: Word {number}."]
    return "\n".join(lines) + "\n" + extra


def knowledge(version: int = 3) -> str:
    """A knowledge leaf's qna.yaml, whose document lies beside it."""
    lines = [f"version: {version}", "created_by: ada", "domain: geography", "seed_examples:"]
    for seed in range(5):
        lines += [f"  - context: Fact {seed} of the river.", "    questions_and_answers:"]
        for number in range(3):
            lines += [
                f"      - question: What is {seed}.{number}?",
                f"        answer: It is {number}.",
            ]
    lines += ["document_outline: The river.", "document:", '  repo: "."', "  commit: HEAD"]
    return "\n".join([*lines, "  patterns:", '    - "*.md"']) + "\n"


def write(root: Path, path: str, content: str | bytes) -> Path:
    """Write one file below ``root``, bytes as they are."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def write_skill(root: Path, content: str | bytes | None = None, path: str = SKILL) -> None:
    """A skill leaf with its attribution."""
    write(root, f"{path}/qna.yaml", skill() if content is None else content)
    write(root, f"{path}/attribution.txt", ATTRIBUTION)


def write_knowledge(root: Path, content: str | bytes | None = None, path: str = KNOWLEDGE) -> None:
    """A knowledge leaf with its attribution and its document."""
    write(root, f"{path}/qna.yaml", knowledge() if content is None else content)
    write(root, f"{path}/attribution.txt", ATTRIBUTION)
    write(root, f"{path}/danube.md", "# The Danube\n\nIt flows.\n")


def run(root: Path, **options: object) -> CheckResult:
    """Check the folder with the default policy."""
    return check(WorkTree(root), Policy(), **options)  # type: ignore[arg-type]


def told(root: Path) -> list[tuple[str, int, int]]:
    """Rule, line and column of each finding, after seeing that each one is a plain sentence."""
    findings = run(root).findings
    for finding in findings:
        assert_plain(finding)
    return [(finding.rule, finding.line, finding.column) for finding in findings]


def assert_plain(finding: Finding) -> None:
    """A sentence for people: no Python, no words of jsonschema or of a traceback."""
    assert finding.message.endswith("."), finding.message
    for jargon in ("Traceback", "is not of type", "required property", "Additional properties"):
        assert jargon not in finding.message
