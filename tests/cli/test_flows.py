"""`graft flows`: the flows that there are, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.generate.flow import flow_names
from tests.generate.instructlab.rows import FOLDER

GOOD = """phase: skills
rows: question
steps:
  - {ask: ask, prompt: p.md, parse: [question, answer]}
  - {ask: grade, prompt: g.md, parse: [score], role: judge}
  - {keep: good, column: score, operation: at_least, value: 2}
"""


def write(root: Path, text: str) -> str:
    (root / "p.md").write_text("Ask like {{ question }}.", encoding="utf-8")
    (root / "g.md").write_text("Grade {{ answer }}.", encoding="utf-8")
    path = root / "flow.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_every_flow_is_listed_with_its_rows_its_leaves_and_its_judge(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["flows"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == flow_names()
    (lab,) = [line for line in lines if line.startswith("lab_knowledge:")]
    assert "rows chunk_and_seed · for knowledge · phase knowledge" in lab
    assert lab.endswith("19 steps, 7 ask, 3 of a judge")
    (seeds,) = [line for line in lines if line.startswith("seeds:")]
    assert seeds.endswith("no judge")


def test_a_sound_flow_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, GOOD)
    assert main(["flows", "validate", path]) == 0
    assert main(["flows", "validate", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{path}: rows question")
    assert lines[0].endswith("3 steps, 2 ask, 1 of a judge")


def test_all_that_is_wrong_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, GOOD.replace("p.md", "no.md") + "  - {keep: shiny}\n")
    assert main(["flows", "validate", path]) == 1
    told = capsys.readouterr().out
    assert f"{path}:4:24: The file {tmp_path / 'no.md'} cannot be read: No such file" in told
    assert f"{path}:7:12: There is no filter `shiny`. Known: " in told


@pytest.mark.parametrize(
    "text", ["", "steps: [", "- a\n- b\n", "blocks: [\n", "\x00", "blocks: 3\n", "steps: {}\n"]
)
def test_what_is_no_flow_at_all_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = write(tmp_path, text)
    assert main(["flows", "validate", path]) == 1
    out = capsys.readouterr()
    assert out.out.startswith(f"{path}:")
    assert out.err == ""


def test_a_file_that_is_not_there_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flows", "validate", str(tmp_path / "no.yaml")]) == 1
    assert "there is no such file" in capsys.readouterr().err


def test_instructlab_s_flows_are_checked_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flows", "validate", str(FOLDER / "knowledge.yaml")]) == 0
    out = capsys.readouterr().out
    assert "warning: `datamixing` is not used" in out
    assert "rows chunk_and_seed · for knowledge" in out
