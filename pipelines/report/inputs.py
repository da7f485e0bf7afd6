"""What a report is made of: records in, nothing worked out yet and nothing escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.records import ChangeSet, Evaluation, ItemResult, Json, Plan


@dataclass(frozen=True, slots=True)
class Drawn:
    """A training row drawn for a person to read: ``step`` made it, ``source`` is what it came from.

    ``where`` says where the source stands: a document with its characters, or a seed's line.
    """

    row: str
    leaf: str
    step: str
    question: str
    answer: str
    where: str
    source: str


@dataclass(frozen=True, slots=True)
class ReleaseScores:
    """The token F1 of each leaf that a release, or this run, was examined on.

    ``taught`` are the leaves that it changed: from there on they are measured against its score.
    """

    release: str
    verdict: str
    scores: Mapping[str, float]
    taught: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReportInput:
    """All that a report is made of.

    ``ledger`` is what ``ledger.json`` holds; ``rejects`` reason → count; ``facts`` label → text in
    the order of showing, a label that starts with "Command" being shown as a command;
    ``composition`` leaf → what its rows are → count; ``losses`` that of each training step; ``why``
    exam item → why its answer is wrong; ``history`` the earlier releases, oldest first, this run last.
    """

    evaluation: Evaluation
    items: Sequence[ItemResult]
    changes: ChangeSet
    ledger: Json
    rejects: Mapping[str, int]
    plan: Plan
    facts: Mapping[str, str]
    demonstration: bool
    composition: Mapping[str, Mapping[str, int]]
    losses: Sequence[float] = ()
    why: Mapping[str, str] = field(default_factory=dict)
    drawn: Sequence[Drawn] = ()
    history: Sequence[ReleaseScores] = ()
