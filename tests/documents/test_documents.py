"""Documents of a leaf: beside it, elsewhere, in every format, and what is said of those not to be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.documents import Document, Library, documents
from pipelines.errors import DocumentError, LeafError
from pipelines.leaves import WorkTree, read_leaf
from tests.documents.conftest import policy
from tests.support.formats import pdf
from tests.support.git_server import GitServer
from tests.support.repositories import TIDES, Repo, knowledge_leaf, skill_leaf

PATH = "knowledge/science/tides"


def test_documents_are_read_with_title_and_lf(tmp_path: Path) -> None:
    folder = knowledge_leaf(tmp_path, PATH)
    (folder / "document.md").write_bytes(TIDES.replace("\n", "\r\n").encode("utf-8-sig"))
    (folder / "b.md").write_text("No heading.\n\n## Only a small one\n", encoding="utf-8")
    tree = WorkTree(tmp_path)
    assert documents(tree, read_leaf(tree, PATH)) == [
        Document(f"{PATH}/b.md", "No heading.\n\n## Only a small one\n", "b"),
        Document(f"{PATH}/document.md", TIDES, "Tides"),
    ]


def test_a_skill_has_no_documents(tmp_path: Path) -> None:
    skill_leaf(tmp_path, "compositional_skills/a")
    tree = WorkTree(tmp_path)
    assert documents(tree, read_leaf(tree, "compositional_skills/a")) == []


def test_documents_elsewhere_need_a_library(tmp_path: Path) -> None:
    qna = knowledge_leaf(tmp_path, PATH) / "qna.yaml"
    remote = qna.read_text().replace("repo: .", "repo: https://example.org/docs.git")
    qna.write_text(remote.replace("commit: HEAD", f"commit: {'a' * 40}"))
    tree = WorkTree(tmp_path)
    with pytest.raises(DocumentError, match="in another repository") as caught:
        documents(tree, read_leaf(tree, PATH))
    assert PATH in str(caught.value)


def test_a_document_that_went_away(tmp_path: Path) -> None:
    folder = knowledge_leaf(tmp_path, PATH)
    tree = WorkTree(tmp_path)
    leaf = read_leaf(tree, PATH)
    (folder / "document.md").unlink()
    with pytest.raises(LeafError, match=r"document\.md"):
        documents(tree, leaf)


def test_a_name_in_another_unicode_form_is_found(tmp_path: Path) -> None:
    folder = knowledge_leaf(tmp_path, PATH)
    (folder / "document.md").rename(folder / "re\u0301sume\u0301.md")
    tree = WorkTree(tmp_path)
    (found,) = documents(tree, read_leaf(tree, PATH))
    assert (found.path, found.text) == (f"{PATH}/r\u00e9sum\u00e9.md", TIDES)


def test_the_title_is_the_first_heading_of_level_one(tmp_path: Path) -> None:
    content = "## Before\n\n```\n# not a heading\n```\n\n# The title #\n\n# Another\n"
    knowledge_leaf(tmp_path, PATH, document=content)
    tree = WorkTree(tmp_path)
    assert documents(tree, read_leaf(tree, PATH))[0].title == "The title"


def elsewhere(folder: Path, url: str, commit: str, pattern: str = "*.md") -> None:
    """Point a leaf of the builders to documents in another repository."""
    qna = folder / "qna.yaml"
    text = qna.read_text().replace("repo: .", f"repo: {url}")
    qna.write_text(
        text.replace("commit: HEAD", f"commit: '{commit}'").replace("'*.md'", f"'{pattern}'")
    )


def test_documents_elsewhere(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    docs.write("b.html", "<h1>Bays</h1><p>Fundy.</p>").write("a.md", TIDES)
    commit = docs.commit("One")
    elsewhere(knowledge_leaf(tmp_path / "t", PATH), server.url("docs/.git"), commit, "*.*")
    tree = WorkTree(tmp_path / "t")
    library = Library(tmp_path / "cache", policy(server))
    start = f"{server.url('docs/.git')}@{commit}:"
    assert documents(tree, read_leaf(tree, PATH), library) == [
        Document(f"{start}a.md", TIDES, "Tides"),
        Document(f"{start}b.html", "# Bays\n\nFundy.\n", "Bays"),
    ]


def test_a_document_elsewhere_that_cannot_be_had_names_the_leaf(
    server: GitServer, tmp_path: Path
) -> None:
    elsewhere(knowledge_leaf(tmp_path / "t", PATH), server.url("gone"), "a" * 40)
    tree = WorkTree(tmp_path / "t")
    with pytest.raises(DocumentError, match=rf"^{PATH}/qna\.yaml:1:1: There is no repository"):
        documents(tree, read_leaf(tree, PATH), Library(tmp_path / "cache", policy(server)))


def test_documents_beside_a_leaf_in_other_formats(tmp_path: Path) -> None:
    folder = knowledge_leaf(tmp_path, PATH)
    (folder / "document.md").rename(folder / "x.pdf")
    (folder / "x.pdf").write_bytes(pdf([[(11, "The Moon pulls.")]]))
    qna = folder / "qna.yaml"
    qna.write_text(qna.read_text().replace("'*.md'", "'*.pdf'"))
    tree = WorkTree(tmp_path)
    leaf = read_leaf(tree, PATH)
    assert documents(tree, leaf) == [Document(f"{PATH}/x.pdf", "The Moon pulls.\n", "x")]
    (folder / "x.pdf").write_bytes(b"no pdf")
    with pytest.raises(DocumentError, match=rf"^{PATH}/x\.pdf:1:1: .*damaged"):
        documents(tree, leaf)
