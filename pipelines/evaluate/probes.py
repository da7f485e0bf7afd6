"""Whether a corrected answer is gone: the old leaf and the new one in, questions and a judgement out.

Each question whose reference answer changed is asked of the previous release and of the candidate.
An answer nearer to the old one than to the new, by token F1, counts as the old one still there.
Few items are enough: a probe is no sample of what was edited but the edit itself. What guards
against a weak student's chance is that only questions count which users were answered in the old way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.evaluate.metrics import score
from pipelines.exam import user_turn
from pipelines.records import Leaf, Probe, ProbeResult

APART = 0.8  # token F1: answers more alike than this cannot be told apart in what a student says
GIVEN = 0.5  # token F1: less of the old answer is not the old answer, whatever it is nearer to


def probes(old: Leaf, new: Leaf) -> list[Probe]:
    """The questions of ``old`` that ``new`` answers otherwise, in the new leaf's order.

    A question that either leaf answers in two ways says nothing of an edit.
    """
    before = _answers(old)
    found = []
    for prompt, answers in _answers(new).items():
        known = before.get(prompt, set())
        if len(answers) == 1 and len(known) == 1:
            (now,), (was,) = answers, known
            if score(was, now).token_f1 < APART:
                found.append(Probe(new.path, prompt, was, now))
    return found


def _answers(leaf: Leaf) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for seed in leaf.seeds:
        context = "" if leaf.kind == "knowledge" else seed.context
        for pair in seed.pairs:
            found.setdefault(user_turn(context, pair.question), set()).add(pair.answer)
    return found


def judged(probe: Probe, previous: str, candidate: str) -> ProbeResult:
    """What two students made of a probe."""
    known = _nearer(previous, probe) and score(previous, probe.old).token_f1 >= GIVEN
    return ProbeResult(
        leaf=probe.leaf,
        question=probe.prompt,
        old=probe.old,
        new=probe.new,
        previous=previous,
        candidate=candidate,
        known=known,
        gone=not _nearer(candidate, probe),
    )


def _nearer(answer: str, probe: Probe) -> bool:
    """Whether an answer is nearer to the old one than to the new."""
    return score(answer, probe.old).token_f1 > score(answer, probe.new).token_f1


def not_taken(results: Sequence[ProbeResult]) -> list[str]:
    """The leaves whose edit did not take: of the questions that the previous release answered in the
    old way more than half still are."""
    return sorted(leaf for leaf, (kept, known) in _counts(results).items() if kept > known / 2)


def _counts(results: Sequence[ProbeResult]) -> Mapping[str, tuple[int, int]]:
    """By leaf, of the questions that were answered in the old way: how many still are, how many were."""
    found: dict[str, tuple[int, int]] = {}
    for one in results:
        kept, known = found.get(one.leaf, (0, 0))
        found[one.leaf] = (kept + (one.known and not one.gone), known + one.known)
    return found


def sentences(results: Sequence[ProbeResult]) -> tuple[str, ...]:
    """What the probes say, for the evaluation's reasons; none without a probe."""
    if not results:
        return ()
    counts = _counts(results)
    failed = not_taken(results)
    said = [
        f"The edit of {leaf} did not take: of {_questions(counts[leaf][1])} that the previous release "
        f"answered in the old way, {_still(counts[leaf][0])}."
        for leaf in failed
    ]
    known = sum(count for leaf, (_, count) in counts.items() if leaf not in failed)
    kept = sum(count for leaf, (count, _) in counts.items() if leaf not in failed)
    if known:
        said.append(
            f"Of {_questions(known)} with a corrected answer that the previous release answered in "
            f"the old way, {_still(kept)}."
        )
    elif not failed:
        said.append(
            f"The previous release gave the old answer to none of {_questions(len(results))} with a "
            "corrected one: there was nothing to unlearn."
        )
    return tuple(said)


def _still(number: int) -> str:
    return "none still is" if not number else f"{number} still {'is' if number == 1 else 'are'}"


def _questions(number: int) -> str:
    return f"{number} question{'' if number == 1 else 's'}"
