"""A Git server on loopback with one repository of documents, and a machine without settings of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.policy import DocumentPolicy
from tests.support.git_server import Certificates, GitServer, certificates, git_server
from tests.support.repositories import Repo


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings, logins and proxies of whoever runs the tests play no part."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "SSH_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def docs(tmp_path: Path) -> Repo:
    """A repository below the server's folder, which tests commit to."""
    return Repo(tmp_path / "served" / "docs")


@pytest.fixture
def server(docs: Repo) -> Iterator[GitServer]:
    with git_server(docs.path.parent) as running:
        yield running


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secure(docs: Repo, certs: Certificates) -> Iterator[GitServer]:
    """The same over HTTPS, with a certificate of a private authority."""
    with git_server(docs.path.parent, (certs.certificate, certs.key)) as running:
        yield running


def policy(server: GitServer, **values: object) -> DocumentPolicy:
    """One that permits this server on loopback."""
    given = {"schemes": ("http", "https"), "allow_hosts": (server.host,), "seconds": 300, **values}
    return DocumentPolicy(**given)  # type: ignore[arg-type]
