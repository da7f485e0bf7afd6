"""The records of an exam, apart for the sake of their number: ``records`` has them all.

``ExamItem → ItemResult → LeafScore → Evaluation``, and beside it
``Principle → ValueProbe → ValueResult → ValueScore``. Nothing here reads or writes a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["PASS", "INCONCLUSIVE", "REGRESSION"]
LeafVerdict = Literal["improved", "unchanged", "regressed", "inconclusive"]
Role = Literal["changed", "panel"]
SuiteVerdict = Literal["held", "fell", "unclear"]
Preference = Literal["win", "loss", "tie", "error"]
# What a value probe asks for: pairs treated alike, harm declined, the harmless helped with, civil words.
ValueKind = Literal["alike", "decline", "help", "civil"]
ValueVerdict = Literal["held", "worse", "inconclusive"]


@dataclass(frozen=True, slots=True)
class ExamItem:
    """One exam question. ``cluster`` (a seed's id, a chunk) groups items that are not independent.

    ``synthetic``: a teacher wrote it, no person. ``prompt`` is the user's turn as the student reads
    it: for grounded skills with its context. ``choices``, where it is multiple choice: the reference
    among others, in the order of their letters.
    """

    id: str
    leaf: str
    role: Role
    cluster: str
    question: str
    prompt: str
    reference: str
    leaked: bool = False
    synthetic: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over items, each in 0..1; None where nothing was measured.

    ``numeric_match`` is over the items whose reference holds a number. Evaluations written before
    there was a metric lack it.
    """

    exact_match: float
    token_f1: float
    rouge_l: float | None = None
    numeric_match: float | None = None


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One exam item with the three answers and the score of each.

    ``judged``: what a judge says of the candidate against the previous release; None where none did.
    """

    item: ExamItem
    base: str
    previous: str
    candidate: str
    base_scores: Scores
    previous_scores: Scores
    candidate_scores: Scores
    judged: Preference | None = None


@dataclass(frozen=True, slots=True)
class ChoiceResult:
    """A multiple-choice item, and which of its choices each student takes for the likeliest."""

    item: ExamItem
    base: str
    previous: str
    candidate: str


@dataclass(frozen=True, slots=True)
class ChoiceScore:
    """Choice accuracy of a leaf, or of all leaves of a role where ``leaf`` is ""; leaked items apart.

    ``difference`` = candidate − previous; ``interval`` 95 %, by contexts.
    """

    leaf: str
    role: Role
    items: int
    base: float
    previous: float
    candidate: float
    difference: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class SuiteScore:
    """A public suite: previous release and candidate, paired by document, held against a margin."""

    suite: str
    metric: str
    items: int
    margin: float
    previous: float
    candidate: float
    difference: float
    interval: tuple[float, float]
    verdict: SuiteVerdict


@dataclass(frozen=True, slots=True)
class LeafScore:
    """One leaf's result. ``difference`` = candidate − previous in token F1; ``interval`` 95 %.

    ``items`` counts what entered the verdict; ``leaked`` what was shown but left out of it.
    """

    leaf: str
    role: Role
    items: int
    leaked: int
    base: Scores
    previous: Scores
    candidate: Scores
    difference: float
    interval: tuple[float, float]
    p_value: float
    verdict: LeafVerdict


@dataclass(frozen=True, slots=True)
class Pooled:
    """Changed leaves or the panel taken together; clusters are contexts (changed) or leaves (panel)."""

    role: Role
    leaves: int
    items: int
    clusters: int
    base: Scores
    previous: Scores
    candidate: Scores
    difference: float
    interval: tuple[float, float]
    p_value: float


@dataclass(frozen=True, slots=True)
class Probe:
    """A question whose answer was corrected; ``prompt`` is the user's turn as the student reads it."""

    leaf: str
    prompt: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """A probe with two answers. ``known``: the previous release gave the old answer; ``gone``: the
    candidate does not."""

    leaf: str
    question: str
    old: str
    new: str
    previous: str
    candidate: str
    known: bool
    gone: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """A judge's word on pairs of answers, of the candidate's; ``unsure`` counts those ties where the
    two orders disagreed, ``errors`` pairs without a usable answer, which are in no other count."""

    wins: int
    losses: int
    ties: int
    unsure: int
    errors: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge model said. ``kappa``: its agreement with ``calibration`` pairs whose better answer
    is known, None where there were none or all alike."""

    model: str
    changed: Tally
    panel: Tally
    calibration: int
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Principle:
    """One principle of a community, in its words; all its probes are of one kind."""

    id: str
    kind: ValueKind
    says: str


@dataclass(frozen=True, slots=True)
class ValueProbe:
    """One question of a principle: several ``prompts`` where ``variants`` of it differ in one attribute.

    ``decides``: it counts for the verdict, which a probe that a branch brings does not.
    """

    principle: Principle
    prompts: tuple[str, ...]
    variants: tuple[str, ...] = ()
    decides: bool = True


@dataclass(frozen=True, slots=True)
class Values:
    """What ``values.yaml`` holds; ``words``, besides the built-in ones, no answer may have."""

    probes: tuple[ValueProbe, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueResult:
    """A probe with the answers of three students, one a prompt, and their scores in 0..1; None where
    nothing was said that could be scored. ``abusive``: the candidate alone used a listed word."""

    probe: ValueProbe
    base: tuple[str, ...]
    previous: tuple[str, ...]
    candidate: tuple[str, ...]
    base_score: float | None
    previous_score: float | None
    candidate_score: float | None
    abusive: bool = False


@dataclass(frozen=True, slots=True)
class ValueScore:
    """A kind of probe (``of``: kind), a principle, or all of them, the probes together.

    ``compared`` of the ``probes`` could be scored before and now; means are over these, the base's over
    those that it answered, too. ``better`` and ``worse`` count answers that changed sides.
    """

    of: Literal["kind", "all", "principle"]
    name: str
    kind: ValueKind | Literal["all"]
    says: str
    probes: int
    compared: int
    base: float | None
    previous: float | None
    candidate: float | None
    difference: float
    interval: tuple[float, float]
    p_value: float
    better: int
    worse: int
    verdict: ValueVerdict


@dataclass(frozen=True, slots=True)
class ValuesFound:
    """What became of the community's values. ``changed`` are the probes whose answers changed sides or
    became abusive, the worse first; ``undecided`` counts the probes that are asked and do not count."""

    margin: float
    scores: tuple[ValueScore, ...]
    changed: tuple[ValueResult, ...]
    undecided: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What ``evaluation.json`` holds."""

    verdict: Verdict
    reasons: tuple[str, ...]
    margin: float
    leaves: tuple[LeafScore, ...]
    changed: Pooled | None
    panel: Pooled | None
    probes: tuple[ProbeResult, ...] = ()
    judge: Judged | None = None
    values: ValuesFound | None = None
    choices: tuple[ChoiceScore, ...] = ()
    suites: tuple[SuiteScore, ...] = ()
