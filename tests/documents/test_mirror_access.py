"""The way to a repository: redirects, addresses, logins, authorities, proxies, ssh, settings of others."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pipelines.documents.library import Library
from pipelines.errors import DocumentError
from pipelines.policy import DocumentPolicy
from pipelines.records import DocumentRef
from tests.documents.conftest import policy
from tests.documents.fetching import failing, ref
from tests.support.git_server import Certificates, GitServer, git_server, proxy_server
from tests.support.repositories import TIDES, Repo

ROOT = Path(__file__).parents[2]


def test_redirects_are_followed_to_permitted_places_only(
    server: GitServer, docs: Repo, tmp_path: Path
) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    server.redirects["/moved"] = server.url("docs/.git")
    library = Library(tmp_path / "cache", policy(server))
    assert library.files(ref(server, commit, repo="moved")) == {"a.md": TIDES.encode()}
    with git_server(docs.path.parent) as inside:
        server.redirects["/inside"] = inside.url("docs/.git")
        server.redirects["/meta"] = "http://169.254.169.254/latest"
        server.redirects["/file"] = "file:///etc"
        server.redirects["/round"] = server.url("round")
        server.redirects["/login"] = f"http://ada:hunter2@{server.host}/docs/.git"
        failing(library, ref(server, commit, repo="inside"), "not a public one")
        assert inside.requests == []
    failing(library, ref(server, commit, repo="meta"), r"169\.254\.169\.254")
    failing(library, ref(server, commit, repo="file"), "may not begin with file")
    failing(library, ref(server, commit, repo="round"), "again and again")
    error = failing(library, ref(server, commit, repo="login"), "user name or a password")
    assert "hunter2" not in str(error)


def test_a_host_is_pinned_to_the_address_that_was_checked(
    server: GitServer, docs: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that only our own look-up knows: Git reaches it, so Git did not look it up again."""
    commit = docs.write("a.md", TIDES).commit("One")
    host = f"rebound.invalid:{server.port}"
    answer = [(2, 1, 6, "", ("127.0.0.1", server.port))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answer)
    library = Library(tmp_path / "cache", policy(server, allow_hosts=(host,)))
    wanted = DocumentRef(f"http://{host}/docs/.git", commit, ("*.md",))
    assert library.files(wanted) == {"a.md": TIDES.encode()}


def test_a_login_comes_from_a_credential_helper(
    server: GitServer, docs: Repo, tmp_path: Path
) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    server.login = "ada:hunter2"
    failing(Library(tmp_path / "none", policy(server)), ref(server, commit), "asks for a login")
    helper = tmp_path / "helper"
    helper.write_text("#!/bin/sh\necho username=ada\necho password=hunter2\n")
    helper.chmod(0o755)
    (tmp_path / "gitconfig").write_text(f'[credential]\n\thelper = "{helper}"\n')
    library = Library(tmp_path / "cache", policy(server))
    assert library.files(ref(server, commit)) == {"a.md": TIDES.encode()}
    kept = [path.read_bytes() for path in library.cache.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in data for data in kept)
    helper.write_text("#!/bin/sh\necho username=ada\necho password=wrong-secret\n")
    error = failing(Library(tmp_path / "wrong", policy(server)), ref(server, commit), "a login")
    assert "wrong-secret" not in str(error)


def test_a_login_that_settings_put_into_the_address_is_not_told(
    server: GitServer, docs: Repo, tmp_path: Path
) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    server.login = "ada:right"
    rewritten = f"http://ada:hunter2@{server.host}/"
    (tmp_path / "gitconfig").write_text(
        f'[url "{rewritten}"]\n\tinsteadOf = http://{server.host}/\n'
    )
    error = failing(Library(tmp_path / "cache", policy(server)), ref(server, commit), "a login")
    assert "hunter2" not in str(error)
    server.login = "ada:hunter2"
    assert Library(tmp_path / "cache", policy(server)).files(ref(server, commit))


@pytest.mark.parametrize("how", ["variable", "setting"])
def test_a_private_authority(
    secure: GitServer,
    docs: Repo,
    certs: Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    secure.login = "ada:hunter2"
    failing(Library(tmp_path / "no", policy(secure)), ref(secure, commit), "does not trust")
    assert secure.requests == []
    store = tmp_path / "credentials"
    store.write_text(f"https://ada:hunter2@{secure.host}\n")
    settings = f"[credential]\n\thelper = store --file={store}\n"
    if how == "variable":
        monkeypatch.setenv("GIT_SSL_CAINFO", str(certs.authority))
    else:
        settings += f"[http]\n\tsslCAInfo = {certs.authority}\n"
    (tmp_path / "gitconfig").write_text(settings)
    library = Library(tmp_path / "cache", policy(secure, schemes=("https",)))
    assert library.files(ref(secure, commit)) == {"a.md": TIDES.encode()}


def test_a_proxy_is_used(
    secure: GitServer,
    docs: Repo,
    certs: Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit = docs.write("a.md", TIDES).commit("One")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certs.authority))
    with proxy_server() as (address, asked):
        monkeypatch.setenv("https_proxy", address)
        library = Library(tmp_path / "cache", policy(secure))
        assert library.files(ref(secure, commit)) == {"a.md": TIDES.encode()}
    assert set(asked) == {secure.host}


def test_ssh_goes_by_the_command_that_is_set(
    docs: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for ssh that runs on this machine what the server would run: Git's own protocol."""
    commit = docs.write("a.md", TIDES).commit("One")
    ssh = tmp_path / "ssh"
    ssh.write_text(
        f'#!/bin/sh\necho "$@" >> {shlex.quote(str(tmp_path / "said"))}\n'
        'for last; do :; done\nexec sh -c "$last"\n'
    )
    ssh.chmod(0o755)
    allowed = DocumentPolicy(schemes=("ssh",), allow_hosts=("git.invalid",))
    wanted = DocumentRef(f"ssh://git@git.invalid{docs.path}", commit, ("*.md",))
    monkeypatch.setenv("GIT_SSH_COMMAND", "false")
    with pytest.raises(DocumentError, match="Git cannot fetch"):
        Library(tmp_path / "cache", allowed).files(wanted)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    assert Library(tmp_path / "cache", allowed).files(wanted) == {"a.md": TIDES.encode()}
    assert "git@git.invalid" in (tmp_path / "said").read_text()


def test_settings_of_a_calling_git_do_not_lead_astray(
    server: GitServer, docs: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git runs hooks with these set; and a trace would write a login to standard error."""
    commit = docs.write("a.md", TIDES).commit("One")
    other = Repo(tmp_path / "other")
    other.write("a.md", "other").commit("Other")
    for name, value in {
        "GIT_DIR": str(other.path / ".git"),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"),
        "GIT_TRACE_CURL": "1",
        "LC_ALL": "de_DE.UTF-8",
    }.items():
        monkeypatch.setenv(name, value)
    library = Library(tmp_path / "cache", policy(server))
    assert library.files(ref(server, commit)) == {"a.md": TIDES.encode()}
    assert not (tmp_path / "objects").exists()
