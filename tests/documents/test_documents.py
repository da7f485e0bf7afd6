"""Documents of a leaf: beside it, elsewhere, in every format, and what is said of those not to be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.documents import Document, documents
from pipelines.errors import DocumentError, LeafError
from pipelines.leaves import WorkTree, read_leaf
from tests.support.repositories import TIDES, knowledge_leaf, skill_leaf

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
