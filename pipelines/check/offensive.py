"""Rule `offensive`: abuse, slurs and profanity in leaves and documents are marked for a person.

A small list of strong words of several languages, matched as whole tokens: it knows no context, so a
leaf about language may well be right to hold one.
"""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import MOST, place
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.check.vocabulary import lexicon, mentions
from pipelines.findings import Finding

# Latin letters are turned by 13 places, so that nobody has to read them who only looks for code.
_TURNED = (
    "shpx shpxf shpxrq shpxre shpxref shpxvat zbgureshpxre zbgureshpxref fuvg fuvggl ohyyfuvg nffubyr "
    "nffubyrf ovgpu ovgpurf phag phagf jnaxre jnaxref qvpxurnq gjng pbpxfhpxre juber juberf fyhg fyhgf "
    "avttre avttref avttn snttbg snttbgf xvxr xvxrf fcvp fcvpf puvax puvaxf tbbx tbbxf jrgonpx genaal "
    "ergneq ergneqf fhouhzna hagrezrafpu fpurvßr nefpuybpu svpxra jvpufre uher fpuynzcr xnanxr "
    "zreqr chgnva pbaaneq fnybcr rapheyé zvreqn chgn pbñb wbqre znevpón pnoeóa pnmmb fgebamb "
    "inssnaphyb gebvn pnenyub chgb xhejn xhejl kloaní cvpun xhg xynbgmnx tbqireqbzzr"
)
_OTHER = "блять блядь хуй пизда ебать жид くたばれ 傻逼 操你妈 他妈的 شرموطة שרמוטה 씨발 병신"
_PHRASES = "xvyy lbhefrys|tb gb uryy|fba bs n ovgpu|uvgyre jnf evtug|tnf gur wrjf"
WORDS = (
    *codecs.decode(_TURNED, "rot13").split(),
    *_OTHER.split(),
    *codecs.decode(_PHRASES, "rot13").split("|"),
)


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
