"""``graft fix`` as it is used: exit codes, what is printed where, which files it touches."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE
from tests.check.builders import ATTRIBUTION, SKILL, skill, write, write_knowledge, write_skill

FILE = f"{SKILL}/qna.yaml"
CREDITS = f"{SKILL}/attribution.txt"
SPOILED = skill().replace("ada", "ada  ").replace("\n  - ", "\n  -   ").removesuffix("\n")
Said = tuple[int, str, str]
Graft = Callable[..., Said]


@pytest.fixture
def graft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Graft:
    """A command in the folder above ``taxonomy/``: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Said:
        capsys.readouterr()
        try:
            code = cli.main(words)
        except SystemExit as stop:
            code = int(str(stop.code))
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A sound knowledge leaf, and a skill whose files want mending."""
    root = tmp_path / "taxonomy"
    write_knowledge(root)
    write_skill(root, SPOILED.replace("\n    answer", "\n      answer"))
    write(root, CREDITS, ATTRIBUTION + "\n\n")
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def test_fix_writes_what_it_mends_and_is_done(graft: Graft, root: Path) -> None:
    before = contents(root)
    code, out, err = graft("fix")
    assert (code, err) == (EXIT_OK, "")
    assert out.splitlines() == [
        f"changed: taxonomy/{CREDITS}",
        f"changed: taxonomy/{FILE}",
        "4 files looked at: 2 changed, 0 with errors.",
    ]
    after = contents(root)
    assert after == before | {FILE: skill().encode(), CREDITS: ATTRIBUTION.encode()}
    assert graft("fix") == (EXIT_OK, "4 files looked at: 0 changed, 0 with errors.\n", "")
    assert graft("check")[0] == EXIT_OK


def test_check_writes_nothing_and_fails(graft: Graft, root: Path) -> None:
    before = contents(root)
    code, out, err = graft("fix", "--check")
    assert (code, err) == (EXIT_FINDINGS, "")
    assert out.splitlines() == [
        f"would change: taxonomy/{CREDITS}",
        f"would change: taxonomy/{FILE}",
        "4 files looked at: 2 would change, 0 with errors.",
    ]
    assert contents(root) == before
    graft("fix")
    code, out, _ = graft("fix", "--check")
    assert (code, out) == (EXIT_OK, "4 files looked at: 0 would change, 0 with errors.\n")


def test_diff_shows_what_cannot_be_seen_and_writes_nothing(graft: Graft, root: Path) -> None:
    write(root, FILE, ("\ufeff" + skill().replace("5", "5\x1b[31m")).replace("\n", "\r\n", 1))
    write(root, CREDITS, ATTRIBUTION.replace("Ada", "Ada\t").removesuffix("\n"))
    before = contents(root)
    code, out, _ = graft("fix", "--diff", f"taxonomy/{SKILL}")
    assert code == EXIT_OK
    assert out.splitlines() == [
        f"--- a/taxonomy/{CREDITS}",
        f"+++ b/taxonomy/{CREDITS}",
        "@@ -1,4 +1,4 @@",
        " Title of work: Rhymes",
        " Link to work: -",
        " License of the work: CC0-1.0",
        "-Creator names: Ada\\t",
        "\\ No newline at end of file",
        "+Creator names: Ada",
        f"--- a/taxonomy/{FILE}",
        f"+++ b/taxonomy/{FILE}",
        "@@ -1,4 +1,4 @@",
        "-\\ufeffversion: 3\\r",
        "+version: 3",
        " created_by: ada",
        " task_description: Rhyme.",
        " seed_examples:",
        "2 files looked at: 2 would change, 0 with errors.",
    ]
    assert contents(root) == before
    assert graft("fix", "--diff", "--check")[0] == EXIT_FINDINGS


def test_the_switches_reach_the_leaf(graft: Graft, root: Path) -> None:
    write(root, FILE, skill().replace("Word 1.", "Yes").replace("Rhyme.", "|\n  Rhyme. "))
    code, out, err = graft("fix", FILE.join(["taxonomy/", ""]))
    assert (code, out) == (EXIT_OK, "1 file looked at: 0 changed, 0 with errors.\n")
    assert err.splitlines() == [
        f"taxonomy/{FILE}:4:9: warning: Spaces at the end of 1 line belong to a text. "
        "`--strip` deletes them. [whitespace]",
        f"taxonomy/{FILE}:9:13: warning: 1 value that should be text is not, such as this one. "
        "`--quote` puts what is written there in quotes. [schema]",
    ]
    assert graft("fix", "--strip", "--quote")[::2] == (EXIT_OK, "")
    text = (root / FILE).read_text("utf-8")
    assert text == skill().replace("Word 1.", '"Yes"').replace("Rhyme.", "|\n  Rhyme.")


def test_a_file_that_cannot_be_read_stops_no_other(graft: Graft, root: Path) -> None:
    broken = {
        "alias": "a: &x 1  \n",
        "bytes": b"a: \xff  \n",
        "large": b"#" * 300_000,
        "yaml": "a: [  \n",
    }
    for name, content in broken.items():
        write(root, f"knowledge/{name}/qna.yaml", content)
    write(root, "knowledge/bytes/attribution.txt", b"\xff \n")
    code, out, err = graft("fix")
    assert code == EXIT_FINDINGS
    assert out.endswith("9 files looked at: 2 changed, 5 with errors.\n")
    assert [line.split(":")[0] for line in err.splitlines()] == [
        "taxonomy/knowledge/alias/qna.yaml",
        "taxonomy/knowledge/bytes/attribution.txt",
        "taxonomy/knowledge/bytes/qna.yaml",
        "taxonomy/knowledge/large/qna.yaml",
        "taxonomy/knowledge/yaml/qna.yaml",
    ]
    for name, content in broken.items():
        written = content.encode() if isinstance(content, str) else content
        assert (root / f"knowledge/{name}/qna.yaml").read_bytes() == written
    assert (root / FILE).read_text("utf-8") == skill()


def test_nothing_but_the_leaves_is_touched(graft: Graft, root: Path, tmp_path: Path) -> None:
    spoiled = "a: 1   \n"
    strangers = (
        f"taxonomy/{SKILL}/document.md",
        f"taxonomy/{SKILL}/qna.yml",
        "taxonomy/docs/qna.yaml",
        "taxonomy/knowledge/.hidden/qna.yaml",
        "qna.yaml",
    )
    for path in strangers:
        write(tmp_path, path, spoiled)
    elsewhere = write(tmp_path, "elsewhere/leaf/qna.yaml", spoiled)
    (root / "knowledge/link").symlink_to(elsewhere.parent)
    (root / "knowledge/loop").symlink_to("loop")
    (root / "knowledge/file").mkdir()
    (root / "knowledge/file/qna.yaml").symlink_to(elsewhere)
    (root / "knowledge/qna.yaml").mkdir()
    os.mkfifo(root / "knowledge/attribution.txt")
    assert graft("fix")[1].endswith("4 files looked at: 2 changed, 0 with errors.\n")
    for path in strangers:
        assert (tmp_path / path).read_text("utf-8") == spoiled
    assert elsewhere.read_text("utf-8") == spoiled


@pytest.mark.parametrize("name", ["link", "loop", "file", "folder", "pipe"])
def test_what_is_named_and_is_no_regular_file_is_told(graft: Graft, root: Path, name: str) -> None:
    elsewhere = write(root.parent, "elsewhere/qna.yaml", "a: 1   \n")
    (root / "knowledge/link").symlink_to(elsewhere.parent)
    (root / "knowledge/loop").symlink_to("loop")
    for folder in ("file", "pipe"):
        (root / "knowledge" / folder).mkdir()
    (root / "knowledge/file/qna.yaml").symlink_to(elsewhere)
    (root / "knowledge/folder/qna.yaml").mkdir(parents=True)
    os.mkfifo(root / "knowledge/pipe/qna.yaml")
    code, out, err = graft("fix", f"taxonomy/knowledge/{name}/qna.yaml")
    assert elsewhere.read_text("utf-8") == "a: 1   \n"
    if name == "folder":  # whatever leaves lie below it are mended; `graft check` tells the rest
        assert (code, err) == (EXIT_OK, "")
    elif name in ("link", "loop"):
        assert code == EXIT_USAGE
        assert err.count("\n") == 1
    else:
        assert code == EXIT_FINDINGS
        assert "cannot be read: it is not a regular file" in err
        assert err.count("\n") == 1
    assert "Traceback" not in err + out


def test_a_misnamed_file_is_left_to_check(graft: Graft, root: Path) -> None:
    write(root, f"{SKILL}/qna.yml", "a: 1  \n")
    code, out, err = graft("fix", f"taxonomy/{SKILL}/qna.yml", f"taxonomy/{FILE}")
    assert code == EXIT_OK
    assert out == f"changed: taxonomy/{FILE}\n1 file looked at: 1 changed, 0 with errors.\n"
    assert err == (
        f"taxonomy/{SKILL}/qna.yml: left alone; "
        "only qna.yaml and attribution.txt of leaves are mended.\n"
    )
    code, out, _ = graft("check", f"taxonomy/{SKILL}/qna.yml")
    assert code == EXIT_FINDINGS
    assert f"taxonomy/{SKILL}/qna.yml:1:1: error: A leaf's file must be called qna.yaml" in out


def test_wrong_paths_are_2(graft: Graft, root: Path) -> None:
    for path, told in (("taxonomy/nowhere", "no such file"), ("..", "is not inside the taxonomy")):
        code, out, err = graft("fix", path)
        assert (code, out) == (EXIT_USAGE, "")
        assert told in err
        assert err.count("\n") == 1


def test_a_taxonomy_behind_a_symlink(graft: Graft, root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    words = ("--taxonomy", "alias")
    assert graft("fix", "--check", *words, f"alias/{FILE}")[0] == EXIT_FINDINGS
    assert graft("fix", *words, "alias")[0] == EXIT_OK
    assert (root / FILE).read_text("utf-8") == skill()
    assert graft("check", *words, f"alias/{FILE}")[0] == EXIT_OK


# --- check, with the file names that a hook gives -------------------------------------------------


def test_check_takes_several_files_of_any_of_the_names(graft: Graft, root: Path) -> None:
    write_skill(root)
    write(root, CREDITS, ATTRIBUTION.replace("CC0-1.0", "Proprietary"))
    write(root, "knowledge/lone/attribution.txt", ATTRIBUTION)
    write(root, "knowledge/other/qna.yml", skill())
    names = ("knowledge/earth/rivers/danube/qna.yaml", CREDITS, "knowledge/lone/attribution.txt")
    code, out, err = graft("check", *(f"taxonomy/{n}" for n in (*names, "knowledge/other/qna.yml")))
    assert code == EXIT_FINDINGS
    assert err.count("\n") == 1  # the rest of the tree was not compared, for want of an index
    told = [line.split(":")[0].removeprefix("taxonomy/") for line in out.splitlines()[:-1]]
    assert set(told) == {CREDITS, "knowledge/lone/attribution.txt", "knowledge/other/qna.yml"}
    assert "\n2 leaves checked: " in out


def test_check_of_one_rule(graft: Graft, root: Path) -> None:
    write(root, CREDITS, ATTRIBUTION.replace("CC0-1.0", "Proprietary"))
    code, out, _ = graft("check", "--rule", "attribution", f"taxonomy/{CREDITS}")
    assert code == EXIT_FINDINGS
    assert [line.rsplit("[", 1)[-1] for line in out.splitlines()[:-1]] == ["attribution]"]
    write(root, CREDITS, ATTRIBUTION)
    assert graft("check", f"taxonomy/{FILE}")[0] == EXIT_FINDINGS  # spaces, no newline
    assert graft("check", "--rule", "attribution", f"taxonomy/{FILE}")[0] == EXIT_OK
    code, out, err = graft("check", "--rule", "beauty")
    assert (code, out) == (EXIT_USAGE, "")
    assert err.startswith("graft: There is no rule beauty; the rules are: file-name, ")


@pytest.mark.parametrize("name", ["qna.yaml", "attribution.txt"])
def test_a_taxonomy_at_the_root_of_its_repository(graft: Graft, root: Path, name: str) -> None:
    os.chdir(root)
    assert graft("check", f"{SKILL}/{name}")[0] == EXIT_FINDINGS
    assert graft("fix", FILE, CREDITS)[0] == EXIT_OK
    code, out, _ = graft("check", f"{SKILL}/{name}")
    assert code == EXIT_OK
    assert out.startswith("1 leaf checked: 0 errors, ")
