"""Every value that passes between stages: frozen, typed, in the order in which a change travels.

``Leaf → Finding`` · ``Leaf → Change → ChangeSet → Sample → Dataset → Adapter → Score → Evaluation →
Manifest``. Nothing here reads or writes a file. What a check needs stands in ``findings``, what an
exam gives in ``examined``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipelines.examined import ChoiceResult as ChoiceResult
from pipelines.examined import ChoiceScore as ChoiceScore
from pipelines.examined import Evaluation as Evaluation
from pipelines.examined import ExamItem as ExamItem
from pipelines.examined import ItemResult as ItemResult
from pipelines.examined import Judged as Judged
from pipelines.examined import LeafScore as LeafScore
from pipelines.examined import LeafVerdict as LeafVerdict
from pipelines.examined import Pooled as Pooled
from pipelines.examined import Preference as Preference
from pipelines.examined import Principle as Principle
from pipelines.examined import Probe as Probe
from pipelines.examined import ProbeResult as ProbeResult
from pipelines.examined import Role as Role
from pipelines.examined import Scores as Scores
from pipelines.examined import SuiteScore as SuiteScore
from pipelines.examined import SuiteVerdict as SuiteVerdict
from pipelines.examined import Tally as Tally
from pipelines.examined import ValueKind as ValueKind
from pipelines.examined import ValueProbe as ValueProbe
from pipelines.examined import ValueResult as ValueResult
from pipelines.examined import Values as Values
from pipelines.examined import ValueScore as ValueScore
from pipelines.examined import ValuesFound as ValuesFound
from pipelines.examined import ValueVerdict as ValueVerdict
from pipelines.examined import Verdict as Verdict
from pipelines.findings import Attribution as Attribution
from pipelines.findings import Finding as Finding
from pipelines.findings import Json as Json
from pipelines.findings import Tree as Tree
from pipelines.findings import as_json as as_json

Kind = Literal["knowledge", "grounded_skill", "freeform_skill"]
Status = Literal["added", "modified", "renamed", "deleted"]
Invalidates = Literal["nothing", "exam", "data"]
Action = Literal["nothing", "bootstrap", "start", "continue", "carry", "rebuild"]
Cause = Literal["changes", "withdrawn", "edits", "rebase"]


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """One question and its answer; ``line`` (from 1) is where the question stands in qna.yaml."""

    question: str
    answer: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Seed:
    """A seed example. Knowledge: a context with several pairs; skills: one pair, context or "".

    ``id`` = hash(context) for knowledge, hash(context, question) for skills; ``answer_hash`` covers
    the pairs in full, so an edited answer keeps the id and changes the answer hash.
    """

    id: str
    answer_hash: str
    context: str
    pairs: tuple[QuestionAnswer, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """Where a knowledge leaf's documents are: ``repo: "."`` with ``commit: HEAD`` is beside the leaf."""

    repo: str
    commit: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LocalDocument:
    """A document beside its leaf: path from the taxonomy root, SHA-256 of its text, newlines as LF."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf of the taxonomy.

    ``path`` is the leaf directory, POSIX, NFC, from the taxonomy root. ``content_hash`` covers
    meaning only: kind, task description or domain and outline, seeds, document; never formatting,
    ``created_by`` or attribution.
    """

    path: str
    kind: Kind
    version: int
    created_by: str
    task_description: str
    domain: str
    outline: str
    seeds: tuple[Seed, ...]
    document: DocumentRef | None
    documents: tuple[LocalDocument, ...]
    attribution: tuple[Attribution, ...]
    content_hash: str


# --- changes ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SeedDifference:
    """Seed ids that came, went, or kept their id with other answers."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one leaf between two trees, and what that invalidates."""

    leaf: str
    kind: Kind
    status: Status
    previous_leaf: str | None
    seeds: SeedDifference
    invalidates: Invalidates


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All changes between two trees, sorted by leaf; ``base`` and ``head`` name the trees."""

    base: str
    head: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ExamSplit:
    """Seed ids on either side. No exam: fewer than four seeds, ``exam`` empty."""

    exam: tuple[str, ...]
    shown: tuple[str, ...]


# --- generation ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: characters ``start:end`` of its text, under ``heading``."""

    document: str
    index: int
    start: int
    end: int
    heading: str
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn in OpenAI's chat format."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One training row. ``id`` = hash(messages, phase); what it came from stands beside it."""

    id: str
    messages: tuple[Message, ...]
    phase: str
    content_hash: str
    seeds: tuple[str, ...]
    document: str
    span: tuple[int, int] | None
    chunk: int | None
    flow: str
    calls: tuple[str, ...]
    teacher: str
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChoiceSample(Sample):
    """An exam question with wrong choices beside its answer."""

    wrong: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeafData:
    """SHA-256 of a leaf's sorted rows, and of the exam questions that a teacher wrote ("": none)."""

    data_hash: str
    asked_hash: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """What a step left out, and why; ``text`` is the raw text, ``calls`` what it came from."""

    content_hash: str
    flow: str
    step: str
    reason: str
    text: str
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LedgerStep:
    """Counts of one step: in = parsed + unparsed + failed; out = kept + filtered + duplicate."""

    flow: str
    step: str
    into: int
    parsed: int
    unparsed: int
    failed: int
    out: int
    kept: int
    filtered: int
    duplicate: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every step's counts, and how many calls were made and how many read back from the store."""

    steps: tuple[LedgerStep, ...]
    made: int
    reused: int


# --- release ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ManifestLeaf:
    """A leaf that the release's weights have seen, with the rows kept for it (``data_hash``) and the
    exam questions that a teacher wrote (``asked_hash``, "" for none)."""

    content_hash: str
    data_hash: str
    exam: ExamSplit
    asked_hash: str = ""


@dataclass(frozen=True, slots=True)
class Retired:
    """Content the weights (may) have seen that the taxonomy no longer holds."""

    leaf: str
    content_hash: str
    reason: Literal["deleted", "edited"]


@dataclass(frozen=True, slots=True)
class FileDigest:
    """SHA-256 in hexadecimal and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A bare base: its id, and the revision (for the tiny base the digest of its files)."""

    id: str
    revision: str

    @property
    def on_hub(self) -> bool:
        """Whether the revision is a commit of the Hub's, and no SHA-256 of ours."""
        return len(self.revision) == 40 and not self.revision.strip("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where the rows of a release lie, for a target that keeps them in a repository of their own."""

    repository: str
    revision: str


@dataclass(frozen=True, slots=True)
class LeafChange:
    """What became of a leaf since the release before."""

    leaf: str
    status: Status
    previous_leaf: str | None = None


@dataclass(frozen=True, slots=True)
class Taught:
    """What the leaves of one kind brought: rows, and exam questions by people and by a teacher."""

    kind: Kind
    leaves: int
    rows: int
    exam_seeds: int
    asked: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` holds. ``previous``: what users had; ``continues``: whose weights.

    ``allowed``: the gates that were overruled, each with what it said; ``yanked``: the releases before
    that nobody should use, each with the reason; ``approvers``: who let it be released; ``held``: leaf →
    content that spoiled the model. Manifests of the first releases lack what has a default here.
    """

    release: str
    previous: str | None
    continues: str | None
    taxonomy_commit: str
    recipe: Json
    base_model: BaseModel
    lineage_key: str
    input_digest: str
    leaves: Mapping[str, ManifestLeaf]
    retired: tuple[Retired, ...]
    files: Mapping[str, FileDigest]
    evaluation: Json
    contributors: tuple[str, ...]
    licences: tuple[str, ...]
    demonstration: bool
    created: str
    data: DataSource | None = None
    changes: tuple[LeafChange, ...] = ()
    composition: tuple[Taught, ...] = ()
    allowed: Mapping[str, str] = field(default_factory=dict)
    yanked: Mapping[str, str] = field(default_factory=dict)
    approvers: tuple[str, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> set[str]:
        """The content hashes that the release teaches."""
        return {entry.content_hash for entry in self.leaves.values()}

    @property
    def seen(self) -> set[str]:
        """Every content hash that the release's weights have, or may have, seen."""
        return self.known | {entry.content_hash for entry in self.retired}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A leaf that is left for another run, and why."""

    leaf: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do, decided before anything is spent.

    ``wanted`` maps each leaf to its content hash; ``learn`` are the leaves whose rows the weights of
    ``continues`` lack; ``corrected`` those among them whose older content they have seen; ``panel``
    the leaves that must not be forgotten; ``waiting`` those left for another run, which ``wanted``
    holds with their older content, if any; ``held`` those among them that spoil, with that content.
    ``cause``: why the weights are another's than the previous release's, if they are.
    """

    action: Action
    reason: str
    previous: str | None
    continues: str | None
    wanted: Mapping[str, str]
    learn: Sequence[str]
    corrected: Sequence[str]
    panel: Sequence[str]
    retired: tuple[Retired, ...]
    input_digest: str
    waiting: tuple[Waiting, ...] = ()
    cause: Cause = "changes"
    held: Mapping[str, str] = field(default_factory=dict)
