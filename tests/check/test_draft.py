"""Rule `draft`: the mark among the first comments is found, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.drafts import NOTICE
from tests.check.builders import SKILL, run, skill, told, write_skill


def test_a_draft_is_warned_of_at_its_line(tmp_path: Path) -> None:
    write_skill(tmp_path, f"# a comment\n\n{NOTICE}\n{skill()}")
    assert told(tmp_path) == [("draft", 3, 1)]
    (finding,) = run(tmp_path).findings
    assert (finding.severity, finding.path) == ("warning", f"{SKILL}/qna.yaml")


@pytest.mark.parametrize(
    "content",
    [
        skill(),
        f"# draft of a comment\n{skill()}",
        skill() + f"{NOTICE}\n",
        skill().replace("Word 1.", "# DRAFT").replace("answer: #", "answer: |\n      #"),
    ],
)
def test_what_only_looks_like_one_is_not(tmp_path: Path, content: str) -> None:
    write_skill(tmp_path, content)
    assert told(tmp_path) == []
