"""One planned run: everything that its stages read, and where they write.

``run.py`` makes a ``Job`` and holds the order; ``bundle.py`` puts together what leaves the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

from pipelines.artifacts import digest, tree_digests, write_atomic
from pipelines.generate.released import Released
from pipelines.recipe import Recipe
from pipelines.records import BaseModel, ChangeSet, ExamSplit, Leaf, LeafData, Manifest, Plan
from pipelines.situation import Options, Situation
from pipelines.students import adapter_folder, base_folder

Say = Callable[[str], None]
COST = "cost.json"  # what a training took, in its working folder


@dataclass(frozen=True)
class Job:
    """One planned run: everything that its stages read. A release does not change, so what is read of one
    is read once."""

    options: Options
    now: Situation
    recipe: Recipe
    plan: Plan
    leaves: Mapping[str, Leaf]
    exams: Mapping[str, ExamSplit]
    changes: ChangeSet
    directory: Path
    say: Say

    @cached_property
    def start(self) -> Manifest | None:
        """The release whose weights are continued."""
        return self.now.target.manifest(self.plan.continues) if self.plan.continues else None

    @cached_property
    def kept(self) -> dict[str, LeafData]:
        """By content hash what a release holds already."""
        return {
            entry.content_hash: LeafData(entry.data_hash, entry.asked_hash)
            for manifest in (self.start, self.now.previous)
            for entry in (manifest.leaves.values() if manifest else ())
        }

    @cached_property
    def todo(self) -> dict[str, tuple[Leaf, ExamSplit]]:
        """The leaves whose rows no release holds yet, by content hash."""
        kept = self.kept
        return {
            self.leaves[path].content_hash: (self.leaves[path], self.exams[path])
            for path in self.plan.learn
            if self.leaves[path].content_hash not in kept
        }

    @property
    def changed(self) -> set[str]:
        """The leaves that users do not have yet as they are now, or have with rows that were vetoed.

        A rebuild learns more than these: what its ancestor lacks, though users had it.
        """
        if self.now.previous is None or self.plan.action == "continue":
            return set(self.plan.learn) if self.plan.action != "bootstrap" else set()
        had = self.now.previous.known
        return {path for path, leaf in self.leaves.items() if leaf.content_hash not in had}

    @cached_property
    def vetoed(self) -> dict[str, Released]:
        """By content hash the leaves whose released rows hold vetoed ones, which are to be dropped."""
        past = self.now.past
        found = {}
        for path, leaf in sorted(self.leaves.items()):
            held = self.kept.get(leaf.content_hash) if past is not None else None
            if past is not None and held is not None and leaf.content_hash in past.vetoed:
                rows = self.now.target.read_blob(held.data_hash)
                found[leaf.content_hash] = Released(path, rows, held.asked_hash)
        return found

    @property
    def base(self) -> Path:
        """The bare base: of the release that is continued, of the Hub, or the one that this run trains."""
        if self.start is None and self.recipe.student.made_here:
            return self.directory / "base"
        return self.base_of(self.base_model)

    @property
    def base_model(self) -> BaseModel:
        """What the base is called; of one that this run trains only once it is trained."""
        student = self.recipe.student
        if self.start is not None:
            return self.start.base_model
        if student.made_here:
            return BaseModel(student.id, digest(tree_digests(self.directory / "base")))
        return BaseModel(student.id, student.revision)

    def base_of(self, model: BaseModel) -> Path:
        """The files of a base: from the Hub, or as the target carries it."""
        return base_folder(self.now.target, model)

    @property
    def weights(self) -> Path:
        """What this run trains: a release zero's base, or an adapter."""
        return self.directory / ("base" if self.plan.action == "bootstrap" else "adapter")

    @property
    def work(self) -> Path:
        """Where a training keeps what it needs to go on after a stop."""
        return self.directory / "training"

    @property
    def demonstration(self) -> bool:
        """Whether no model wrote the data."""
        return self.recipe.teacher.backend == "extractive"

    def row_bytes(self, content_hash: str, data_hash: str) -> bytes:
        """The rows of a leaf: as this run made them, else as the target stores them."""
        made = self.directory / "dataset" / "rows" / f"{content_hash}.jsonl"
        return made.read_bytes() if made.is_file() else self.now.target.read_blob(data_hash)

    def asked_bytes(self, content_hash: str, asked_hash: str) -> bytes:
        """The exam questions that a teacher wrote for a leaf, likewise; empty where there are none."""
        made = self.directory / "dataset" / "asked" / f"{content_hash}.jsonl"
        if made.is_file():
            return made.read_bytes()
        return self.now.target.read_blob(asked_hash) if asked_hash else b""

    def adapter_of(self, tag: str | None) -> Path | None:
        """The adapter of a release; None for a bare base."""
        return adapter_folder(self.now.target, tag)


def day_of(directory: Path, today: date) -> date:
    """The day that dates the release of a run: the one on which the run began, however long it takes."""
    place = directory / "day"
    if not place.is_file():
        write_atomic(place, f"{today.isoformat()}\n".encode())
    return date.fromisoformat(place.read_text(encoding="utf-8").strip())
