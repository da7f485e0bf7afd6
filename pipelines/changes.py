"""Two trees → ``ChangeSet``: what happened to each leaf, seed by seed, and what that invalidates.

In: the leaves of two trees by path, and the exam splits that were recorded for the older one. Out:
one ``Change`` for each leaf whose content or path differs; equal content hashes under one path give
none, whatever happened to formatting, ``created_by`` or attribution.
Leaves that are the same in both trees may be left out: ``compare`` never reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

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
from pipelines.renames import moved_leaves

# The split that was recorded for a leaf of the older tree; None where none was.
Recorded = Callable[[Leaf], ExamSplit | None]


def diff(
    base: Mapping[str, Leaf],
    head: Mapping[str, Leaf],
    *,
    base_name: str,
    head_name: str,
    exams: Recorded | None = None,
) -> ChangeSet:
    """What turns ``base`` into ``head``, sorted by leaf.

    Without a recorded split each edit of a leaf counts as one of its data. A leaf under another
    path is ``renamed`` where its content hash is the same, or where at least half of its seeds are
    the old ones or nearly so.
    """
    gone = {path: leaf for path, leaf in base.items() if path not in head}
    new = {path: leaf for path, leaf in head.items() if path not in base}
    moved = moved_leaves(gone, new)
    edited = (path for path in base.keys() & head.keys() if not same_meaning(base, head, path))
    changes = [_between(base[path], head[path], exams) for path in edited]
    changes += [_between(gone[old], new[path], exams) for path, old in moved.items()]
    changes += [_whole(new[path], "added") for path in new.keys() - moved.keys()]
    changes += [_whole(gone[path], "deleted") for path in gone.keys() - set(moved.values())]
    changes.sort(key=lambda change: change.leaf)
    return ChangeSet(base=base_name, head=head_name, changes=tuple(changes))


def with_idle(found: ChangeSet, base: Mapping[str, Leaf], head: Mapping[str, Leaf]) -> ChangeSet:
    """``found`` and, as changes that invalidate nothing, the leaves that mean the same in both."""
    idle = [
        _between(base[path], head[path], None)
        for path in base.keys() & head.keys()
        if same_meaning(base, head, path)
    ]
    changes = sorted([*found.changes, *idle], key=lambda change: change.leaf)
    return replace(found, changes=tuple(changes))


def same_meaning(base: Mapping[str, Leaf], head: Mapping[str, Leaf], path: str) -> bool:
    return base[path].content_hash == head[path].content_hash


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


def differences(base: Leaf, head: Leaf) -> list[str]:
    """What of a leaf differs beside its seeds and its path, in words; first what is taught.

    Where nothing that is taught differs, whatever else does: who wrote it, or how it is written.
    """
    found = [
        word
        for word, old, new in (
            ("kind", base.kind, head.kind),
            ("task description", base.task_description, head.task_description),
            ("domain", base.domain, head.domain),
            ("outline", base.outline, head.outline),
        )
        if old != new
    ]
    found += _document_differences(base, head)
    if found or base.content_hash != head.content_hash or base.path != head.path:
        return found
    about = (
        ("attribution", base.attribution, head.attribution),
        ("created_by", base.created_by, head.created_by),
        ("version", base.version, head.version),
    )
    return [word for word, old, new in about if old != new] or ["formatting"]


def _document_differences(base: Leaf, head: Leaf) -> list[str]:
    old, new = base.document, head.document
    if old is None or new is None:
        return []
    if old.repo != new.repo:
        return ["document repository"]
    found = []
    if old.commit != new.commit and new.repo != ".":
        found.append(f"document {old.commit[:12]} -> {new.commit[:12]}")
    if old.patterns != new.patterns:
        found.append("document patterns")
    elif [text.sha256 for text in base.documents] != [text.sha256 for text in head.documents]:
        found.append("document text")
    return found


def _between(base: Leaf, head: Leaf, exams: Recorded | None) -> Change:
    """The change of a leaf that is in both trees."""
    status: Status = "modified" if base.path == head.path else "renamed"
    seeds = seed_difference(base, head)
    return Change(
        leaf=head.path,
        kind=head.kind,
        status=status,
        previous_leaf=None if status == "modified" else base.path,
        seeds=seeds,
        invalidates=_invalidates(base, head, seeds, exams),
    )


def _whole(leaf: Leaf, status: Status) -> Change:
    """The change of a leaf that is in one tree only."""
    ids = tuple(sorted({seed.id for seed in leaf.seeds}))
    seeds = SeedDifference(added=ids) if status == "added" else SeedDifference(removed=ids)
    return Change(leaf.path, leaf.kind, status, None, seeds, "data")


def _invalidates(
    base: Leaf, head: Leaf, seeds: SeedDifference, exams: Recorded | None
) -> Invalidates:
    """``exam`` only where the shown side, its answers and all but the seeds stay as they were."""
    if base.content_hash == head.content_hash:
        return "nothing"
    if exams is None or seeds == SeedDifference() or _frame(base) != _frame(head):
        return "data"
    recorded = exams(base)  # asked last: the answer may lie in a long manifest
    if recorded is None:
        return "data"
    from pipelines import exam  # brings rapidfuzz, which most comparisons do without

    shown = set(recorded.shown)
    shown_now = set(exam.split(head, recorded, base).shown)
    return "exam" if shown_now == shown and shown.isdisjoint(seeds.changed) else "data"


def _frame(leaf: Leaf) -> tuple[object, ...]:
    """A leaf's meaning without its seeds and its place."""
    texts = tuple(document.sha256 for document in leaf.documents)
    return leaf.kind, leaf.task_description, leaf.domain, leaf.outline, leaf.document, texts
