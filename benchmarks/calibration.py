"""Do the verdicts, intervals and p-values keep their promises? Seeded simulation, Markdown tables.

    python benchmarks/calibration.py --runs 2000

Three studies: verdicts of the whole default suite on models that leak nothing and on the planted
leak; one-sided misses of every interval against the analytic truth; type-I errors of p-values at
the border of the budget.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from privacy_gate.domain import Metric, Outputs, Sizes, decimal, random_generator
from privacy_gate.ranking import break_ties
from privacy_gate.registry import SUITES
from privacy_gate.statistics.band import RocFunctional
from privacy_gate.statistics.episodes import expected_log_binomial
from privacy_gate.statistics.log_mia import LogMia
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.planning import Target, planted_separation, sizes_needed
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.tasks.classification import Classification
from privacy_gate.terms import PlannedCheck
from privacy_gate.verdict import judge, outcome, wrong_directions

CONFIDENCE = 0.95
LEVEL = (1 - CONFIDENCE) / 2
CLASSES = 10
ATTACKS = SUITES["threshold"]
TARGETS = [
    Target(Metric("tpr_at_fpr", 0.01), 0.10),
    Target(Metric("tpr_at_fpr", 0.05), 0.20),
    Target(Metric("tnr_at_fnr", 0.01), 0.10),
    Target(Metric("tnr_at_fnr", 0.05), 0.20),
    Target(Metric("log_mia", "a"), 0.35),
    Target(Metric("auc"), 0.65),
]
"""The budgets of the bundled digits example."""
CHECKS = [PlannedCheck(name, t.metric, t.budget) for name in ATTACKS for t in TARGETS]
SEPARATIONS = {"none": 0.0, "moderate": 1.0, "strong": 2.5}


def planned_size() -> int:
    """The records a side that planning names for the suite."""
    size = sizes_needed(TARGETS, CONFIDENCE, power=0.95, checks=len(CHECKS))
    assert size is not None
    return size


# ------------------------------------------------------------------------------------ the suite


def suite_scores(
    separation: float, size: int, generator: np.random.Generator
) -> dict[str, SortedScores]:
    """Scores of the six threshold attacks on ``size`` + ``size`` records of one simulated model.

    The margin, and with it the loss, is exactly binormal; the other signals follow from the same
    logits, so that the attacks are as correlated as they are on a real model.
    """
    latent = generator.normal(size=2 * size)
    latent[:size] += separation
    labels = generator.integers(0, CLASSES, 2 * size)
    rows = np.arange(2 * size)
    logits = generator.normal(size=(2 * size, CLASSES))
    logits[rows, labels] = -np.inf
    logits[rows, labels] = special.logsumexp(logits, axis=1) + 1.0 + 1.5 * latent
    signals = Classification().signals(Outputs(logits, "logits"), labels)
    keys = generator.integers(0, 2**63, 2 * size, dtype=np.uint64)
    ranks = {name: break_ties(signals[name], keys) for name in ATTACKS}
    return {name: SortedScores.of(r[:size], r[size:]) for name, r in ranks.items()}


def suite_outcomes(separation: float, sizes: Sizes, runs: int, seed: int) -> Counter[str]:
    """Outcome of a run -> how many of ``runs`` models got it."""
    found: Counter[str] = Counter()
    for run in range(runs):
        generator = random_generator(seed, "suite", f"{separation}", f"{sizes}", f"{run}")
        scores = suite_scores(separation, sizes.members, generator)
        checks = judge(
            CHECKS,
            scores,
            sizes,
            confidence=CONFIDENCE,
            wrong_direction=wrong_directions(scores),
        )
        found[outcome(checks)] += 1
    return found


# ------------------------------------------------------------------------------------- coverage


@dataclass(frozen=True)
class Draw:
    """Scores of one simulated model; ``population`` holds all training records, of which the
    members are the first."""

    scores: SortedScores
    population: np.ndarray
    separation: float


def draws(separation: float, size: int, runs: int, seed: int) -> Iterator[Draw]:
    """Binormal members and non-members; members are 60 % of the training records."""
    for run in range(runs):
        generator = random_generator(seed, "coverage", f"{separation}", f"{size}", f"{run}")
        population = generator.normal(separation, 1, math.ceil(size / 0.6))
        nonmembers = generator.normal(size=size)
        yield Draw(SortedScores.of(population[:size], nonmembers), population, separation)


@dataclass(frozen=True)
class Interval:
    """A named interval: draw -> (low, high), and draw -> the truth it should hold."""

    name: str
    method: str
    bounds: Callable[[Draw], tuple[float, float]]
    truth: Callable[[Draw], float]


def _measured(metric: Metric, name: str, method: str) -> Interval:
    judged = statistic(metric)

    def bounds(draw: Draw) -> tuple[float, float]:
        members, nonmembers = draw.scores.members.size, draw.scores.nonmembers.size
        found = judged.measure(draw.scores, LEVEL, LEVEL, Sizes(members, nonmembers))
        return float(found.low), float(found.high)

    return Interval(name, method, bounds, lambda draw: judged.true_value(draw.separation))


def _in_population(rate: float, swap: bool) -> Interval:
    """The rate among this model's own training records, whose number is known."""
    judged = RateAtRate(rate, swap)

    def bounds(draw: Draw) -> tuple[float, float]:
        sides = draw.scores.members.size, draw.scores.nonmembers.size
        found = judged.measure(draw.scores, LEVEL, LEVEL, Sizes(*sides, draw.population.size))
        return float(found.low), float(found.high)

    def truth(draw: Draw) -> float:
        if not swap:
            return float((draw.population > -special.ndtri(rate)).mean())
        allowed = int(decimal(rate) * draw.population.size)
        return float(special.ndtr(np.sort(draw.population)[allowed]))

    name = f"{judged.metric}, training records known"
    return Interval(name, "exact", bounds, truth)


def _band(metric: Metric, band: RocFunctional) -> Interval:
    judged = statistic(metric)
    return Interval(
        f"{metric}, exact band",
        "exact",
        lambda draw: (band.low(draw.scores, LEVEL), band.high(draw.scores, LEVEL)),
        lambda draw: judged.true_value(draw.separation),
    )


def intervals() -> list[Interval]:
    """Every interval that a report can hold."""
    found = []
    for swap in (False, True):
        for rate in (0.01, 0.05):
            metric = RateAtRate(rate, swap).metric
            found += [_measured(metric, str(metric), "exact"), _in_population(rate, swap)]
    size = 15
    for regime in ("a", "b"):
        metric = Metric("log_mia", regime)
        cap = LogMia("a" if regime == "a" else "b", size).cap
        band = RocFunctional(
            gain=lambda tpr: expected_log_binomial(tpr, size),
            weight=lambda fpr, cap=cap: special.betainc(cap + 1, size - cap, fpr),
        )
        found += [_measured(metric, str(metric), "asymptotic"), _band(metric, band)]
    area = RocFunctional(gain=lambda tpr: tpr, weight=lambda fpr: fpr)
    found += [_measured(Metric("auc"), "auc", "asymptotic"), _band(Metric("auc"), area)]
    return [*found, _measured(Metric("advantage"), "advantage", "exact")]


def misses(separation: float, size: int, runs: int, seed: int) -> list[tuple[Interval, int, int]]:
    """Per interval: how often the lower bound lay above the truth, and the upper one below it."""
    judged = intervals()
    low, high = [0] * len(judged), [0] * len(judged)
    for draw in draws(separation, size, runs, seed):
        for i, interval in enumerate(judged):
            (least, most), truth = interval.bounds(draw), interval.truth(draw)
            low[i] += least > truth + 1e-12
            high[i] += most < truth - 1e-12
    return list(zip(judged, low, high, strict=True))


# -------------------------------------------------------------------------------- type-I errors


def worst_case(
    rate: float, budget: float, size: int, generator: np.random.Generator, *, above: bool
) -> SortedScores:
    """A model exactly at the budget whose ROC curve jumps right after the rate (the worst case of
    lower bounds and p-values) or, if not ``above``, right before it (that of upper bounds)."""
    # a score is minus the FPR of the threshold it sits at
    leaking = generator.random(size) < budget
    members = np.where(leaking, 1.0, -rate - 1e-12) if above else np.where(leaking, -rate, -2.0)
    return SortedScores.of(members, -generator.random(size))


def worst_case_in_population(
    rate: float, budget: float, size: int, generator: np.random.Generator, *, swap: bool
) -> SortedScores:
    """The same for lower bounds when ``size`` members are drawn from a known number of training
    records, for TPR (exactly the budgeted share leaks) or TNR (they set the threshold)."""
    total = math.ceil(size / 0.6)
    drawn = generator.permutation(total)[:size]
    if not swap:
        members = np.where(drawn < int(decimal(budget) * total), 1.0, -rate - 1e-12)
        return SortedScores.of(members, -generator.random(size))
    # members are ranked 0, 1, … from below; ranks up to ``allowed`` may lie below the threshold
    allowed = int(decimal(rate) * total)
    nonmembers = np.where(generator.random(size) < budget, -1.0, allowed + 0.5)
    return SortedScores.of(drawn, nonmembers)


@dataclass(frozen=True)
class TypeOne:
    """Rejections at 5 % and at 2.5 %, each with k chosen for that level."""

    name: str
    size: int
    at_5: int
    at_2_5: int


def _rejections(
    name: str,
    size: int,
    runs: int,
    p_value: Callable[[np.random.Generator], Callable[[float], float]],
    seed: int,
) -> TypeOne:
    counts = [0, 0]
    for run in range(runs):
        at = p_value(random_generator(seed, "type one", name, f"{size}", f"{run}"))
        for i, level in enumerate((0.05, 0.025)):
            counts[i] += at(level) <= level
    return TypeOne(name, size, *counts)


def type_one_errors(size: int, runs: int, seed: int) -> list[TypeOne]:
    """Type-I errors of every p-value where the truth is the budget."""
    rows = []
    plain, known = Sizes(size, size), Sizes(size, size, math.ceil(size / 0.6))
    for rate, budget in ((0.01, 0.1), (0.05, 0.2)):
        tpr, tnr = RateAtRate(rate), RateAtRate(rate, swap=True)

        def of_tpr(generator, tpr=tpr, rate=rate, budget=budget):
            scores = worst_case(rate, budget, size, generator, above=True)
            return lambda level: tpr.p_value(scores, budget, level, plain)

        def of_known(generator, tpr=tpr, rate=rate, budget=budget):
            scores = worst_case_in_population(rate, budget, size, generator, swap=False)
            return lambda level: tpr.p_value(scores, budget, level, known)

        def of_tnr(generator, tnr=tnr, rate=rate, budget=budget):
            scores = worst_case_in_population(rate, budget, size, generator, swap=True)
            return lambda level: tnr.p_value(scores, budget, level, known)

        named = {
            f"{tpr.metric}, worst case": of_tpr,
            f"{tpr.metric}, worst case, training records known": of_known,
            f"{tnr.metric}, worst case, training records known": of_tnr,
        }
        rows += [_rejections(name, size, runs, p, seed) for name, p in named.items()]
    for metric in (
        Metric("log_mia", "a"),
        Metric("log_mia", "b"),
        Metric("auc"),
        Metric("advantage"),
    ):
        judged = statistic(metric)
        budget = judged.true_value(1.0)

        def at_budget(generator, judged=judged, budget=budget):
            scores = SortedScores.of(generator.normal(1, 1, size), generator.normal(size=size))
            return lambda level: judged.p_value(scores, budget, level, plain)

        rows.append(
            _rejections(f"{metric}, moderate leak at the budget", size, runs, at_budget, seed)
        )
    return rows


def upper_misses_at_worst(rate: float, budget: float, size: int, runs: int, seed: int) -> int:
    """How often the upper bound of a TPR lies below the truth in its worst case."""
    judged, sizes, count = RateAtRate(rate), Sizes(size, size), 0
    for run in range(runs):
        generator = random_generator(seed, "upper", f"{rate}", f"{size}", f"{run}")
        scores = worst_case(rate, budget, size, generator, above=False)
        count += float(judged.measure(scores, LEVEL, LEVEL, sizes).high) < budget
    return count


# --------------------------------------------------------------------------------------- tables


def _table(head: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def _percent(count: int, runs: int) -> str:
    return f"{100 * count / runs:.2f} %"


def print_suite(runs: int, seed: int) -> None:
    """Study (a)."""
    named, separation = planned_size(), planted_separation(TARGETS)
    print(f"## Verdicts of the whole suite ({len(CHECKS)} checks, {runs} runs a row)\n")
    print(f"`plan` names {named} evaluation records a side for power 0.95.\n")
    rows = []
    for model, distance in (("leaks nothing", 0.0), ("leak at 4 × budget", separation)):
        for sizes in (Sizes(named, named), Sizes(540, 540), Sizes(540, 540, 900)):
            found = suite_outcomes(distance, sizes, runs, seed)
            known = str(sizes.population or "unknown")
            shares = [_percent(found[o], runs) for o in ("pass", "fail", "inconclusive")]
            rows.append([model, str(sizes.members), known, *shares])
    _table(["model", "a side", "training records", "pass", "fail", "inconclusive"], rows)


def print_coverage(runs: int, seed: int) -> None:
    """Study (b)."""
    print(f"## One-sided misses of 95 % intervals (nominal 2.50 % a bound, {runs} runs a cell)\n")
    print("Each cell: lower bound above the truth / upper bound below it.\n")
    for size in (100, 300, 1000):
        columns = [misses(value, size, runs, seed) for value in SEPARATIONS.values()]
        rows = [
            [
                cells[0][0].name,
                cells[0][0].method,
                *(f"{_percent(low, runs)} / {_percent(high, runs)}" for _, low, high in cells),
            ]
            for cells in zip(*columns, strict=True)
        ]
        _table([f"{size} a side", "method", *SEPARATIONS], rows)


def print_type_one(runs: int, seed: int) -> None:
    """Study (c)."""
    print(f"## Type-I errors of p-values where the truth is the budget ({runs} runs a row)\n")
    rows = [
        [row.name, str(size), _percent(row.at_5, runs), _percent(row.at_2_5, runs)]
        for size in (100, 300, 1000)
        for row in type_one_errors(size, runs, seed)
    ]
    _table(["p-value", "a side", "p ≤ 0.05", "p ≤ 0.025"], rows)
    print(f"## Upper bounds of a TPR in their worst case (nominal 2.50 %, {runs} runs a row)\n")
    rows = [
        [f"tpr_at_fpr[{rate:g}]", str(size), _percent(count, runs)]
        for rate, budget in ((0.01, 0.1), (0.05, 0.2))
        for size in (100, 300, 1000)
        for count in (upper_misses_at_worst(rate, budget, size, runs, seed),)
    ]
    _table(["interval", "a side", "upper bound below the truth"], rows)


def main() -> None:
    """Print all tables and what each study cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for study in (print_suite, print_coverage, print_type_one):
        start = time.process_time()
        study(arguments.runs, arguments.seed)
        print(f"{time.process_time() - start:.0f} CPU seconds.\n", flush=True)


if __name__ == "__main__":
    main()
