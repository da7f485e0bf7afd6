"""A folder on disk as hostile people leave it: links, pipes, folders and giants are no leaves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipelines.check import CheckResult, How, Policy, check
from pipelines.cli import main
from pipelines.errors import GraftError, LeafError
from pipelines.leaves import read_leaf
from pipelines.work_tree import MAX_FILE_BYTES, WorkTree
from tests.check.builders import KNOWLEDGE, SKILL, run, skill, write, write_knowledge, write_skill

ROOT = Path(__file__).resolve().parents[1]
QNA = f"{SKILL}/qna.yaml"


def _folder(place: Path) -> None:
    place.mkdir()


def _pipe(place: Path) -> None:
    os.mkfifo(place)


def _socket(place: Path) -> None:
    before = os.getcwd()
    os.chdir(place.parent)  # the name of a socket may not be long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(place.name)
    finally:
        os.chdir(before)


def _loop(place: Path) -> None:
    place.symlink_to(place.name)


def _link(place: Path) -> None:
    write(place.parent, "other.txt", skill())
    place.symlink_to("other.txt")


def _nowhere(place: Path) -> None:
    place.symlink_to("not-there")


@pytest.mark.parametrize("make", [_folder, _pipe, _socket, _loop, _link, _nowhere])
def test_what_is_no_regular_file_is_no_leaf(tmp_path: Path, make: object) -> None:
    (tmp_path / SKILL).mkdir(parents=True)
    make(tmp_path / QNA)  # type: ignore[operator]
    with pytest.raises(FileNotFoundError):
        WorkTree(tmp_path).read(QNA)
    with pytest.raises(LeafError):
        read_leaf(WorkTree(tmp_path), SKILL)
    assert _rules(run(tmp_path, paths=[QNA])) == ["file-name"]
    assert main(["check", "--taxonomy", str(tmp_path), str(tmp_path / QNA)]) == 1


def test_a_loop_of_folders_ends(tmp_path: Path) -> None:
    write_skill(tmp_path)
    (tmp_path / SKILL / "again").symlink_to("..")
    (tmp_path / "knowledge").symlink_to("compositional_skills")
    assert run(tmp_path).checked == 1
    with pytest.raises(FileNotFoundError):
        WorkTree(tmp_path).read(f"{SKILL}/again/rhymes/qna.yaml")


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/hostname", "a\0b", ".git/config", "x" * 5000, "a/b/c", ""]
)
def test_no_path_leads_outside(tmp_path: Path, path: str) -> None:
    write(tmp_path, "x", "secret")
    (tmp_path / "tree").mkdir()
    with pytest.raises(OSError):  # noqa: PT011
        WorkTree(tmp_path / "tree").read(path)
    assert list(WorkTree(tmp_path / "tree").files(path)) == []


def test_a_giant_is_refused_before_it_is_read(tmp_path: Path) -> None:
    write_knowledge(tmp_path)
    for name in ("qna.yaml", "danube.md"):
        with open(tmp_path / KNOWLEDGE / name, "r+b") as file:
            file.truncate(10 << 30)  # a hole: it takes no room on the disk
        with pytest.raises(OSError, match="64 MB"):
            WorkTree(tmp_path).read(f"{KNOWLEDGE}/{name}")
    found = run(tmp_path).findings
    assert [finding.rule for finding in found] == ["file-name"]
    assert "larger than 64 MB" in found[0].message
    with pytest.raises(LeafError, match="larger than 64 MB"):
        read_leaf(WorkTree(tmp_path), KNOWLEDGE)
    write_knowledge(tmp_path)
    with open(tmp_path / KNOWLEDGE / "danube.md", "r+b") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(LeafError, match="larger than 64 MB"):
        read_leaf(WorkTree(tmp_path), KNOWLEDGE)
    assert "internal" not in _rules(run(tmp_path))
    assert run(tmp_path).failed


def test_what_may_not_be_read_is_told() -> None:
    """Without a superuser's rights where the tests run as root: to root no file is closed."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        tree.chmod(0o755)
        write_knowledge(tree)
        write_skill(tree)
        (tree / QNA).chmod(0)
        for name in ("attribution.txt", "danube.md"):
            (tree / KNOWLEDGE / name).chmod(0)
        found = _unprivileged(tree)
        assert found.count("cannot be read: Permission denied") == 3, found
        assert "crashed" not in found
        assert "Traceback" not in found
        (tree / SKILL).chmod(0)
        assert "cannot be listed: Permission denied" in _unprivileged(tree)
        (tree / SKILL).chmod(0o755)


def _unprivileged(tree: Path) -> str:
    """What ``graft check`` says. The first run loads all modules while they can still be read."""
    script = (
        "import ctypes, os, sys\n"
        "from pipelines.cli import main\n"
        "assert main(['check', '--taxonomy', sys.argv[1]]) == 0\n"
        "if os.geteuid() == 0:\n"  # version 3 of Linux's capability sets, and none in them
        "    header, none = (ctypes.c_uint32 * 2)(0x20080522), (ctypes.c_uint32 * 6)()\n"
        "    assert ctypes.CDLL(None).capset(header, none) == 0\n"
        "sys.exit(main(['check', '--taxonomy', sys.argv[2]]))\n"
    )
    with tempfile.TemporaryDirectory() as sound:
        write_skill(Path(sound))
        write_knowledge(Path(sound))
        done = subprocess.run(
            [sys.executable, "-c", script, sound, str(tree)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    return done.stdout + done.stderr


def test_a_tree_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(GraftError, match="no taxonomy folder"):
        WorkTree(tmp_path / "none")


def test_a_named_leaf_outside_the_roots_is_checked_and_told(tmp_path: Path) -> None:
    write_skill(tmp_path, skill().rstrip(), "other/rhymes")
    for path in ("other/rhymes/qna.yaml", "other", "other/rhymes"):
        result = run(tmp_path, paths=[path])
        assert result.checked == 1
        assert {"file-name", "whitespace"} <= set(_rules(result))
    compat = check(WorkTree(tmp_path), Policy(), ["other"], how=How("instructlab"))
    assert _rules(compat) == ["whitespace"]
    assert run(tmp_path).checked == 0


def _rules(result: CheckResult) -> list[str]:
    return [finding.rule for finding in result.findings]
