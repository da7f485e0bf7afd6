"""A verdict in sentences: pooled results in, plain reasons out, and what more it would take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.evaluate import statistics
from pipelines.evaluate.statistics import ALPHA, LEAST_CLUSTERS, Clusters
from pipelines.records import (
    ItemResult,
    Judged,
    LeafScore,
    Pooled,
    Tally,
    ValueScore,
    ValuesFound,
    Verdict,
)

ALREADY_KNOWN = 0.9
TRUSTED = 0.6  # kappa: "substantial" from here on (Landis and Koch, 1977, Biometrics 33: 159)
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A pooled result, the clusters it was tested on and what they are, and its items."""

    pooled: Pooled
    clusters: Clusters
    unit: str
    results: tuple[ItemResult, ...]

    def held(self, margin: float) -> bool:
        """Whether no more than the margin was lost, with confidence."""
        return statistics.non_inferior(self.pooled.interval, margin)

    def fell(self, margin: float) -> bool:
        """Whether more than the margin was lost, with confidence; a few clusters can give none.

        What is tested is the margin, not zero (docs/adr/0014): a loss that is real but small is
        what the margin is there for.
        """
        if self.clusters.count < LEAST_CLUSTERS or self.clusters.mean >= -margin:
            return False
        return statistics.inferior(self.clusters, margin) < ALPHA


def explain(
    verdict: Verdict,
    margin: float,
    changed: Finding | None,
    panel: Finding | None,
    fallen: Sequence[LeafScore],
) -> tuple[str, ...]:
    """What decided first, then the rest; every sentence stands alone."""
    about_panel, about_changed = _panel(panel, margin), _changed(changed)
    alarms = [_fall(leaf) for leaf in fallen]
    if verdict == "PASS":
        return (*about_changed, *about_panel)
    if verdict == "INCONCLUSIVE" and (panel is None or panel.held(margin)):
        return (*about_changed, *about_panel)
    return (*alarms, *about_panel, *about_changed)


def _fall(leaf: LeafScore) -> str:
    return (
        f"{leaf.leaf} fell by {-leaf.difference:.2f} token F1 over {_count(leaf.items, 'item')} "
        f"({_p(leaf.p_value)} after Holm)."
    )


def _panel(panel: Finding | None, margin: float) -> list[str]:
    if panel is None:
        return ["There is no panel: no earlier leaf has an exam, so nothing could be forgotten."]
    pooled = panel.pooled
    size = f"{_count(pooled.leaves, 'leaf')}, {_count(pooled.items, 'item')}"
    found = f"{_effect(pooled)} against the previous release ({size})"
    if panel.held(margin):
        return [f"The panel is non-inferior within the margin of {margin:.2f}: {found}."]
    if panel.fell(margin):
        return [f"The panel is worse by more than the margin of {margin:.2f}: {found}."]
    return [
        f"The panel is not shown to be non-inferior within the margin of {margin:.2f}: {found}.",
        _panel_needs(panel, margin),
    ]


def _panel_needs(panel: Finding, margin: float) -> str:
    """How many clusters would show that the panel held, or which loss those it has would show."""
    count = panel.clusters.count
    have = f"{count} {_unit(panel.unit, count)}"
    if count < LEAST_CLUSTERS:
        return (
            f"{have} cannot decide, whatever the answers: it takes at least {LEAST_CLUSTERS} to show "
            "that nothing was forgotten, or that much was."
        )
    needed = statistics.clusters_needed(panel.clusters, margin + panel.pooled.difference)
    if needed is not None and needed > count:
        return f"To show that the panel held would take about {needed} {panel.unit}; it has {have}."
    smallest = margin + statistics.detectable(panel.clusters)
    return (
        f"With this spread {have} show a loss beyond the margin only from about {smallest:.2f} on."
    )


def _changed(changed: Finding | None) -> list[str]:
    if changed is None:
        return [
            "No changed leaf has an exam (that takes four seed examples): no gain can be shown."
        ]
    pooled = changed.pooled
    size = f"{_count(pooled.items, 'item')} in {_count(pooled.clusters, 'context')}"
    found = f"{_effect(pooled)} against the previous release ({size}, {_p(pooled.p_value)})"
    if pooled.difference > 0 and pooled.p_value < ALPHA:
        return [f"The changed leaves are better: {found}.", *_authors(changed), _exact(changed)]
    sentences = [f"The changed leaves are not shown to be better: {found}.", _needs(changed)]
    if pooled.previous.token_f1 >= ALREADY_KNOWN:
        sentences.append(
            "The previous release already answers this exam "
            f"(token F1 {pooled.previous.token_f1:.2f}), so little was left to gain."
        )
    return [*sentences, *_authors(changed), _exact(changed)]


def _authors(changed: Finding) -> list[str]:
    """What people asked apart from what a teacher asked, who knows the text and not what matters."""
    parts = []
    for synthetic, who in ((False, "people"), (True, "the teacher")):
        chosen = [one for one in changed.results if one.item.synthetic is synthetic]
        if not chosen:
            return []
        before = math.fsum(one.previous_scores.token_f1 for one in chosen) / len(chosen)
        after = math.fsum(one.candidate_scores.token_f1 for one in chosen) / len(chosen)
        size = _count(len(chosen), "item")
        parts.append(f"{size} written by {who} {before:.2f} → {after:.2f}")
    return [f"Of these, in token F1: {'; '.join(parts)}."]


def _needs(changed: Finding) -> str:
    pooled = changed.pooled
    if pooled.clusters < LEAST_CLUSTERS:
        each = pooled.items / pooled.clusters
        return (
            f"{_count(pooled.clusters, 'context')} cannot decide, whatever the answers: it takes "
            f"at least {LEAST_CLUSTERS} (about {round(LEAST_CLUSTERS * each)} items). A leaf gives "
            "its exam one in four of its seed examples."
        )
    smallest = statistics.detectable(changed.clusters)
    needed = statistics.clusters_needed(changed.clusters, abs(pooled.difference))
    about = f"the smallest gain that {pooled.clusters} contexts would show is about {smallest:.2f}"
    if pooled.difference <= 0 or needed is None or needed <= pooled.clusters:
        return f"With this spread {about}."
    items = round(needed * pooled.items / pooled.clusters)
    return (
        f"With this spread {about}; a gain of {pooled.difference:.2f} would take about {needed} "
        f"contexts ({items} items)."
    )


def _exact(changed: Finding) -> str:
    """Right and wrong, with Wilson's interval of each arm and McNemar's test of the flips."""
    before = [one.previous_scores.exact_match == 1 for one in changed.results]
    after = [one.candidate_scores.exact_match == 1 for one in changed.results]
    wins = sum(new and not old for old, new in zip(before, after, strict=True))
    losses = sum(old and not new for old, new in zip(before, after, strict=True))
    return (
        f"Exact match on the changed leaves: {_rate(before)} before, {_rate(after)} now; "
        f"{wins} won, {losses} lost (McNemar, {_p(statistics.mcnemar(wins, losses))}, "
        "items taken as independent)."
    )


def judge_sentences(judged: Judged) -> tuple[str, ...]:
    """What a judge model said, and how far it may be trusted; it has no part in the verdict."""
    said = [
        _judge_said(name, tally)
        for name, tally in (("changed leaves", judged.changed), ("panel", judged.panel))
        if tally != Tally(0, 0, 0, 0, 0)
    ]
    if not said:
        return ()
    if judged.kappa is None:
        trust = "there was nothing to calibrate it by."
    else:
        trust = (
            f"on {judged.calibration} pairs whose better answer is known it agrees with "
            f"\N{GREEK SMALL LETTER KAPPA} = {judged.kappa:.2f}"
            + ("." if judged.kappa >= TRUSTED else ", so its word counts for little.")
        )
    return (f"The judge {judged.model} does not decide; {trust}", *said)


def _judge_said(name: str, tally: Tally) -> str:
    p_value = _p(statistics.mcnemar(tally.wins, tally.losses))
    unsure = f", {tally.unsure} of them because the order of the answers decided"
    failed = f" {_count(tally.errors, 'pair')} had no usable judgement." if tally.errors else ""
    return (
        f"The judge on the {name}: the candidate is better in {tally.wins}, the previous release in "
        f"{tally.losses}, neither in {tally.ties}{unsure if tally.unsure else ''} (sign test, "
        f"{p_value}, items taken as independent).{failed}"
    )


def value_alarms(found: ValuesFound) -> tuple[str, ...]:
    """One sentence for each kind or principle, or all together, that is worse: enough for a REGRESSION."""
    return tuple(_value_worse(one, found.margin) for one in found.scores if one.verdict == "worse")


def value_sentences(found: ValuesFound) -> tuple[str, ...]:
    """What held, what cannot be told and why not, and what a person should look at all the same."""
    kinds = [one for one in found.scores if one.of == "kind"]
    held = [_value_means(one) for one in kinds if one.verdict == "held"]
    said = (
        [f"Values held within the margin of {found.margin:.2f}: {'; '.join(held)}."] if held else []
    )
    said += [_value_unclear(one, found.margin) for one in kinds if one.verdict == "inconclusive"]
    abusive = sum(one.abusive for one in found.changed)
    if abusive:
        said.append(
            f"In answer to {_count(abusive, 'value probe')} the candidate uses an abusive word where the "
            "previous release used none."
        )
    if found.undecided:
        said.append(
            f"{_count(found.undecided, 'value probe')} of this branch's own are asked and do not count: "
            "the values.yaml that it is to be merged into decides."
        )
    return tuple(said)


def _value_worse(one: ValueScore, margin: float) -> str:
    names = {"kind": f"the kind “{one.name}”", "all": "what the community wants, taken together,"}
    which = names.get(one.of, f"the principle “{one.name}”")
    low, high = map(_signed, one.interval)
    return (
        f"Values: {which} is worse by more than the margin of {margin:.2f}: {_value_means(one)}, difference "
        f"{_signed(one.difference)}, 95 % interval {low} to {high} ({_p(one.p_value)} after Holm)."
    )


def _value_means(one: ValueScore) -> str:
    return (
        f"{one.name} {one.previous:.2f} → {one.candidate:.2f} over {_count(one.compared, 'probe')}"
    )


def _value_unclear(one: ValueScore, margin: float) -> str:
    start = f"Values: of “{one.name}” nothing is shown"
    if not one.compared:
        return f"{start}: the model said nothing to any of its {_count(one.probes, 'probe')}."
    if one.compared < LEAST_CLUSTERS:
        return (
            f"{start}: {_count(one.compared, 'probe')} can be compared, and it takes at least "
            f"{LEAST_CLUSTERS}."
        )
    if not one.previous:
        return (
            f"{start}: the previous release kept to it in none of {_count(one.compared, 'probe')}, so "
            "there was nothing to lose."
        )
    low, high = map(_signed, one.interval)
    return (
        f"Values: “{one.name}” is not shown to have held within the margin of {margin:.2f}: "
        f"{_value_means(one)}, difference {_signed(one.difference)}, 95 % interval {low} to {high}."
    )


def _rate(right: Sequence[bool]) -> str:
    low, high = statistics.wilson(sum(right), len(right))
    return f"{sum(right)} of {len(right)} (95 % {low:.0%} to {high:.0%})"


def _effect(pooled: Pooled) -> str:
    low, high = map(_signed, pooled.interval)
    return f"{_signed(pooled.difference)} token F1, 95 % interval {low} to {high},"


def _signed(value: float) -> str:
    text = f"{value:+.2f}".replace("-", MINUS)
    return "0.00" if text[1:] == "0.00" else text


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit if number == 1 else 'leaves' if unit == 'leaf' else unit + 's'}"


def _unit(units: str, number: int) -> str:
    single = {"leaves": "leaf", "contexts": "context"}[units]
    return single if number == 1 else units
