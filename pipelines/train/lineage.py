"""Which release's weights a run continues, and what is then left to learn; pure.

In: the releases that stand on each other along ``continues`` (``release.manifest.lineage``), newest
first, and what is wanted. Out: the release to start from, and a ``Course`` from there. Ancestry is
``continues`` alone: what users had, ``previous``, decides nothing here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines.artifacts import digest
from pipelines.recipe import Recipe
from pipelines.records import BaseModel, Manifest, Retired


@dataclass(frozen=True, slots=True)
class Course:
    """What follows from a start.

    ``learn``: leaves whose rows the weights lack; ``corrected``: those among them whose older content
    they have seen; ``retired``: content that they (may) have seen and that is wanted no more;
    ``gone``: the part of it that ``start`` still taught.
    """

    learn: list[str]
    corrected: list[str]
    retired: tuple[Retired, ...]
    gone: int


def lineage_key(recipe: Recipe, base: BaseModel) -> str:
    """Another key means training from the bare base: weights of different shapes never mix.

    The base's revision is the digest of its files, tokenizer and chat template among them.
    """
    train = recipe.train
    shape = [train.rank, train.alpha, train.train_embeddings, train.targets]
    return digest([base.id, base.revision, shape])


def choose_start(
    chain: Sequence[Manifest], wanted: Collection[str], key: str, barred: Collection[str]
) -> Manifest | None:
    """The release whose weights a run continues; ``None`` where none may be.

    ``wanted`` and ``barred`` are content hashes. A release that has seen barred content, or stands on
    one that has, is never taken, nor is one of another lineage key. The newest may have seen content
    that is wanted no more: edits and deletions are carried on softly. An ancestor is taken for a
    rebuild, and so only where all that it has seen is still wanted: of these the one that leaves
    least to learn, mostly the nearest.
    """
    hashes = set(wanted)
    behind: set[str] = set()
    best, least = None, len(hashes)
    for manifest in reversed(chain):
        behind |= manifest.seen
        if manifest.lineage_key != key or not behind.isdisjoint(barred):
            return best  # whatever is newer stands on it
        if manifest is chain[0]:
            return manifest
        missing = len(hashes - manifest.known)
        if missing <= least and behind <= hashes:
            best, least = manifest, missing
    return best


def course(start: Manifest, wanted: Mapping[str, str], vetoed: Collection[str] = ()) -> Course:
    """What is left to do for ``wanted`` (leaf → content hash) from ``start``.

    Leaves with ``vetoed`` rows are learnt again without them.
    """
    before = {leaf: entry.content_hash for leaf, entry in start.leaves.items()}
    hashes = set(wanted.values())
    fresh = hashes.difference(before.values()).union(vetoed)
    learn = sorted(leaf for leaf, h in wanted.items() if h in fresh)
    gone = tuple(
        Retired(leaf, h, "edited" if leaf in wanted else "deleted")
        for leaf, h in sorted(before.items())
        if h not in hashes
    )
    earlier = tuple(entry for entry in start.retired if entry.content_hash not in hashes)
    return Course(learn, [leaf for leaf in learn if leaf in before], earlier + gone, len(gone))


# --- re-base ---------------------------------------------------------------------------------


def bare_start(
    chain: Sequence[Manifest], wanted: Collection[str], key: str, barred: Collection[str]
) -> Manifest | None:
    """The release whose weights are the bare base itself, where all that it has seen is wanted.

    Only release zero of a student made from nothing is such a one. ``None``: from the bare base, or,
    where that has seen what is wanted no more, from a new release zero.
    """
    first = chain[-1]
    sound = is_bare(first) and first.lineage_key == key
    return first if sound and first.seen <= set(wanted).difference(barred) else None


def is_bare(manifest: Manifest) -> bool:
    """Whether the release is a base without an adapter, made from nothing."""
    return manifest.continues is None and not any(
        path.startswith("adapter/") for path in manifest.files
    )


def rebase_due(chain: Sequence[Manifest], today: date, days: int) -> bool:
    """Whether the chain's first adapter is ``days`` old, and a re-base would make another than it is.

    The clock starts with the release that was learnt from the bare base in one go: after release zero
    the first, after a re-base or a rebuild from the bare base that one.
    """
    first = chain[-2] if len(chain) > 1 and is_bare(chain[-1]) else chain[-1]
    if chain[0] is first and not first.retired:
        return False
    return today - date.fromisoformat(first.created[:10]) >= timedelta(days=days)
