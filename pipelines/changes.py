"""Two trees → ``ChangeSet``: what happened to each leaf, seed by seed, and what that invalidates.

In: the leaves of two trees by path, and the exam splits that were recorded for the older one. Out:
one ``Change`` for each leaf whose content or path differs; equal content hashes under one path give
none, whatever happened to formatting, ``created_by`` or attribution.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from pipelines import exam
from pipelines.records import (
    Change,
    ChangeSet,
    ExamSplit,
    Invalidates,
    Json,
    Leaf,
    SeedDifference,
    Status,
    as_json,
)


def diff(
    base: Mapping[str, Leaf],
    head: Mapping[str, Leaf],
    *,
    base_name: str,
    head_name: str,
    exams: Mapping[str, ExamSplit] | None = None,
) -> ChangeSet:
    """What turns ``base`` into ``head``, sorted by leaf.

    ``exams`` holds the recorded split of leaves by their path in ``base``; without a leaf's split
    each edit of it counts as one of its data. A leaf under another path is ``renamed`` where its
    content hash is the same, or where at least half of the seed ids agree.
    """
    splits = exams or {}
    gone = {path: leaf for path, leaf in base.items() if path not in head}
    new = {path: leaf for path, leaf in head.items() if path not in base}
    moved = _moved(gone, new)
    edited = (
        path
        for path in base.keys() & head.keys()
        if base[path].content_hash != head[path].content_hash
    )
    changes = [_between(base[path], head[path], splits.get(path)) for path in edited]
    changes += [_between(gone[old], new[path], splits.get(old)) for path, old in moved.items()]
    changes += [_whole(new[path], "added") for path in new.keys() - moved.keys()]
    changes += [_whole(gone[path], "deleted") for path in gone.keys() - set(moved.values())]
    changes.sort(key=lambda change: change.leaf)
    return ChangeSet(base=base_name, head=head_name, changes=tuple(changes))


def changeset_to_json(changes: ChangeSet) -> Json:
    """The shape of ``graft diff --format json``."""
    plain: Json = as_json(changes)
    return plain


def seed_difference(base: Leaf, head: Leaf) -> SeedDifference:
    """Seed ids that came, went, or kept their id with other answers, each sorted."""
    old = {seed.id: seed.answer_hash for seed in base.seeds}
    new = {seed.id: seed.answer_hash for seed in head.seeds}
    return SeedDifference(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(seed for seed in old.keys() & new.keys() if old[seed] != new[seed])),
    )


def _between(base: Leaf, head: Leaf, recorded: ExamSplit | None) -> Change:
    """The change of a leaf that is in both trees."""
    status: Status = "modified" if base.path == head.path else "renamed"
    seeds = seed_difference(base, head)
    return Change(
        leaf=head.path,
        kind=head.kind,
        status=status,
        previous_leaf=None if status == "modified" else base.path,
        seeds=seeds,
        invalidates=_invalidates(base, head, seeds, recorded),
    )


def _whole(leaf: Leaf, status: Status) -> Change:
    """The change of a leaf that is in one tree only."""
    ids = tuple(sorted({seed.id for seed in leaf.seeds}))
    seeds = SeedDifference(added=ids) if status == "added" else SeedDifference(removed=ids)
    return Change(leaf.path, leaf.kind, status, None, seeds, "data")


def _invalidates(
    base: Leaf, head: Leaf, seeds: SeedDifference, recorded: ExamSplit | None
) -> Invalidates:
    """``exam`` only where the shown side, its answers and all but the seeds stay as they were."""
    if base.content_hash == head.content_hash:
        return "nothing"
    if recorded is None or seeds == SeedDifference() or _frame(base) != _frame(head):
        return "data"
    shown = set(recorded.shown)
    shown_now = set(exam.split(head, recorded, base).shown)
    return "exam" if shown_now == shown and shown.isdisjoint(seeds.changed) else "data"


def _frame(leaf: Leaf) -> tuple[object, ...]:
    """A leaf's meaning without its seeds and its place."""
    texts = tuple(document.sha256 for document in leaf.documents)
    return leaf.kind, leaf.task_description, leaf.domain, leaf.outline, leaf.document, texts


def _moved(gone: Mapping[str, Leaf], new: Mapping[str, Leaf]) -> dict[str, str]:
    """New path → old path of the leaves that moved; each old leaf is given away once."""
    moved = _same_content(gone, new)
    taken = set(moved.values())
    left_gone = [leaf for path, leaf in sorted(gone.items()) if path not in taken]
    left_new = [leaf for path, leaf in sorted(new.items()) if path not in moved]
    for _, path, old in sorted(_alike(left_gone, left_new)):
        if path not in moved and old not in taken:
            moved[path] = old
            taken.add(old)
    return moved


def _same_content(gone: Mapping[str, Leaf], new: Mapping[str, Leaf]) -> dict[str, str]:
    """New path → old path where the content hash is the same; of several the same name first."""
    by_hash: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(gone):
        by_hash[gone[path].content_hash].append(path)
    moved: dict[str, str] = {}
    for same_name in (True, False):
        for path in sorted(new.keys() - moved.keys()):
            old = by_hash[new[path].content_hash]
            fitting = [place for place in old if not same_name or _name(place) == _name(path)]
            if fitting:
                moved[path] = fitting[0]
                old.remove(fitting[0])
    return moved


def _alike(gone: Iterable[Leaf], new: Iterable[Leaf]) -> list[tuple[float, str, str]]:
    """(− share of seed ids in common, new path, old path) where at least half of the ids agree."""
    holders: defaultdict[str, list[Leaf]] = defaultdict(list)
    for leaf in gone:
        for seed in {seed.id for seed in leaf.seeds}:
            holders[seed].append(leaf)
    found = []
    for leaf in new:
        ids = {seed.id for seed in leaf.seeds}
        common = Counter(old.path for seed in ids for old in holders.get(seed, ()))
        sizes = {
            old.path: len({seed.id for seed in old.seeds})
            for seed in ids
            for old in holders.get(seed, ())
        }
        for old_path, count in common.items():
            share = count / max(len(ids), sizes[old_path])
            if share >= 0.5:
                found.append((-share, leaf.path, old_path))
    return found


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
