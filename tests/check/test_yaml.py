"""What YAML alone finds wrong: rule, line, column and a plain sentence for each."""

from pathlib import Path

import pytest

from pipelines.check import RULES
from tests.check.builders import SKILL, assert_plain, run, skill, told, write_skill

HEAD = "version: 3\ncreated_by: ada\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (skill() + "---\nversion: 3\n", ("yaml", 15, 1)),
        ("version: 3\nseed_examples:\n\t- question: x\n", ("yaml", 3, 1)),
        (HEAD + "task_description: a: b\n", ("yaml", 3, 20)),
        (HEAD + "task_description: *.md\n", ("yaml", 3, 19)),
        (HEAD + 'task_description: "open\n', ("yaml", 3, 19)),
        (HEAD + "task_description: @you\n", ("yaml", 3, 19)),
        (HEAD + "task_description: [a, b\n", ("yaml", 4, 1)),
        (HEAD + " task_description: x\n", ("yaml", 3, 18)),
        (HEAD + 'task_description: "\\q"\n', ("yaml", 3, 20)),
        (HEAD + "task_description: !mine x\n", ("yaml", 3, 19)),
        (HEAD + "task_description: !!python/name:os.system x\n", ("yaml", 3, 19)),
        (HEAD + "task_description: !!set {a}\n", ("yaml", 3, 19)),
        (HEAD + "? [a, b]\n: x\n", ("yaml", 3, 3)),
        (HEAD + "task_description: a\x00b\n", ("yaml", 3, 20)),
        (HEAD + "task_description: a\x1b[31mb\n", ("yaml", 3, 20)),
        (HEAD + "task_description: a\u2028b\n", ("yaml", 3, 20)),
        (HEAD + "task_description: a\x85b\n", ("yaml", 3, 20)),
        (HEAD + "task_description: " + "9" * 5000 + "\n", ("yaml", 3, 19)),
        (HEAD + "task_description: 2024-13-45\n", ("yaml", 3, 19)),
        (HEAD + "task_description: !!int x\n", ("yaml", 3, 19)),
        (HEAD + "task_description: !!bool x\n", ("yaml", 3, 19)),
        (HEAD + "task_description: =\n", ("yaml", 3, 19)),
        (HEAD + "task_description: &a x\n", ("alias", 3, 19)),
        (HEAD + "task_description: *a\n", ("alias", 3, 19)),
        ("a: &a [x]\nb: [*a, *a]\n", ("alias", 1, 4)),
        ((HEAD + "task_description: caf").encode() + b"\xe9\n", ("encoding", 3, 22)),
        ((HEAD + "x: y\n").encode("utf-16"), ("encoding", 1, 1)),
        (HEAD + "a: " + "[" * 2000 + "]" * 2000 + "\n", ("depth", 3, 53)),
        (skill() + "#" * 262_144, ("size", 1, 1)),
        ("", ("empty", 1, 1)),
        ("# only a comment\n", ("empty", 1, 1)),
        ("{}\n", ("empty", 1, 1)),
        ("null\n", ("empty", 1, 1)),
        ("[]\n", ("schema", 1, 1)),
        ("0\n", ("schema", 1, 1)),
        ("- a\n- b\n", ("schema", 1, 1)),
        ("just text\n", ("schema", 1, 1)),
    ],
)
def test_each_problem_is_one_finding_at_its_place(
    tmp_path: Path, content: str | bytes, expected: tuple[str, int, int]
) -> None:
    write_skill(tmp_path, content)
    assert told(tmp_path) == [expected]


def test_every_duplicate_key_is_found(tmp_path: Path) -> None:
    write_skill(tmp_path, skill(extra="    answer: again\ncreated_by: eve\n"))
    assert told(tmp_path) == [("duplicate-key", 15, 5), ("duplicate-key", 16, 1)]


def test_duplicate_keys_of_version_1_are_found_too(tmp_path: Path) -> None:
    write_skill(tmp_path, skill(version=None, extra="created_by: eve\n"))
    assert told(tmp_path) == [("duplicate-key", 14, 1)]


@pytest.mark.parametrize(
    "content",
    [
        skill().replace("\n", "\r\n"),
        skill().replace("\n", "\r"),
        "\ufeff" + skill(),
        "---\n" + skill(),
        "---\n" + skill() + "...\n",
        skill().replace("Rhyme.", "Rhyme 🎵 ünïcode."),
        skill().replace("version: 3", "version: 0x3"),
        skill().replace("version: 3", "version: 3.0"),
        skill().replace("version: 3", "version: 0_3"),
        skill().replace("Rhyme.", '"a\\u2028b"'),
        skill().replace("task_description: Rhyme.", "<<: {task_description: Rhyme.}"),
        skill().replace("Rhyme.", "|\n  code:\n  \tindented by a tab"),
    ],
)
def test_sound_forms_pass(tmp_path: Path, content: str) -> None:
    write_skill(tmp_path, content)
    assert told(tmp_path) == []


def test_flow_style_json_passes(tmp_path: Path) -> None:
    seeds = ", ".join(f'{{"question": "q{n}", "answer": "a{n}"}}' for n in range(5))
    head = '{"version": 3, "created_by": "ada", "task_description": "t"'
    write_skill(tmp_path, f'{head}, "seed_examples": [{seeds}]}}\n')
    assert told(tmp_path) == []


def test_a_file_of_aliases_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    write_skill(tmp_path, "\n".join(lines) + "\n")
    assert told(tmp_path) == [("alias", 1, 5)]


@pytest.mark.parametrize("content", ["a:\n\t- b\n", "a: b\t\nc: d\n"])
def test_a_tab_is_called_a_tab(tmp_path: Path, content: str) -> None:
    write_skill(tmp_path, content)
    finding = next(found for found in run(tmp_path).findings if found.rule == "yaml")
    assert finding.message == "A tab stands where YAML takes only spaces."
    assert finding.path == f"{SKILL}/qna.yaml"
    assert_plain(finding)


def test_what_the_reader_finds_has_a_rule(tmp_path: Path) -> None:
    package = Path(__file__).parents[2] / "pipelines"
    source = "".join((package / f"yaml_{part}.py").read_text() for part in ("source", "problems"))
    for rule in ("size", "encoding", "alias", "depth", "empty", "duplicate-key"):
        assert f'"{rule}"' in source
        assert rule in RULES
    assert "yaml" in RULES
