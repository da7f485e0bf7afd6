"""How the stand-in server behaves for one request: how long it takes and what goes wrong.

In: a profile, a seed, the hash of the request's content, how often that content came before. Out: a
delay in seconds and a fault, or none; the same each time for the same input.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from statistics import NormalDist

# 429 with Retry-After; 500; no answer ever; a body cut off, with the length of the cut; a connection
# that breaks in the middle of the body; a proxy's page instead of JSON; a sound answer whose text is in
# no form; too many choices, or too few.
FAULTS = ("429", "500", "hang", "truncated", "cut", "page", "garbage", "choices")


@dataclass(frozen=True, slots=True)
class Profile:
    """``latency`` in seconds, the median where there is a ``tail`` (sigma of a log-normal, cut off at
    ``longest``). Each of ``faults`` strikes ``share`` of the attempts.
    """

    latency: float = 0.0
    tail: float = 0.0
    longest: float = 0.0
    faults: tuple[str, ...] = ()
    share: float = 0.02


PROFILES: dict[str, Profile] = {
    "zero": Profile(),
    "fixed": Profile(latency=0.2),
    "tail": Profile(latency=0.1, tail=1.0, longest=3.0),
    "faults": Profile(faults=("429", "500", "hang", "truncated", "garbage", "choices")),
    "no-hang": Profile(faults=tuple(fault for fault in FAULTS if fault != "hang")),
    **{fault: Profile(faults=(fault,)) for fault in FAULTS},
    "down": Profile(faults=("500",), share=1.0),
}


def profile_of(name: str) -> Profile:
    """The profile of that name; ``429:0.5`` is one fault with another share than 2 %."""
    base, _, share = name.partition(":")
    if base not in PROFILES:
        raise ValueError(f"no profile is called {name}; known: {', '.join(PROFILES)}")
    return replace(PROFILES[base], share=float(share)) if share else PROFILES[base]


def fate(profile: Profile, seed: int, content: str, attempt: int) -> tuple[float, str]:
    """Seconds until the answer, and the fault ("" for none)."""
    if not (profile.tail or profile.faults):
        return profile.latency, ""
    drawn = hashlib.blake2b(f"{seed}\0{attempt}\0{content}".encode(), digest_size=16).digest()
    delay = profile.latency
    if profile.tail:
        place = (int.from_bytes(drawn[:8], "big") + 0.5) / 2**64
        delay *= math.exp(profile.tail * NormalDist().inv_cdf(place))
        delay = min(delay, profile.longest)
    struck = int.from_bytes(drawn[8:], "big") / 2**64
    for number, fault in enumerate(profile.faults, 1):
        if struck < number * profile.share:
            return delay, fault
    return delay, ""
