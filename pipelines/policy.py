"""What a taxonomy accepts: the values of graft.yaml, frozen; what is left out means the default.

``check.policy`` reads the file. The dataclasses stand this low in the layers because fetching documents
obeys them too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DocumentPolicy:
    """Where knowledge documents may come from, and how large and slow they may be.

    ``hosts`` () permits every public host; ``allow_hosts`` are ``host`` or ``host:port`` that may also
    have private, loopback or link-local addresses.
    """

    schemes: tuple[str, ...] = ("https",)
    hosts: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    max_megabytes: int = 50
    max_pages: int = 500
    seconds: int = 120


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """How many words a text may have before a person is asked to look; contexts: of knowledge.

    ``changed_leaves``: how many leaves a commit that is not checked out may touch; more are not read.
    """

    skill_file_words: int = 2300
    context_words: int = 500
    question_words: int = 250
    answer_words: int = 250
    changed_leaves: int = 1000

    def exceeded(self, changed: Iterable[str]) -> str:
        """What is said of more leaves than that, by the paths that changed; "" where they are few enough."""
        leaves = len({path.rpartition("/")[0] for path in changed})
        if leaves <= self.changed_leaves:
            return ""
        return (
            f"{leaves:,} leaves are touched, and limits.changed_leaves of the policy permits "
            f"{self.changed_leaves:,} in one pull request."
        )


@dataclass(frozen=True, slots=True)
class Exemption:
    """One entry of ``exceptions``: a rule that does not hold for the paths of a glob, and why.

    ``line`` and ``column`` are where it stands in graft.yaml.
    """

    rule: str
    path: str
    reason: str
    line: int = field(default=1, compare=False)
    column: int = field(default=1, compare=False)


# Label → words and phrases. A short list that says little about ordinary subjects: an operator who
# knows the taxonomy's readers replaces it.
TOPICS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "self-harm",
        (
            *("suicide", "suicidal", "self-harm", "self-harming", "anorexia", "bulimia"),
            *("Selbstmord", "Suizid", "suicidio", "自殺", "自杀", "самоубийство", "انتحار"),
        ),
    ),
    (
        "medical advice",
        (
            *("medical advice", "dosage", "overdose", "chemotherapy", "antidepressant"),
            *("antidepressants", "opioid", "opioids", "miscarriage", "abortion"),
        ),
    ),
    ("legal advice", ("legal advice", "sue for", "plead guilty", "asylum claim")),
    (
        "financial advice",
        ("financial advice", "investment advice", "stock tip", "stock tips", "tax evasion"),
    ),
    (
        "sexual content",
        ("pornography", "pornographic", "sexual abuse", "sexual assault", "incest"),
    ),
    (
        "weapons and violence",
        (
            *("explosives", "nerve agent", "sarin", "bioweapon", "homemade bomb", "pipe bomb"),
            *("terrorist attack", "mass shooting", "genocide", "beheading", "torture"),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Policy:
    """``licences``: the SPDX identifiers (or LicenseRef-…) that an attribution.txt may name.

    ``topics`` label leaves that a person should read, and never reject one. ``file`` is where the
    policy was read, for messages about it.
    """

    licences: tuple[str, ...] = (
        "CC0-1.0",
        "CDLA-Permissive-2.0",
        "CC-BY-4.0",
        "CC-BY-SA-4.0",
        "Apache-2.0",
        "MIT",
    )
    documents: DocumentPolicy = field(default_factory=DocumentPolicy)
    limits: LimitPolicy = field(default_factory=LimitPolicy)
    topics: tuple[tuple[str, tuple[str, ...]], ...] = TOPICS
    exceptions: tuple[Exemption, ...] = ()
    file: str = field(default="graft.yaml", compare=False)
