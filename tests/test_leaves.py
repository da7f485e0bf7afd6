"""Leaves: what is read, what the hashes follow and what they ignore, and errors with a place."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import GraftError, LeafError
from pipelines.leaves import (
    WorkTree,
    document_text,
    leaf_from_json,
    leaf_paths,
    leaf_to_json,
    match_documents,
    normalise_newlines,
    read_leaf,
    read_leaves,
)
from pipelines.records import Attribution, DocumentRef, Leaf
from tests.check.builders import (
    ATTRIBUTION,
    KNOWLEDGE,
    SKILL,
    knowledge,
    skill,
    write,
    write_knowledge,
    write_skill,
)


def read_skill(root: Path, content: str | bytes) -> Leaf:
    write_skill(root, content)
    return read_leaf(WorkTree(root), SKILL)


def read_knowledge(root: Path, content: str | bytes | None = None) -> Leaf:
    write_knowledge(root, content)
    return read_leaf(WorkTree(root), KNOWLEDGE)


def short_hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_a_skill(tmp_path: Path) -> None:
    leaf = read_skill(tmp_path, skill())
    assert (leaf.path, leaf.kind, leaf.version) == (SKILL, "freeform_skill", 3)
    assert (leaf.task_description, leaf.domain, leaf.document) == ("Rhyme.", "", None)
    assert leaf.attribution == (Attribution("Rhymes", "-", "", "CC0-1.0", "Ada"),)
    seed = leaf.seeds[1]
    assert seed.id == short_hash(["", "What rhymes with 1?"])
    assert seed.answer_hash == short_hash([["What rhymes with 1?", "Word 1."]])
    assert (seed.line, seed.pairs[0].line, len(leaf.seeds)) == (7, 7, 5)


def test_one_context_makes_a_skill_grounded(tmp_path: Path) -> None:
    leaf = read_skill(tmp_path, skill(extra="    context: |\n      It is so.\n"))
    assert leaf.kind == "grounded_skill"
    assert leaf.seeds[4].context == "It is so."
    assert leaf.seeds[4].id == short_hash(["It is so.", "What rhymes with 4?"])


def test_knowledge(tmp_path: Path) -> None:
    leaf = read_knowledge(tmp_path)
    assert (leaf.kind, leaf.domain, leaf.outline) == ("knowledge", "geography", "The river.")
    assert leaf.document == DocumentRef(".", "HEAD", ("*.md",))
    assert [found.path for found in leaf.documents] == [f"{KNOWLEDGE}/danube.md"]
    assert leaf.documents[0].sha256 == hashlib.sha256(b"# The Danube\n\nIt flows.\n").hexdigest()
    assert leaf.seeds[2].id == short_hash(["Fact 2 of the river."])
    assert [pair.answer for pair in leaf.seeds[2].pairs] == ["It is 0.", "It is 1.", "It is 2."]


@pytest.mark.parametrize("version", [None, 1, 2, 3])
def test_skills_of_all_versions(tmp_path: Path, version: int | None) -> None:
    assert read_skill(tmp_path, skill(version)).version == (version or 1)


@pytest.mark.parametrize("version", [1, 2])
def test_old_knowledge_is_one_error(tmp_path: Path, version: int) -> None:
    with pytest.raises(LeafError) as caught:
        read_knowledge(tmp_path, knowledge(version))
    assert (caught.value.line, caught.value.column) == (1, 10)


def test_formatting_and_names_leave_the_content_hash(tmp_path: Path) -> None:
    first = read_skill(tmp_path, skill())
    others = [
        skill().replace("ada", "eve"),
        skill(2),
        "# a comment\n" + skill().replace("\n", "\r\n"),
        skill().replace("Word 1.", '"Word 1. "'),
    ]
    for other in others:
        again = read_skill(tmp_path, other)
        assert again.content_hash == first.content_hash
        assert [seed.id for seed in again.seeds] == [seed.id for seed in first.seeds]
    write(tmp_path, f"{SKILL}/attribution.txt", ATTRIBUTION.replace("Ada", "Eve"))
    assert read_leaf(WorkTree(tmp_path), SKILL).content_hash == first.content_hash


def test_the_order_of_seeds_and_the_path_leave_the_content_hash(tmp_path: Path) -> None:
    lines = skill().splitlines(keepends=True)
    turned = "".join([*lines[:4], *lines[6:], *lines[4:6]])
    first = read_skill(tmp_path, skill())
    assert read_skill(tmp_path, turned).content_hash == first.content_hash
    write_skill(tmp_path, path="foundational_skills/moved")
    moved = read_leaf(WorkTree(tmp_path), "foundational_skills/moved")
    assert moved.content_hash == first.content_hash
    first_knowledge = read_knowledge(tmp_path)
    write_knowledge(tmp_path, path="knowledge/moved")
    moved = read_leaf(WorkTree(tmp_path), "knowledge/moved")
    assert moved.content_hash == first_knowledge.content_hash


@pytest.mark.parametrize("part", ["Rhyme.", "What rhymes with 3?", "Word 4."])
def test_meaning_changes_the_content_hash(tmp_path: Path, part: str) -> None:
    first = read_skill(tmp_path, skill())
    assert read_skill(tmp_path, skill().replace(part, "Else")).content_hash != first.content_hash


def test_an_edited_answer_keeps_the_seed_and_changes_its_answer_hash(tmp_path: Path) -> None:
    first = read_skill(tmp_path, skill()).seeds[3]
    second = read_skill(tmp_path, skill().replace("Word 3.", "Else.")).seeds[3]
    assert second.id == first.id
    assert second.answer_hash != first.answer_hash


@pytest.mark.parametrize("part", ["geography", "The river.", "Fact 1", "It is 2.", "*.md"])
def test_meaning_changes_the_hash_of_knowledge(tmp_path: Path, part: str) -> None:
    first = read_knowledge(tmp_path)
    changed = read_knowledge(
        tmp_path, knowledge().replace(part, part.replace(".", "?.")[:-1] + "*")
    )
    assert changed.content_hash != first.content_hash


def test_a_documents_text_counts_and_its_newlines_do_not(tmp_path: Path) -> None:
    first = read_knowledge(tmp_path)
    write(tmp_path, f"{KNOWLEDGE}/danube.md", "\ufeff# The Danube\r\n\r\nIt flows.\r\n")
    assert read_leaf(WorkTree(tmp_path), KNOWLEDGE).content_hash == first.content_hash
    write(tmp_path, f"{KNOWLEDGE}/danube.md", "# The Danube\n\nIt stands.\n")
    assert read_leaf(WorkTree(tmp_path), KNOWLEDGE).content_hash != first.content_hash


def test_the_commit_counts_only_for_documents_elsewhere(tmp_path: Path) -> None:
    here = [knowledge().replace("HEAD", commit) for commit in ("HEAD", "a" * 40)]
    assert len({read_knowledge(tmp_path, content).content_hash for content in here}) == 1
    away = [content.replace('"."', "https://example.org/x") for content in here]
    leaves = [read_knowledge(tmp_path, content) for content in away]
    assert len({leaf.content_hash for leaf in leaves}) == 2
    assert leaves[0].documents == ()


def test_unicode_forms_are_one(tmp_path: Path) -> None:
    first = read_skill(tmp_path, skill().replace("Rhyme.", "caf\u00e9"))
    second = read_skill(tmp_path, skill().replace("Rhyme.", "cafe\u0301"))
    assert first == second
    write_skill(tmp_path, path="compositional_skills/cafe\u0301")
    assert "compositional_skills/caf\u00e9" in read_leaves(WorkTree(tmp_path))


def test_two_folders_of_one_name_in_two_forms(tmp_path: Path) -> None:
    write_skill(tmp_path, path="compositional_skills/cafe\u0301")
    write_skill(tmp_path, path="compositional_skills/caf\u00e9")
    with pytest.raises(LeafError, match="Unicode"):
        read_leaves(WorkTree(tmp_path))


def test_seeds_of_one_id_are_one_seed(tmp_path: Path) -> None:
    extra = "  - question: What rhymes with 0?\n    answer: Another.\n"
    leaf = read_skill(tmp_path, skill(extra=extra))
    assert [pair.answer for pair in leaf.seeds[0].pairs] == ["Word 0.", "Another."]
    assert len(leaf.seeds) == len({seed.id for seed in leaf.seeds}) == 5


def test_json_round_trip(tmp_path: Path) -> None:
    for leaf in (read_skill(tmp_path, skill()), read_knowledge(tmp_path)):
        assert leaf_from_json(json.loads(json.dumps(leaf_to_json(leaf)))) == leaf
    with pytest.raises(TypeError):
        leaf_from_json({**leaf_to_json(leaf), "surplus": 1})


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        (skill().replace("answer: Word 1.", "answer: 42"), 8, 13),
        (skill().replace("    answer: Word 1.\n", ""), 7, 5),
        (skill().replace("created_by: ada\n", ""), 1, 1),
        (skill().replace("version: 3", "version: 7"), 1, 10),
        (skill() + "created_by: eve\n", 15, 1),
        ("version: 3\nseed_examples: {}\n", 2, 16),
        ("a: b: c\n", 1, 5),
        ("[]\n", 1, 1),
    ],
)
def test_a_broken_leaf_is_one_error_with_its_place(
    tmp_path: Path, content: str, line: int, column: int
) -> None:
    with pytest.raises(LeafError) as caught:
        read_skill(tmp_path, content)
    assert (caught.value.path, caught.value.line) == (f"{SKILL}/qna.yaml", line)
    assert caught.value.column == column
    assert str(caught.value).startswith(f"{SKILL}/qna.yaml:{line}:{column}: ")


def test_a_leaf_without_its_document(tmp_path: Path) -> None:
    with pytest.raises(LeafError, match=r"rhine\.md"):
        read_knowledge(tmp_path, knowledge().replace("*.md", "rhine.md"))


def test_a_leaf_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LeafError, match="cannot be read"):
        read_leaf(WorkTree(tmp_path), SKILL)


def test_no_taxonomy(tmp_path: Path) -> None:
    with pytest.raises(GraftError, match="--taxonomy"):
        WorkTree(tmp_path / "none")


def test_the_work_tree_sees_neither_symlinks_nor_hidden_folders(tmp_path: Path) -> None:
    root = tmp_path / "taxonomy"
    write_skill(root)
    write_skill(root, path="knowledge/.git/x")
    secret = write(tmp_path, "outside/secret.md", "secret")
    (root / "knowledge/link.md").symlink_to(secret)
    (root / "knowledge/folder").symlink_to(secret.parent)
    tree = WorkTree(root)
    assert list(tree.files()) == [f"{SKILL}/attribution.txt", f"{SKILL}/qna.yaml"]
    assert list(tree.files("knowledge/folder")) == list(tree.files("nowhere")) == []
    assert leaf_paths(tree) == [SKILL]
    for path in (
        "knowledge/link.md",
        "knowledge/folder/secret.md",
        "../outside/secret.md",
        str(secret),
        "knowledge",
        "knowledge/.git/x/qna.yaml",
        "nothing",
    ):
        with pytest.raises(FileNotFoundError):
            tree.read(path)


def test_leaves_lie_below_the_three_roots(tmp_path: Path) -> None:
    write_skill(tmp_path)
    write_skill(tmp_path, path="elsewhere/x")
    write_knowledge(tmp_path)
    assert list(read_leaves(WorkTree(tmp_path))) == [SKILL, KNOWLEDGE]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.md", ["a.md"]),
        ("./a.md", ["a.md"]),
        ("*/*.md", ["sub/b.md"]),
        ("**/*.md", ["a.md", "sub/b.md", "sub/deep/c.md"]),
        ("sub/**", ["sub/b.md", "sub/deep/c.md"]),
        ("?.md", ["a.md"]),
        ("[ab].md", ["a.md"]),
        ("A.md", []),
        (".hidden.md", [".hidden.md"]),
        ("../*/a.md", []),
        ("/knowledge/x/a.md", []),
        ("**/" * 40 + "z", []),
    ],
)
def test_patterns(pattern: str, expected: list[str]) -> None:
    names = ["qna.yaml", "attribution.txt", "a.md", ".hidden.md", "sub/b.md", "sub/deep/c.md"]
    files = [f"knowledge/x/{name}" for name in names] + ["knowledge/xy/a.md"]
    assert match_documents(files, "knowledge/x", pattern) == [f"knowledge/x/{n}" for n in expected]


def test_newlines_and_documents(tmp_path: Path) -> None:
    assert normalise_newlines(b"\xef\xbb\xbfa\r\nb\rc\n") == "a\nb\nc\n"
    write(tmp_path, "knowledge/x.md", b"a\r\nb")
    write(tmp_path, "knowledge/y.pdf", b"%PDF\xff")
    tree = WorkTree(tmp_path)
    assert document_text(tree, "knowledge/x.md") == "a\nb"
    for path in ("knowledge/y.pdf", "knowledge/none.md"):
        with pytest.raises(LeafError):
            document_text(tree, path)


def test_a_bad_attribution_does_not_stop_the_reader(tmp_path: Path) -> None:
    leaf = read_skill(tmp_path, skill())
    for content in (b"\xff", b""):
        write(tmp_path, f"{SKILL}/attribution.txt", content)
        assert read_leaf(WorkTree(tmp_path), SKILL) == replace(leaf, attribution=())
    (tmp_path / SKILL / "attribution.txt").unlink()
    assert read_leaf(WorkTree(tmp_path), SKILL).attribution == ()
