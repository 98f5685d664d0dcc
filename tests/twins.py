"""Slow, obvious twins of the statistics: definitions written out as loops and enumerations.

Nothing here calls the code under test; where a distribution is needed it is ``scipy.stats``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
from scipy import stats


def exact_floor(rate, count):
    """⌊rate · count⌋ of the decimal number that was written."""
    return math.floor(Fraction(repr(rate)) * count)


def members_above(members, threshold, ties=False):
    return sum(1 for s in members if s > threshold or (ties and s == threshold))


def best_true_positives(members, nonmembers, allowed):
    """The most members strictly above a threshold that at most ``allowed`` non-members exceed."""
    best = 0
    for threshold in [-math.inf, *members, *nonmembers]:
        if members_above(nonmembers, threshold) <= allowed:
            best = max(best, members_above(members, threshold))
    return best


def kth_largest(values, k):
    return sorted(values, reverse=True)[k - 1]


def miss_above(k, m, rate, population=None):
    """P(more than ``rate`` of the records lie strictly above the k-th largest of m)."""
    if population is None:
        return stats.binom.cdf(k - 1, m, rate)
    return stats.hypergeom.cdf(k - 1, population, exact_floor(rate, population) + 1, m)


def miss_below(k, m, rate, population=None):
    """P(the k-th largest of m lies among the ``rate`` of the records that may be above)."""
    if population is None:
        return stats.binom.sf(k - 1, m, rate)
    return stats.hypergeom.sf(k - 1, population, exact_floor(rate, population), m)


def k_hi(m, rate, error, population=None):
    found = None
    for k in range(1, m + 1):
        if miss_above(k, m, rate, population) <= 0.7 * error:
            found = k
    if found is None and miss_above(1, m, rate, population) < error:
        found = 1
    return found


def k_lo(m, rate, error, population=None):
    for k in range(1, m + 1):
        if miss_below(k, m, rate, population) <= 0.7 * error:
            return k
    return None


def proportion_low(count, trials, error, population=None):
    """The smallest proportion under which as many as ``count`` are not too surprising."""
    if count == 0:
        return 0.0
    if population is None:
        return stats.binomtest(count, trials, alternative="greater").proportion_ci(1 - error).low
    for marked in range(population + 1):
        if stats.hypergeom.sf(count - 1, population, marked, trials) > error:
            return marked / population
    raise AssertionError


def proportion_high(count, trials, error, population=None):
    if count == trials:
        return 1.0
    if population is None:
        return stats.binomtest(count, trials, alternative="less").proportion_ci(1 - error).high
    for marked in reversed(range(population + 1)):
        if stats.hypergeom.cdf(count, population, marked, trials) > error:
            return marked / population
    raise AssertionError


def rate_interval(counted, setting, rate, level, counted_population=None, setting_population=None):
    """(estimate, low, high) of the share of ``counted`` records beyond a threshold that ``rate`` of
    the ``setting`` records exceed."""
    n, m = len(counted), len(setting)
    estimate = best_true_positives(counted, setting, exact_floor(rate, m)) / n
    low, high = 0.0, 1.0
    k = k_hi(m, rate, level, setting_population)
    if k is not None:
        miss = miss_above(k, m, rate, setting_population)
        count = members_above(counted, kth_largest(setting, k))
        low = proportion_low(count, n, (level - miss) / (1 - miss), counted_population)
    k = k_lo(m, rate, level, setting_population)
    if k is not None:
        miss = miss_below(k, m, rate, setting_population)
        count = members_above(counted, kth_largest(setting, k), ties=True)
        high = proportion_high(count, n, (level - miss) / (1 - miss), counted_population)
    return estimate, low, high


def rate_p_value(counted, setting, rate, budget, level, counted_population=None):
    """P-value of "the rate is at most ``budget``", from the k of ``level``."""
    n, m = len(counted), len(setting)
    k = k_hi(m, rate, level)
    if k is None:
        return 1.0
    miss = miss_above(k, m, rate)
    count = members_above(counted, kth_largest(setting, k))
    if counted_population is None:
        tail = stats.binom.sf(count - 1, n, budget)
    else:
        marked = exact_floor(budget, counted_population)
        tail = stats.hypergeom.sf(count - 1, counted_population, marked, n)
    return miss + (1 - miss) * tail


def null_counts(false_positives, n, m):
    """T_f for every way in which n of n + m ranked records can be the members."""
    for chosen in combinations(range(n + m), n):
        chosen = set(chosen)
        nonmembers = [rank for rank in range(n + m) if rank not in chosen]
        yield members_above(chosen, kth_largest(nonmembers, false_positives + 1))


def episode_mean(members, nonmembers, size, cap, ties=False):
    """The mean of Log-MIA over every episode of ``size`` + ``size`` records."""
    values = [
        math.log1p(members_above(chosen, kth_largest(others, cap + 1), ties)) / math.log1p(size)
        for chosen in combinations(members, size)
        for others in combinations(nonmembers, size)
    ]
    return math.fsum(values) / len(values)


def episode_variance(members, nonmembers, size, cap, ties=False):
    """The deletion variance, every mean computed again."""
    variance = 0.0
    for side in (0, 1):
        sides = [list(members), list(nonmembers)]
        count = len(sides[side])
        means = []
        for left_out in range(count):
            shorter = [list(sides[0]), list(sides[1])]
            del shorter[side][left_out]
            means.append(episode_mean(*shorter, size, cap, ties))
        average = math.fsum(means) / count
        variance += (count - 1) / count * math.fsum((x - average) ** 2 for x in means)
    return variance


def auc(members, nonmembers):
    pairs = [(a > b) + 0.5 * (a == b) for a in members for b in nonmembers]
    return math.fsum(pairs) / len(pairs)


def delong_variance(members, nonmembers):
    """DeLong, DeLong & Clarke-Pearson: variances of the mean comparison of each record."""
    n, m = len(members), len(nonmembers)
    of_members = [sum((a > b) + 0.5 * (a == b) for b in nonmembers) / m for a in members]
    of_nonmembers = [sum((a > b) + 0.5 * (a == b) for a in members) / n for b in nonmembers]
    return np.var(of_members, ddof=1) / n + np.var(of_nonmembers, ddof=1) / m


def advantage(members, nonmembers, ties=False):
    n, m = len(members), len(nonmembers)
    best = 0.0
    for threshold in [*members, *nonmembers]:
        true = members_above(members, threshold, ties) / n
        best = max(best, true - members_above(nonmembers, threshold) / m)
    return best


def band(members, nonmembers, error, gain, density, points=100_000):
    """(low, high) of ∫ gain(TPR(u)) density(u) du with both distributions shifted, by midpoints."""
    n, m = len(members), len(nonmembers)
    shift_n, shift_m = (math.sqrt(math.log(2 / error) / (2 * size)) for size in (n, m))
    u = (np.arange(points) + 0.5) / points
    ordered = sorted(nonmembers, reverse=True)
    strict = np.array([members_above(members, t) / n for t in ordered])
    loose = np.array([members_above(members, t, ties=True) / n for t in ordered])
    behind = np.floor((u - shift_m) * m).astype(int)
    ahead = np.floor((u + shift_m) * m).astype(int)
    low = np.where(behind < 0, 0.0, np.maximum(strict[np.clip(behind, 0, m - 1)] - shift_n, 0.0))
    high = np.where(ahead >= m, 1.0, np.minimum(loose[np.clip(ahead, 0, m - 1)] + shift_n, 1.0))
    return float((gain(low) * density(u)).mean()), float((gain(high) * density(u)).mean())


def holm(p_values, level):
    """Rejected where the adjusted p-value, a running maximum, is at most ``level``."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected, worst = set(), 0.0
    for position, index in enumerate(order):
        worst = max(worst, (len(order) - position) * p_values[index])
        if worst <= level:
            rejected.add(index)
    return [index in rejected for index in range(len(p_values))]
