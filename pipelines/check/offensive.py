"""Rule `offensive`: abuse, slurs and profanity in leaves and documents are marked for a person.

The words of ``sensitive.abuse``, matched as whole tokens: the list knows no context, so a leaf about
language may well be right to hold one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import MOST, place
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.check.vocabulary import mentions
from pipelines.findings import Finding
from pipelines.sensitive.abuse import WORDS
from pipelines.sensitive.lexicon import lexicon


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at each place."""
    for passage, offset, _ in itertools.islice(mentions(leaf, lexicon(WORDS)), MOST):
        where = place(leaf, passage, offset)
        message = "This may be abusive or profane: a person should read it."
        hint = "Put it in other words, unless the leaf is about such language."
        yield Finding("offensive", "warning", passage.path, *where, message, hint)


RULE = LeafRule(
    check,
    About(
        "warning",
        "Abuse, slurs and profanity in leaves and documents are marked for a person to read.",
        "Put it in other words, unless the leaf is about such language.",
    ),
)
