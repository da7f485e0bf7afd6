"""Statistics of a paired exam: differences with their clusters in, p-values, intervals out.

Items of one context are not independent, so tests and intervals work on clusters: the sum of the
differences of each cluster and the number of its items. Everything is deterministic: random draws
are seeded and of fixed size. Effects are in the unit of the metric (0..1), confidence is 95 %.

With few clusters nothing can be shown. Sign flips of fewer than ``LEAST_CLUSTERS`` clusters cannot
reach p < 0.05; below ``FEW_CLUSTERS`` the bootstrap is too narrow and Student's t takes its place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEAST_CLUSTERS = 6
FEW_CLUSTERS = 8
ALPHA = 0.05
DRAWS = 20_000
CHANCES = 200  # steps in which a chance is looked for
EXACT_CLUSTERS = 14
SEED = 0
NORMAL = NormalDist()
Z = NORMAL.inv_cdf(1 - ALPHA / 2)
POWER_Z = NORMAL.inv_cdf(0.8)
ROUNDING = 1e-9

# Two-sided 95 % quantiles of Student's t for 1..7 degrees of freedom; the series serves from 8 on.
T_TABLE = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646)


@dataclass(frozen=True, slots=True)
class Clusters:
    """``sums``: summed difference of each cluster; ``sizes``: its number of items. Same length."""

    sums: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @property
    def count(self) -> int:
        return int(self.sums.size)

    @property
    def mean(self) -> float:
        """Mean difference over items."""
        return math.fsum(self.sums) / math.fsum(self.sizes)


def cluster(differences: Sequence[float], keys: Sequence[str]) -> Clusters:
    """Group per-item differences by key; ``ValueError`` where there is none or lengths differ."""
    if not differences or len(differences) != len(keys):
        raise ValueError("one key for each of at least one difference")
    groups: dict[str, list[float]] = {}
    for difference, key in zip(differences, keys, strict=True):
        groups.setdefault(key, []).append(difference)
    ordered = [groups[key] for key in sorted(groups)]
    sums = np.array([math.fsum(group) for group in ordered])
    return Clusters(sums, np.array([float(len(group)) for group in ordered]))


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Score interval of a proportion (Wilson, 1927, JASA 22: 209); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    rate, spread = successes / n, Z * Z / n
    centre = (rate + spread / 2) / (1 + spread)
    half = Z * math.sqrt(rate * (1 - rate) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar(wins: int, losses: int) -> float:
    """Exact two-sided p-value that flips are as often won as lost: binomial with 1/2.

    McNemar (1947, Psychometrika 12: 153) in its exact form; unlike his chi-square it holds for few.
    """
    n, least = wins + losses, min(wins, losses)
    tail = sum(math.comb(n, i) for i in range(least + 1))
    return min(1.0, 2 * tail / (1 << n))


def sign_flip(clusters: Clusters) -> float:
    """Two-sided p-value of the mean difference when each cluster's sign is free.

    Fisher's randomisation test (1935, The Design of Experiments, 21) with the cluster as its unit
    (Gail et al., 1996, Statistics in Medicine 15: 1069). All sign patterns up to 14 clusters that
    differ from zero, else 20,000 seeded draws, the observed one among them so that p is never 0
    (Phipson and Smyth, 1603.05766).
    """
    sums = clusters.sums[np.abs(clusters.sums) > ROUNDING]
    if len(sums) == 0:
        return 1.0
    observed = abs(float(sums.sum())) - ROUNDING
    if len(sums) <= EXACT_CLUSTERS:
        patterns = np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))
        totals = (1.0 - 2.0 * (patterns & 1)) @ sums
        return float(np.mean(np.abs(totals) >= observed))
    draws = np.random.default_rng(SEED)
    reached = 0
    for _ in range(DRAWS // 1000):
        totals = (1.0 - 2.0 * draws.integers(0, 2, (1000, len(sums)))) @ sums
        reached += int(np.count_nonzero(np.abs(totals) >= observed))
    return (1 + reached) / (1 + DRAWS)


def t_quantile(freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t: a table, then its series in 1/freedom.

    The series is 26.7.5 of Abramowitz and Stegun.
    """
    if freedom <= len(T_TABLE):
        return T_TABLE[freedom - 1]
    first = (Z**3 + Z) / 4
    second = (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96
    third = (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384
    return Z + first / freedom + second / freedom**2 + third / freedom**3


def standard_error(clusters: Clusters) -> float:
    """Of the mean difference, between clusters; infinite for a single one.

    The mean is a ratio of two sums, so this is the ratio estimator's, linearised (Cochran, 1977,
    Sampling Techniques, 6.4).
    """
    if clusters.count < 2:
        return math.inf
    rest = clusters.sums - clusters.mean * clusters.sizes
    correction = clusters.count / (clusters.count - 1)
    return math.sqrt(correction * math.fsum(rest**2)) / math.fsum(clusters.sizes)


def interval(clusters: Clusters) -> tuple[float, float]:
    """95 % interval of the mean difference, within -1..1.

    Seeded bootstrap of whole clusters (Davison and Hinkley, 1997, 3.8), its percentiles widened for
    the number of clusters (the "expanded percentile interval" of Hesterberg, 1411.5279); Student's t
    below eight clusters; all of -1..1 for one cluster, which shows nothing, unless nothing at all
    differs.
    """
    if not np.any(np.abs(clusters.sums) > ROUNDING):
        return 0.0, 0.0
    if clusters.count < 2:
        return -1.0, 1.0
    if clusters.count < FEW_CLUSTERS:
        half = t_quantile(clusters.count - 1) * standard_error(clusters)
        low, high = clusters.mean - half, clusters.mean + half
    else:
        low, high = _bootstrap(clusters)
    return max(-1.0, low), min(1.0, high)


def _bootstrap(clusters: Clusters) -> tuple[float, float]:
    draws = np.random.default_rng(SEED)
    means = []
    for _ in range(DRAWS // 1000):
        chosen = draws.integers(0, clusters.count, (1000, clusters.count))
        means.append(clusters.sums[chosen].sum(axis=1) / clusters.sizes[chosen].sum(axis=1))
    widened = math.sqrt(clusters.count / (clusters.count - 1)) * t_quantile(clusters.count - 1)
    tail = NORMAL.cdf(-widened)
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm, 1979, Scandinavian Journal of Statistics 6: 65), in the order given."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def non_inferior(bounds: tuple[float, float], margin: float) -> bool:
    """Whether the lower end of the 95 % interval lies above -margin.

    The interval decides, as in the CONSORT statement on non-inferiority (Piaggio et al., 2012, JAMA
    308: 2594): a one-sided test at 2.5 %.
    """
    return bounds[0] > -margin


def inferior(clusters: Clusters, margin: float) -> float:
    """One-sided p-value that the mean lies no lower than -margin: small where more is lost than that.

    Cluster sign-flip about -margin; non-inferiority and this can both fail, never both hold.
    """
    shifted = Clusters(clusters.sums + margin * clusters.sizes, clusters.sizes)
    half = sign_flip(shifted) / 2
    return half if shifted.mean < 0 else 1 - half


@dataclass(frozen=True, slots=True)
class Sides:
    """Answers that are right or wrong, before and now: ``fell`` of the ``right`` ones that could,
    ``rose`` of the ``wrong`` ones that could."""

    right: int
    fell: int
    wrong: int
    rose: int


def sides_lost(sides: Sides, margin: float) -> float:
    """One-sided p-value that no larger share of all answers falls, less those that rise, than ``margin``.

    The answers before are given. So what was right can only fall and what was wrong only rise, and where
    few were wrong few falls are telling; sign flips would still reckon with as many rises. The exact
    tail of the difference, at the two chances that at the margin make what was seen the likeliest (Storer
    and Kim, 1990, JASA 85: 146; at a margin: Farrington and Manning, 1990, Statistics in Medicine 9: 1447).
    """
    allowed = margin * (sides.right + sides.wrong)
    if sides.fell - sides.rose <= allowed or sides.right <= allowed:
        return 1.0
    rise = np.linspace(0, 1, CHANCES + 1) if sides.wrong else np.zeros(1)
    fall = (allowed + sides.wrong * rise) / sides.right
    rise, fall = rise[fall <= 1], fall[fall <= 1]
    seen = _log_chance(sides.fell, sides.right, fall) + _log_chance(sides.rose, sides.wrong, rise)
    best = int(np.argmax(seen))
    falls, rises = _binomial(sides.right, fall[best]), _binomial(sides.wrong, rise[best])
    differences = np.convolve(falls, rises[::-1])  # from -wrong to right
    return min(1.0, math.fsum(differences[sides.fell - sides.rose + sides.wrong :]))


def _binomial(n: int, chance: float) -> NDArray[np.float64]:
    """The chances of 0 to ``n`` successes."""
    at = np.array([chance])
    ways = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(n + 1)]
    found = [math.exp(ways[k] + float(_log_chance(k, n, at)[0])) for k in range(n + 1)]
    return np.array(found, np.float64)


def _log_chance(k: int, n: int, chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of ``k`` successes in ``n`` in one order; nothing happens for sure where it was not tried."""
    with np.errstate(divide="ignore"):
        won = k * np.log(chances) if k else np.zeros_like(chances)
        lost = (n - k) * np.log1p(-chances) if n > k else np.zeros_like(chances)
    return np.asarray(won + lost, np.float64)


def detectable(clusters: Clusters) -> float:
    """Smallest mean difference found with 80 % power and this spread; 1.0 with too few clusters.

    The minimum detectable effect of Bloom (1995, Evaluation Review 19: 547), two-sided at 5 %.
    """
    if clusters.count < LEAST_CLUSTERS:
        return 1.0
    return min(1.0, (t_quantile(clusters.count - 1) + POWER_Z) * standard_error(clusters))


def clusters_needed(clusters: Clusters, effect: float) -> int | None:
    """How many such clusters find ``effect`` with 80 % power; None where no number would.

    ``detectable`` solved for the count, with normal quantiles: it is told as "about".
    """
    if effect <= ROUNDING or clusters.count < 2:
        return None
    ratio = (Z + POWER_Z) * standard_error(clusters) / effect
    return max(LEAST_CLUSTERS, math.ceil(clusters.count * ratio * ratio))


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement of two raters beyond chance, -1..1 (Cohen, 1960, Educational and Psychological
    Measurement 20: 37); None without a pair, or where both always say the same one thing."""
    count = len(pairs)
    labels = {label for pair in pairs for label in pair}
    if len(labels) < 2:
        return None
    agreed = sum(one == other for one, other in pairs) / count
    chance = sum(
        sum(one == label for one, _ in pairs) * sum(other == label for _, other in pairs)
        for label in labels
    ) / (count * count)
    return (agreed - chance) / (1 - chance)
