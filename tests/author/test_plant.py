"""A new leaf's folder appears whole or not at all, and nothing is ever overwritten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.author.leaf import NewLeaf, NewSeed
from pipelines.author.plant import document_name, leaf_files, plant, read_document
from pipelines.errors import GraftError, UsageError
from pipelines.leaves import WorkTree
from pipelines.records import QuestionAnswer

FILES = {"qna.yaml": b"version: 3\n", "attribution.txt": b"x\n"}


def everything(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def test_the_folder_and_those_above_it_appear(tmp_path: Path) -> None:
    folder = plant(tmp_path, "knowledge/a/b", FILES)
    assert folder == tmp_path.resolve() / "knowledge/a/b"
    assert everything(tmp_path) == [
        "knowledge", "knowledge/a", "knowledge/a/b", "knowledge/a/b/attribution.txt",
        "knowledge/a/b/qna.yaml",
    ]  # fmt: skip
    assert folder.stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("there", ["folder", "file", "dangling link"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    target = tmp_path / "knowledge/a/b"
    target.parent.mkdir(parents=True)
    if there == "folder":
        target.mkdir()
    elif there == "file":
        target.write_text("mine")
    else:
        target.symlink_to("nowhere")
    before = everything(tmp_path)
    with pytest.raises(GraftError, match="exists already"):
        plant(tmp_path, "knowledge/a/b", FILES)
    assert everything(tmp_path) == before


def test_a_link_above_leads_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "taxonomy"
    root.mkdir()
    (root / "knowledge").symlink_to(outside)
    with pytest.raises(GraftError, match="not a folder of this taxonomy"):
        plant(root, "knowledge/a/b", FILES)
    assert everything(outside) == []


def test_a_file_above_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "knowledge").write_text("x")
    with pytest.raises(GraftError, match="not a folder of this taxonomy"):
        plant(tmp_path, "knowledge/a/b", FILES)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(GraftError, match="Nothing half-written was left"):
        plant(tmp_path, "knowledge/a/b", {**FILES, "x" * 300: b""})
    assert everything(tmp_path) == []


PROGRAM = """
import os, signal, sys
from pathlib import Path
from pipelines.author.plant import plant

def killed_at(step, root):
    left = step
    def hook(event, args):
        nonlocal left
        if event in ("open", "os.rename", "os.mkdir") and str(root) in str(args):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    plant(root, "knowledge/a/b", {"qna.yaml": b"q", "attribution.txt": b"a"})

for step in range(1, 40):
    root = Path(sys.argv[1], str(step))
    (root / "knowledge").mkdir(parents=True)
    child = os.fork()
    if not child:
        killed_at(step, root)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_kill_at_any_step_leaves_the_whole_leaf_or_none(tmp_path: Path) -> None:
    words = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    codes = [int(line) for line in done.stdout.split()]
    assert set(codes) == {0, -signal.SIGKILL}
    assert codes.count(-signal.SIGKILL) >= 5
    for step, code in enumerate(codes, start=1):
        files = list(WorkTree(tmp_path / str(step)).files())
        whole = ["knowledge/a/b/attribution.txt", "knowledge/a/b/qna.yaml"]
        assert files in ([whole] if code == 0 else [[], whole])


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("The Danube.MD", "the_danube.md"),
        ("a[1]*.md", "a_1.md"),
        ("attribution.txt", "attribution_document.txt"),
        ("….txt", "document.txt"),
    ],
)
def test_the_name_of_the_document_is_no_pattern(file: str, name: str) -> None:
    assert document_name(Path(file)) == name


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.pdf", b"%PDF", "cannot be converted"),
        ("a.md", b"\xff\xfe", "not UTF-8"),
        ("a.md", b" \n", "is empty"),
        ("missing.md", None, "cannot be read: No such file"),
    ],
)
def test_a_document_that_cannot_be_read(
    tmp_path: Path, name: str, data: bytes | None, words: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=words):
        read_document(tmp_path / name)


def test_a_leaf_that_is_too_large_is_refused() -> None:
    pair = QuestionAnswer("q?", "a" * 300_000)
    leaf = NewLeaf("freeform", "x", "me", "t", seeds=(NewSeed("", (pair,)),))
    with pytest.raises(GraftError, match="larger than 256 kB"):
        leaf_files(leaf)
