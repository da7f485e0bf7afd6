"""Repositories on real Git servers: what is fetched, how often, and every way in which it fails."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.documents.library import Library
from pipelines.errors import GraftError
from tests.documents.conftest import policy
from tests.documents.fetching import failing, ref, sizes
from tests.support.git_server import GitServer, git_server
from tests.support.repositories import TIDES, Repo

ROOT = Path(__file__).parents[2]


def test_only_the_files_that_are_named_are_fetched(
    server: GitServer, docs: Repo, tmp_path: Path
) -> None:
    docs.write("a.md", "# Old\n").write("big.bin", os.urandom(2_000_000)).commit("One")
    docs.write("a.md", "# A\n").write("deep/er/b.md", "# B\n").write("deep/c.txt", "C")
    pinned = docs.commit("Two")
    docs.write("a.md", "# Newer\n").commit("Three")
    library = Library(tmp_path / "cache", policy(server))
    assert library.files(ref(server, pinned, "*.md", "deep/**/*.md")) == {
        "a.md": b"# A\n",
        "deep/er/b.md": b"# B\n",
    }
    assert sizes(library.cache) < 10_000
    assert library.files(ref(server, pinned, "deep/*.txt")) == {"deep/c.txt": b"C"}
    (mirror,) = (library.cache / "mirrors").glob("*.git")
    assert not (mirror / "hooks").exists()
    assert "127.0.0.1" not in (mirror / "config").read_text()


def test_a_commit_that_is_there_needs_no_server(docs: Repo, tmp_path: Path) -> None:
    pinned = docs.write("a.md", TIDES).commit("One")
    with git_server(docs.path.parent) as server:
        wanted, allowed = ref(server, pinned), policy(server)
        Library(tmp_path / "cache", allowed).files(wanted)
        asked = len(server.requests)
        Library(tmp_path / "cache", allowed).files(wanted)
        assert len(server.requests) == asked
    assert Library(tmp_path / "cache", allowed).files(wanted) == {"a.md": TIDES.encode()}


def test_one_mirror_for_all_commits(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    commits = [docs.write("a.md", f"# {n}\n").commit(str(n)) for n in range(3)]
    library = Library(tmp_path / "cache", policy(server))
    found = [library.files(ref(server, commit))["a.md"] for commit in commits]
    assert found == [b"# 0\n", b"# 1\n", b"# 2\n"]
    assert len(list((library.cache / "mirrors").glob("*.git"))) == 1


@pytest.mark.parametrize("form", ["oldest", "unfiltered", "plain"])
def test_servers_that_know_less(server: GitServer, docs: Repo, tmp_path: Path, form: str) -> None:
    """Protocol 0 gives no commit but the newest, others no filter, plain files nothing by name."""
    first = docs.write("a.md", "# A\n").write("b.bin", b"0" * 1000).commit("One")
    docs.write("a.md", "# B\n").commit("Two")
    server.protocol = {"oldest": 0, "unfiltered": 2, "plain": -1}[form]
    server.filters = form == "oldest"
    docs.git("update-server-info")
    library = Library(tmp_path / "cache", policy(server))
    assert library.files(ref(server, first)) == {"a.md": b"# A\n"}
    asked = len(server.requests)
    assert library.files(ref(server, first, "b.bin")) == {"b.bin": b"0" * 1000}
    assert len(server.requests) == asked


def test_links_submodules_and_odd_names_are_not_there(
    server: GitServer, docs: Repo, tmp_path: Path
) -> None:
    docs.write("real.md", "# Real\n").write("secret.txt", "s")
    (docs.path / "link.md").symlink_to("/etc/passwd")
    (docs.path / "up.md").symlink_to("../../secret.txt")
    docs.commit("One")
    docs.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module.md")
    docs.git("commit", "--quiet", "-m", "Two")
    commit = docs.git("rev-parse", "HEAD")
    library = Library(tmp_path / "cache", policy(server))
    assert library.files(ref(server, commit)) == {"real.md": b"# Real\n"}
    for pattern in ("link.md", "../secret.txt", "/etc/passwd", "module.md"):
        failing(library, ref(server, commit, pattern), "No file of the repository", "patterns")


def test_a_tree_with_hostile_names(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    """`..` as a folder's name can be written with plumbing; nothing is ever written to a disk."""
    blob = docs.write("x", "evil\n").git("hash-object", "-w", "x")
    docs.commit("One")
    inner = make_tree(docs, f"100644 blob {blob}\tescaped.md")
    outer = make_tree(docs, f"040000 tree {inner}\t..")
    commit = docs.git("commit-tree", outer, "-m", "Hostile")
    docs.git("update-ref", "refs/heads/hostile", commit)
    library = Library(tmp_path / "cache", policy(server))
    failing(library, ref(server, commit, "../escaped.md"), "No file", "patterns")
    assert list(tmp_path.rglob("escaped.md")) == []


def make_tree(repo: Repo, line: str) -> str:
    made = subprocess.run(
        ["git", "mktree"],
        cwd=repo.path,
        input=f"{line}\n",
        text=True,
        capture_output=True,
        check=True,
    )
    return made.stdout.strip()


def test_a_pattern_that_matches_nothing(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    library = Library(tmp_path / "cache", policy(server))
    error = failing(library, ref(server, commit, "*.md", "b/*.md"), "matches `b/", "patterns")
    assert error.hint
    assert "a.md" in library.files(ref(server, commit))


def test_a_repository_that_is_gone(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    library = Library(tmp_path / "cache", policy(server))
    failing(library, ref(server, commit, repo="gone"), "There is no repository")
    asked = len(server.requests)
    failing(library, ref(server, commit, "other.md", repo="gone"), "There is no repository")
    assert len(server.requests) == asked


def test_a_server_that_is_gone(docs: Repo, tmp_path: Path) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    with git_server(docs.path.parent) as server:
        wanted, allowed = ref(server, commit), policy(server)
    failing(Library(tmp_path / "cache", allowed), wanted, "cannot be reached")


def test_a_commit_that_is_not_there(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    docs.write("a.md", TIDES).commit("One")
    library = Library(tmp_path / "cache", policy(server))
    failing(library, ref(server, "a" * 40), "has no commit aaaaaaaaaaaa", "commit")
    failing(library, ref(server, "HEAD"), "not a full SHA", "commit")
    failing(library, ref(server, "--upload-pack=touch"), "not a full SHA", "commit")
    tree = docs.git("rev-parse", "HEAD^{tree}")
    failing(library, ref(server, tree), "is a tree|has no commit", "commit")
    server.protocol = 0
    failing(library, ref(server, "b" * 40), "has no commit", "commit")


def test_a_server_that_hangs(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    server.hangs.set()
    library = Library(tmp_path / "cache", policy(server, seconds=1))
    failing(library, ref(server, commit), "did not answer within 1 seconds")
    assert not any(server.host.encode() in words for words in command_lines())


def command_lines() -> list[bytes]:
    """Of all processes; none where there is no /proc, or of one that ends just now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes())
    return found


@pytest.mark.parametrize("filters", [True, False])
def test_a_huge_file_stops_at_the_limit(
    server: GitServer, docs: Repo, tmp_path: Path, filters: bool
) -> None:
    commit = docs.write("a.md", os.urandom(6_000_000)).write("b.md", TIDES).commit("One")
    server.filters = filters
    library = Library(tmp_path / "cache", policy(server, max_megabytes=1))
    failing(library, ref(server, commit, "a.md"), "sent more than 1 MB", "patterns")
    if filters:
        assert library.files(ref(server, commit, "b.md")) == {"b.md": TIDES.encode()}


def test_a_file_that_is_small_only_while_packed(
    server: GitServer, docs: Repo, tmp_path: Path
) -> None:
    commit = docs.write("a.md", b"a" * 30_000_000).commit("One")
    library = Library(tmp_path / "cache", policy(server, max_megabytes=1))
    failing(library, ref(server, commit), r"`a\.md` alone has 30\.0 MB", "patterns")


PROGRAM = """
import sys
from pathlib import Path
from pipelines.documents.library import Library
from pipelines.policy import DocumentPolicy
from pipelines.records import DocumentRef
cache, host, url, commit = sys.argv[1:]
policy = DocumentPolicy(schemes=("http",), allow_hosts=(host,), seconds=60)
print(Library(Path(cache), policy).files(DocumentRef(url, commit, ("*.md",)))["a.md"].decode(), end="")
"""


def started(cache: Path, server: GitServer, commit: str) -> subprocess.Popen[str]:
    words = [str(cache), server.host, server.url("docs/.git"), commit]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_at_once_fetch_once(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    Library(tmp_path / "alone", policy(server)).files(ref(server, commit))
    alone = server.fetches
    server.requests.clear()
    running = [started(tmp_path / "cache", server, commit) for _ in range(3)]
    assert [process.communicate()[0] for process in running] == [TIDES] * 3
    assert server.fetches == alone


def test_killed_in_mid_fetch(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    server.hangs.set()
    process = started(tmp_path / "cache", server, commit)
    while not server.requests:
        assert process.poll() is None
        time.sleep(0.01)
    assert [path.name for path in (tmp_path / "cache" / "mirrors").glob(".*")]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    server.hangs.clear()
    server.released.set()
    library = Library(tmp_path / "cache", policy(server))
    assert library.files(ref(server, commit)) == {"a.md": TIDES.encode()}
    assert list((tmp_path / "cache" / "mirrors").glob(".*")) == []


def test_a_damaged_pack_is_fetched_again(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    library = Library(tmp_path / "cache", policy(server))
    library.files(ref(server, commit))
    for pack in library.cache.rglob("*.idx"):
        pack.chmod(0o644)
        pack.write_bytes(b"")
    assert library.files(ref(server, commit)) == {"a.md": TIDES.encode()}
    (mirror,) = (library.cache / "mirrors").glob("*.git")
    (mirror / "HEAD").unlink()
    error = failing(library, ref(server, commit), "is damaged")
    assert "Delete that folder" in error.hint


def test_a_cache_that_cannot_be_written(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(GraftError, match="cannot be written"):
        Library(tmp_path / "cache", policy(server)).files(ref(server, commit))


def test_a_repository_of_sha256(server: GitServer, tmp_path: Path) -> None:
    path = tmp_path / "served" / "longer"
    path.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(path)], check=True)
    commit = Repo(path).write("a.md", TIDES).commit("One")
    assert len(commit) == 64
    library = Library(tmp_path / "cache", policy(server))
    assert library.files(ref(server, commit, repo="longer/.git")) == {"a.md": TIDES.encode()}


def test_documents_that_moved_on(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    docs.write("a.md", TIDES).write("b.md", "# B\n")
    pinned = docs.commit("One")
    library = Library(tmp_path / "cache", policy(server))
    assert library.newer(ref(server, pinned)) is None
    docs.write("other.txt", "x").commit("Nothing of ours")
    assert Library(tmp_path / "cache", policy(server)).newer(ref(server, pinned)) is None
    head = docs.write("b.md", "# B, more\n").commit("Ours")
    library = Library(tmp_path / "cache", policy(server))
    assert library.newer(ref(server, pinned)) == (head, ("b.md",))
    assert library.newer(ref(server, pinned, "a.md")) is None
    docs.delete("b.md").commit("Gone")
    found = Library(tmp_path / "cache", policy(server)).newer(ref(server, pinned, "b.md"))
    assert found is not None
    assert found[1] == ("b.md",)
