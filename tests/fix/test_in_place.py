"""Whatever stops a fix, a file is the old one or the new one, and the next run finds a clean folder."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import GraftError
from pipelines.fix import Repairs, fix, write
from pipelines.fix.in_place import write_in_place
from pipelines.leaves import WorkTree
from tests.check.builders import SKILL, skill, write_skill
from tests.check.builders import write as write_file
from tests.support.flow import ROOT

FILE = f"{SKILL}/qna.yaml"
OLD = skill().replace("\n    ", "\n  ").replace("\n  - ", "   \n- ").encode()


def graft(*words: str, limit: int | None = None, deadly: bool = False) -> tuple[int, str, str]:
    """``graft fix`` in a process that can write no file above ``limit`` bytes, or dies of trying."""

    def restrict() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    program = "import signal, sys; from pipelines.cli import main; "
    program += "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); " if deadly else ""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}sys.exit(main(sys.argv[1:]))", "fix", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        preexec_fn=restrict,
    )
    return done.returncode, done.stdout, done.stderr


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def taxonomy(tmp_path: Path) -> Path:
    root = tmp_path / "taxonomy"
    write_skill(root, OLD)
    return root


def test_a_kill_at_any_step_leaves_the_old_file_or_the_new(taxonomy: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fix.killed", str(taxonomy), str(tmp_path / "killed")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    folders = sorted((tmp_path / "killed").iterdir(), key=lambda folder: int(folder.name))
    new = (folders[-1] / FILE).read_bytes()
    assert new != OLD
    found = [(folder / FILE).read_bytes() for folder in folders]
    # At some steps the old file stands, and from the renaming on the new one.
    assert found == [OLD] * found.count(OLD) + [new] * found.count(new)
    assert min(found.count(OLD), found.count(new)) >= 2
    left = [folder for folder in folders if len(files(folder)) > 2]
    assert left, "no kill fell between making the new file and renaming it"
    for folder in left:
        tree = WorkTree(folder)
        assert not any(write(tree, found).failed for found in fix(tree, None, Repairs()))
        assert (folder / FILE).read_bytes() == new
        assert files(folder) == files(taxonomy)


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(taxonomy: Path) -> None:
    other = write_file(taxonomy, f"{SKILL}/attribution.txt", "Title of work: x  \n")
    code, out, err = graft("--taxonomy", str(taxonomy), limit=100)
    assert code == 1
    assert err.count("\n") == 1
    assert "The file cannot be written: File too large. It is as it was." in err
    assert (taxonomy / FILE).read_bytes() == OLD
    assert other.read_text() == "Title of work: x\n"  # small enough: the others go on
    assert out.endswith("2 files looked at: 1 changed, 1 with errors.\n")
    assert files(taxonomy) == [f"{SKILL}/attribution.txt", FILE]


def test_a_kill_while_writing_leaves_the_old_file(taxonomy: Path) -> None:
    code, _, _ = graft("--taxonomy", str(taxonomy), limit=100, deadly=True)
    assert code == -signal.SIGXFSZ
    assert (taxonomy / FILE).read_bytes() == OLD
    stale = [path for path in files(taxonomy) if ".graft-fix." in path]
    assert [(taxonomy / path).stat().st_size for path in stale] == [100]
    assert graft("--taxonomy", str(taxonomy))[0] == 0
    assert (taxonomy / FILE).read_bytes() != OLD
    assert len(files(taxonomy)) == 2


def test_the_mode_is_kept(tmp_path: Path) -> None:
    path = write_file(tmp_path, "qna.yaml", "old")
    for mode in (0o600, 0o644, 0o755):
        path.chmod(mode)
        write_in_place(path, path.read_bytes(), f"{mode}".encode())
        assert path.stat().st_mode & 0o7777 == mode
        assert path.read_bytes() == f"{mode}".encode()


def test_a_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = write_file(tmp_path, "qna.yaml", "what an editor has just saved")
    with pytest.raises(GraftError, match="changed meanwhile"):
        write_in_place(path, b"what was read", b"what is mended")
    assert path.read_bytes() == b"what an editor has just saved"
    assert files(tmp_path) == ["qna.yaml"]


def test_a_symlink_is_never_replaced_nor_followed(tmp_path: Path) -> None:
    target = write_file(tmp_path, "elsewhere", "old")
    link = tmp_path / "qna.yaml"
    link.symlink_to(target)
    with pytest.raises(GraftError, match="changed meanwhile"):
        write_in_place(link, b"old", b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"old"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_protected_file_or_folder_is_one_sentence(tmp_path: Path) -> None:
    path = write_file(tmp_path, "leaf/qna.yaml", "old")
    path.chmod(0o444)
    with pytest.raises(GraftError, match="write-protected"):
        write_in_place(path, b"old", b"new")
    path.chmod(0o644)
    path.parent.chmod(0o555)
    with pytest.raises(GraftError, match="cannot be written: Permission denied"):
        write_in_place(path, b"old", b"new")
    path.parent.chmod(0o755)
    assert path.read_bytes() == b"old"


def test_a_file_that_another_run_is_writing_is_not_cleared_away(tmp_path: Path) -> None:
    path = write_file(tmp_path, "qna.yaml", "old")
    mine = tmp_path / ".qna.yaml.graft-fix.living"
    program = (
        "import fcntl, sys; stream = open(sys.argv[1], 'w'); "
        "fcntl.flock(stream, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(mine)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        write_in_place(path, b"old", b"new")
        assert files(tmp_path) == [mine.name, "qna.yaml"]
    write_in_place(path, b"new", b"newer")
    assert files(tmp_path) == ["qna.yaml"]
