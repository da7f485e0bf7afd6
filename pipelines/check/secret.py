"""Rule `secret`: no password, key or token stands in a leaf, its attribution or its documents.

Small on purpose: formats that say what they are, and values that a name such as `api_key` announces.
What is found is never quoted: a check's log is more public than a draft.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import MOST, Passage, attribution, documents
from pipelines.check.places import offset_place
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding

# Kind, words one of which must stand somewhere for the pattern to be worth a try, the pattern; group 1
# is the secret part. `re` makes them ready on first use, which most checks never come to.
_NAMED = "a key or password"
_ADDRESS = "a password in an address"
_BLOCK = "a private key"
_FORMATS = (
    ("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"\bgh[pousr]_([A-Za-z0-9]{36,})"),
    ("a GitHub token", "github_pat_", r"\bgithub_pat_(\w{60,})"),
    ("a GitLab token", "glpat-", r"\bglpat-([\w-]{20,100})"),
    ("an AWS key", "AKIA ASIA", r"\b(?:AKIA|ASIA)([A-Z2-7]{16})\b"),
    ("a Google API key", "AIza", r"\bAIza([\w-]{35})"),
    ("an API key", "sk-", r"\bsk-((?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{32,200})"),
    ("a Hugging Face token", "hf_", r"\bhf_([A-Za-z0-9]{30,})"),
    ("a Slack token", "xox", r"\bxox[abeoprs]-([A-Za-z0-9-]{20,100})"),
    ("a Slack webhook", "hooks.slack", r"hooks\.slack\.com/services/(T\w+/B\w+/\w{20,})"),
    ("a Stripe key", "k_live_", r"\b[sr]k_live_([A-Za-z0-9]{20,})"),
    ("an npm token", "npm_", r"\bnpm_([A-Za-z0-9]{36})\b"),
    ("a PyPI token", "pypi-", r"\bpypi-(AgE[\w-]{50,300})"),
    ("a SendGrid key", "SG.", r"\bSG\.([\w-]{22}\.[\w-]{43})\b"),
    ("a Telegram token", ":AA", r"\b\d{8,10}:(AA[\w-]{33})\b"),
    ("a signed web token", "eyJ", r"\beyJ[\w-]{10,999}\.eyJ[\w-]{10,999}\.([\w-]{20,999})"),
    (
        _BLOCK,
        "-----BEGIN",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\s+([A-Za-z0-9+/=]{32,})",
    ),
    (
        _ADDRESS,
        "://",
        r"\b[A-Za-z][\w+.-]{0,20}://[^\s/:@]{1,99}:([^\s/@]{3,200})@\w",
    ),
    (
        _NAMED,
        "key Key KEY oken OKEN ecret ECRET assw ASSW",
        r"(?i)(?:api_?-?key|secret|token|passw(?:or)?d|access_?-?key)[\w-]{0,20}"
        r"[\"']?\s*[:=]\s*[\"']?([A-Za-z0-9+/_=-]{20,})",
    ),
)
_SHORTEST = 20
_LONG_KEY = "questions_and_answers:"  # stands in every knowledge leaf
_SAMPLE = (
    r"(?i)example|sample|placeholder|your|x{4}|\*{3}|\.{3}|^[<${\[]|^pass(?:word|wd)?$|^secret$"
    r"|0123456|1234567|SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each; the raw file is searched, so that comments are seen too."""
    yield from itertools.islice(_secrets(leaf), MOST)


def _secrets(leaf: LeafSubject) -> Iterator[Finding]:
    raw = (Passage(leaf.file, leaf.reading.text or ""), attribution(leaf), *documents(leaf))
    for passage in raw:
        if passage is None:
            continue
        text = passage.text
        words, mixed = _long_words(text)
        address = "://" in text and "@" in text
        if not words and not address:  # nearly every text
            continue
        told: set[int] = set()
        for kind, hints, pattern in _FORMATS:
            if kind == _NAMED:
                where = text if mixed else ""
            elif kind == _ADDRESS:
                where = text if address else ""
            else:
                where = text if kind == _BLOCK and words else words
            if not any(hint in where for hint in hints.split()):
                continue
            for match in re.finditer(pattern, passage.text):
                named = kind == _NAMED
                if match.start(1) in told or not _is_secret(match[1], named=named):
                    continue
                told.add(match.start(1))
                place = offset_place(passage.text, match.start(1) if named else match.start())
                message = f"This looks like {kind}."
                mend = "Delete it, and revoke it: what was pushed once stays in the history."
                yield Finding("secret", "error", passage.path, *place, message, mend)


def _long_words(text: str) -> tuple[str, bool]:
    """The words that are long enough to hold a secret; whether one is mixed as ``_is_secret`` asks."""
    found = [word for word in text.split() if len(word) >= _SHORTEST and word != _LONG_KEY]
    mixed = any(
        word != word.lower() and word != word.upper() and any(map(str.isdigit, word))
        for word in found
    )
    return "\n".join(found), mixed


def _is_secret(value: str, *, named: bool) -> bool:
    """Not a sample; where only a name announces it, as mixed as only a machine writes."""
    if re.search(_SAMPLE, value) or len(set(value)) < min(8, len(value) - 1):
        return False
    if not named:
        return True
    kinds = (str.isupper, str.islower, str.isdigit)
    mixed = all(any(map(kind, value)) for kind in kinds)
    return mixed and _entropy(value) >= 3.7


def _entropy(value: str) -> float:
    """Bits a character."""
    shares = [count / len(value) for count in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares)


RULE = LeafRule(
    check,
    About(
        "error",
        "No password, key or token stands in a leaf, its attribution or its documents.",
        "Delete it, and revoke it where it was issued.",
    ),
)
