"""Exact binomial and hypergeometric tails, accurate far into the tail, and the bounds from them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special


def binomial_at_least(count: int, trials: int, rate: float) -> float:
    """P(X >= count) for X ~ Binomial(trials, rate)."""
    if count <= 0:
        return 1.0
    if count > trials:
        return 0.0
    return float(special.betainc(count, trials - count + 1, rate))


def binomial_at_most(count: int, trials: int, rate: float) -> float:
    """P(X <= count) for X ~ Binomial(trials, rate)."""
    if count < 0:
        return 0.0
    if count >= trials:
        return 1.0
    return float(special.betaincc(count + 1, trials - count, rate))


def hypergeometric_at_least(count: int, population: int, marked: int, drawn: int) -> float:
    """P(X >= count) for X marked ones among ``drawn`` of ``population``, ``marked`` of them marked.

    Summed from the logarithms of the terms: relative error below 1e-7 for a population of 2
    million, down to the smallest float (checked against ``scipy.stats.hypergeom.sf``).
    """
    low, high = max(0, drawn + marked - population), min(drawn, marked)
    if count <= low:
        return 1.0
    if count > high:
        return 0.0
    mean = drawn * marked / population
    if count > mean:
        return _sum_of_terms(count, high, population, marked, drawn)
    return 1.0 - _sum_of_terms(count - 1, low, population, marked, drawn)


def hypergeometric_at_most(count: int, population: int, marked: int, drawn: int) -> float:
    """P(X <= count), see :func:`hypergeometric_at_least`: the unmarked ones are counted instead."""
    return hypergeometric_at_least(drawn - count, population, population - marked, drawn)


def _sum_of_terms(start: int, end: int, population: int, marked: int, drawn: int) -> float:
    """Sum of the terms from ``start``, on one side of the mean, outwards to ``end``."""
    spread = math.sqrt(drawn * (marked / population) * (1 - marked / population)) + 1.0
    reach = int(40 * spread) + 200  # terms fall faster than a Gaussian's from here on
    step = 1 if end >= start else -1
    x = np.arange(start, start + step * (min(abs(end - start), reach) + 1), step, dtype=np.float64)
    terms = (
        _log_choose(float(marked), x)
        + _log_choose(float(population - marked), drawn - x)
        - _log_choose(float(population), np.float64(drawn))
    )
    return float(min(1.0, np.exp(terms).sum()))


def _log_choose(n: float, k: np.ndarray | np.float64) -> np.ndarray:
    result: np.ndarray = (
        special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)
    )
    return result


def proportion_low(count: int, trials: int, error: float, population: int | None = None) -> float:
    """Lower bound of a proportion, wrong with probability at most ``error`` (one-sided, exact).

    Clopper and Pearson (1934); with ``population``, the trials are a sample without replacement of
    that many records and the bound is the exact hypergeometric one.
    """
    if count == 0:
        return 0.0
    if population is None:
        return float(special.betaincinv(count, trials - count + 1, error))
    # the smallest number of marked records under which the count is not too surprising
    marked = _first(
        lambda k: hypergeometric_at_least(count, population, k, trials) > error, count, population
    )
    return marked / population


def proportion_high(count: int, trials: int, error: float, population: int | None = None) -> float:
    """Upper bound of a proportion, wrong with probability at most ``error`` (one-sided, exact)."""
    if count == trials:
        return 1.0
    if population is None:
        return float(special.betainccinv(count + 1, trials - count, error))
    beyond = _first(
        lambda k: hypergeometric_at_most(count, population, k, trials) <= error,
        count,
        population - (trials - count) + 1,
    )
    return (beyond - 1) / population


def proportion_interval(count: int, trials: int, confidence: float) -> tuple[float, float]:
    """Two-sided Clopper-Pearson interval."""
    error = (1 - confidence) / 2
    return proportion_low(count, trials, error), proportion_high(count, trials, error)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest integer in low..high at which a monotone condition holds (``high`` if none)."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def smallest(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest integer in low..high at which a monotone condition holds, or ``None``."""
    if low > high or not holds(high):
        return None
    return _first(holds, low, high)


def largest(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """The largest integer in low..high at which a falling condition holds, or ``None``."""
    if low > high or not holds(low):
        return None
    return _first(lambda value: not holds(value), low, high + 1) - 1
