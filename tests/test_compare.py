"""The pruned walk against the full comparison, on real repositories under random edits."""

from __future__ import annotations

import os
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.changes import changeset_to_json, diff
from pipelines.compare import Sides, differing
from pipelines.git import Repository, open_repository
from pipelines.leaves import WorkTree, read_leaves
from pipelines.records import ChangeSet, Tree
from tests.support.repositories import (
    KnowledgeSeed,
    Repo,
    knowledge_leaf,
    knowledge_seeds,
    skill_leaf,
    skill_seeds,
)

KNOWLEDGE = "knowledge/sea/tides"
SKILL = "compositional_skills/describe"
E_ACUTE = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


def in_full(base: Tree, head: Tree) -> ChangeSet:
    """The reference: every leaf of both trees is read."""
    return diff(read_leaves(base), read_leaves(head), base_name="base", head_name="head")


def told(sides: Sides) -> ChangeSet:
    assert sides.problems == ()
    return sides.changes("base", "head")


def outlined(found: ChangeSet) -> list[tuple[str, str]]:
    return [(change.status, change.leaf) for change in found.changes]


# --- random edits ----------------------------------------------------------------------------------

FOLDERS = [
    "knowledge/a",
    "knowledge/sea/tides",
    f"knowledge/{E_ACUTE}/menu",
    "knowledge/sea/deep/blue",
    "knowledge/a/inner",  # a leaf inside a leaf: an error for check, and yet to be compared rightly
    "compositional_skills/describe",
    "compositional_skills/sea/describe",
    "foundational_skills/b",
]


def write_leaf(taxonomy: Path, path: str, chance: random.Random) -> None:
    count = chance.randint(4, 8)
    if path.startswith("knowledge"):
        knowledge_leaf(taxonomy, path, seeds=knowledge_seeds(count), domain=chance.choice("xy"))
    else:
        skill_leaf(taxonomy, path, seeds=skill_seeds(count, grounded=chance.random() < 0.3))


def leaf_folders(taxonomy: Path) -> list[Path]:
    folders = sorted(file.parent for file in taxonomy.rglob("qna.yaml"))
    return [folder for folder in folders if not folder.name.startswith(".")]


def put(taxonomy: Path, chance: random.Random) -> None:
    write_leaf(taxonomy, chance.choice(FOLDERS), chance)


def remove(taxonomy: Path, chance: random.Random) -> None:
    for file in sorted(chance.choice(leaf_folders(taxonomy)).iterdir()):
        if file.is_file():
            file.unlink()


def move(taxonomy: Path, chance: random.Random) -> None:
    """A leaf, or the folder it lies in, under another name; sometimes edited on the way."""
    folder = chance.choice(leaf_folders(taxonomy))
    old = folder.parent if chance.random() < 0.3 and folder.parent.parent != taxonomy else folder
    new = old.with_name(f"moved_{chance.randint(0, 999)}")
    old.rename(new)
    if chance.random() < 0.5:
        edit(new, chance)


def edit(place: Path, chance: random.Random) -> None:
    """Other words in some file: seeds, document, attribution, a remark, a name."""
    files = [
        file for file in sorted(place.rglob("*")) if file.is_file() and ".git" not in file.parts
    ]
    file = chance.choice(files)
    text = file.read_bytes().decode()
    words = [("Answer", "Reply"), ("kept", "held"), ("ada", "bo"), ("Moon", "moon"), ("CC", "BY")]
    old, new = chance.choice(words)
    if old in text:
        file.write_bytes(text.replace(old, new, chance.randint(1, 3)).encode())
    elif file.suffix == ".yaml":
        file.write_bytes(b"# a remark\n" + file.read_bytes())
    else:
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))


def edit_any(taxonomy: Path, chance: random.Random) -> None:
    edit(taxonomy, chance)


def respell(taxonomy: Path, chance: random.Random) -> None:
    """The same name in the other Unicode form."""
    for form in ("NFC", "NFD"):
        folder = taxonomy / "knowledge" / unicodedata.normalize(form, E_ACUTE)
        if folder.is_dir():
            folder.rename(folder.with_name("between"))
            other = unicodedata.normalize("NFD" if form == "NFC" else "NFC", E_ACUTE)
            folder.with_name("between").rename(folder.with_name(other))
            return


def clutter(taxonomy: Path, chance: random.Random) -> None:
    """What is no leaf and never becomes one."""
    folder = chance.choice(leaf_folders(taxonomy))
    (folder / ".hidden").mkdir(exist_ok=True)
    (folder / ".hidden" / "qna.yaml").write_text("no leaf")
    (folder / "notes.txt").write_text(f"{chance.random()}")
    (folder / "sub").mkdir(exist_ok=True)
    (folder / "sub" / "more.md").write_text("A document that no pattern names.")
    (taxonomy.parent / "README.md").write_text(f"{chance.random()}")
    link = folder / "link.md"
    if not link.is_symlink():
        link.symlink_to("document.md")


EDITS: list[Callable[[Path, random.Random], None]] = [
    put,
    remove,
    move,
    edit_any,
    edit_any,
    edit_any,
    respell,
    clutter,
]


@pytest.mark.parametrize("prefix", ["", "taxonomy"])
@pytest.mark.parametrize("seed", range(6))
def test_the_pruned_walk_tells_what_the_full_comparison_tells(
    repo: Repo, prefix: str, seed: int
) -> None:
    chance = random.Random(f"{prefix}{seed}")
    taxonomy = repo.path / prefix if prefix else repo.path
    for path in chance.sample(FOLDERS, 5):
        write_leaf(taxonomy, path, chance)
    base = repo.commit("base")
    opened = open_repository(repo.path)
    for turn in range(3):
        for _ in range(chance.randint(1, 4)):
            if leaf_folders(taxonomy):
                chance.choice(EDITS)(taxonomy, chance)
        if turn == 1:
            repo.git("add", "--all")  # from here on the index differs from commit and work tree
    before = opened.tree(base, prefix)
    now = WorkTree(taxonomy)
    expected = in_full(before, now)
    work_tree = opened.work_tree(base, prefix, now)
    assert told(differing(before, work_tree)) == expected
    staged = told(differing(before, opened.index(base, prefix)))
    repo.git("commit", "--quiet", "--allow-empty", "-m", "the index")
    assert staged == in_full(before, opened.tree("HEAD", prefix))
    head = opened.tree(repo.commit("all"), prefix)
    assert told(differing(before, head)) == expected == in_full(before, head)
    assert told(differing(head, before)) == in_full(head, before)


# --- what is read ----------------------------------------------------------------------------------


class Counting:
    """A repository whose object store counts what is taken from it."""

    def __init__(self, repository: Repository) -> None:
        self.read = 0
        self._repository = repository
        self._object = repository._object
        repository._object = self._count  # type: ignore[method-assign]

    def _count(self, identity: bytes) -> bytes:
        self.read += 1
        return self._object(identity)


def test_only_what_differs_is_read(repo: Repo) -> None:
    for number in range(60):
        skill_leaf(repo.path, f"compositional_skills/area_{number // 10}/leaf_{number}")
    base = repo.commit("sixty")
    skill_leaf(repo.path, "compositional_skills/area_3/leaf_33", task="Another task")
    head = repo.commit("one")
    opened = open_repository(repo.path)
    counting = Counting(opened)
    found = told(differing(opened.tree(base, ""), opened.tree(head, "")))
    assert outlined(found) == [("modified", "compositional_skills/area_3/leaf_33")]
    # Per side: the root, compositional_skills, its area, the leaf, and qna.yaml.
    assert counting.read == 2 * 5


def test_an_untouched_work_tree_is_not_opened(repo: Repo) -> None:
    for number in range(5):
        skill_leaf(repo.path, f"compositional_skills/leaf_{number}")
    base = repo.commit("five")

    class Disk(WorkTree):
        def read(self, path: str) -> bytes:
            opened.append(path)
            return super().read(path)

    opened: list[str] = []
    skill_leaf(repo.path, "compositional_skills/leaf_3", task="Another task")
    repository = open_repository(repo.path)
    work_tree = repository.work_tree(base, "", Disk(repo.path))
    found = told(differing(repository.tree(base, ""), work_tree))
    assert outlined(found) == [("modified", "compositional_skills/leaf_3")]
    assert opened == ["compositional_skills/leaf_3/qna.yaml"]


# --- what cannot be read ---------------------------------------------------------------------------


def problems(sides: Sides) -> list[tuple[str, str, int]]:
    return [(found.side, found.error.path, found.error.line) for found in sides.problems]


def test_a_broken_leaf_is_one_problem_and_the_others_are_compared(repo: Repo) -> None:
    knowledge_leaf(repo.path, KNOWLEDGE)
    skill_leaf(repo.path, SKILL)
    base = repo.commit("sound")
    (repo.path / KNOWLEDGE / "qna.yaml").write_text("version: 3\ndomain: [\n")
    skill_leaf(repo.path, SKILL, task="Another task")
    head = repo.commit("broken")
    opened = open_repository(repo.path)
    before, after = opened.tree(base, ""), opened.tree(head, "")
    for sides, side in ((differing(before, after), "head"), (differing(after, before), "base")):
        assert problems(sides) == [(side, f"{KNOWLEDGE}/qna.yaml", 3)]
        assert outlined(sides.changes("base", "head")) == [("modified", SKILL)]
    (repo.path / KNOWLEDGE / "qna.yaml").write_text("version: 9\n")
    worse = opened.tree(repo.commit("broken otherwise"), "")
    assert problems(differing(after, worse)) == [("head", f"{KNOWLEDGE}/qna.yaml", 1)]


def test_a_leaf_that_is_there_in_two_spellings_is_a_problem(repo: Repo) -> None:
    for form in ("NFC", "NFD"):
        skill_leaf(repo.path, f"compositional_skills/{unicodedata.normalize(form, E_ACUTE)}")
        repo.commit(form)
    opened = open_repository(repo.path)
    one, two = opened.tree("HEAD~1", ""), opened.tree("HEAD", "")
    for sides, side in ((differing(one, two), "head"), (differing(two, one), "base")):
        assert [found.side for found in sides.problems] == [side]
        assert "different Unicode forms" in str(sides.problems[0].error)
        assert sides.changes("base", "head").changes == ()


def test_a_name_that_is_not_utf8_is_a_problem_of_its_own(repo: Repo) -> None:
    skill_leaf(repo.path, SKILL)
    base = repo.commit("sound")
    skill_leaf(repo.path, "compositional_skills/other")
    odd = os.fsencode(repo.path / "compositional_skills") + b"/caf\xe9"
    os.mkdir(odd)
    (repo.path / SKILL / "qna.yaml").rename(os.fsdecode(odd + b"/qna.yaml"))
    opened = open_repository(repo.path)
    before = opened.tree(base, "")
    work_tree = opened.work_tree(base, "", WorkTree(repo.path))
    after = opened.tree(repo.commit("odd"), "")
    for head in (work_tree, after):
        sides = differing(before, head)
        assert problems(sides) == [("head", "compositional_skills/caf\\xe9/qna.yaml", 1)]
        # It cannot be named, so that what became of the leaf is not known.
        assert outlined(sides.changes("base", "head")) == [
            ("deleted", SKILL),
            ("added", "compositional_skills/other"),
        ] or outlined(sides.changes("base", "head")) == [
            ("renamed", "compositional_skills/other"),
        ]


def test_a_tree_nested_deeper_than_pythons_stack_is_walked(repo: Repo) -> None:
    skill_leaf(repo.path, SKILL)
    base = repo.commit("sound")
    opened = open_repository(repo.path)
    raw = opened._repository
    blob = raw.create_blob(b"deep")
    name, entry, mode = "a", blob, 0o100644
    for _ in range(1500):
        builder = raw.TreeBuilder()
        builder.insert(name, entry, mode)
        entry, mode = builder.write(), 0o040000
    builder = raw.TreeBuilder(raw[base].tree)
    builder.insert("knowledge", entry, mode)
    signature = raw[base].author
    top = builder.write()
    head = raw.create_commit(None, signature, signature, "deep", top, [raw[base].id])
    after = opened.tree(str(head), "")
    assert told(differing(opened.tree(base, ""), after)).changes == ()
    assert len(list(after.files("knowledge"))) == 1


def nearly(seeds: list[KnowledgeSeed]) -> list[KnowledgeSeed]:
    """Every context edited a little, so that every id is another."""
    return [(context.replace("is kept", "is still kept"), pairs) for context, pairs in seeds]


def test_a_rename_with_every_context_edited_is_found(repo: Repo) -> None:
    knowledge_leaf(repo.path, KNOWLEDGE)
    knowledge_leaf(repo.path, "knowledge/other", seeds=knowledge_seeds(8)[5:])
    base = repo.commit("one")
    repo.move(KNOWLEDGE, "knowledge/ocean/tides").delete("knowledge/other")
    knowledge_leaf(repo.path, "knowledge/ocean/tides", seeds=nearly(knowledge_seeds()))
    head = repo.commit("moved")
    opened = open_repository(repo.path)
    found = told(differing(opened.tree(base, ""), opened.tree(head, "")))
    assert outlined(found) == [("renamed", "knowledge/ocean/tides"), ("deleted", "knowledge/other")]
    change = found.changes[0]
    assert change.previous_leaf == KNOWLEDGE
    assert [len(ids) for ids in changeset_to_json(found)["changes"][0]["seeds"].values()] == [
        5,
        5,
        0,
    ]
