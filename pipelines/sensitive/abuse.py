"""Abuse, slurs and profanity: a small list of strong words of several languages.

It knows no context, so a text about language may well be right to hold one.
"""

from __future__ import annotations

import codecs

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
