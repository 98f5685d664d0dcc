"""Do comparisons with a baseline keep their promises? Seeded simulation, Markdown tables.

    python benchmarks/regression.py --runs 2000

Two models score the same records: binormal scores that correlate over the records. Three studies:
verdicts where nothing changed; verdicts at a planted increase of four times ``max_increase``;
one-sided misses of every interval against the analytic truth.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from privacy_gate.domain import Metric, Sizes, random_generator
from privacy_gate.statistics.comparison import compare_bounds, compare_paired, uses_law
from privacy_gate.statistics.difference import Bounds, Difference
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.paired import Pair, RecordScores
from privacy_gate.terms import PlannedCheck
from privacy_gate.verdict import judge

CONFIDENCE = 0.95
LEVEL = (1 - CONFIDENCE) / 2
EPISODE_SIZE = 15
METRICS = (
    Metric("tpr_at_fpr", 0.01),
    Metric("tpr_at_fpr", 0.05),
    Metric("log_mia", "a"),
    Metric("auc"),
    Metric("advantage"),
)
SIZES = (300, 540, 1000)
UNCHANGED = ((0.0, 0.5, True), (1.0, 0.9, True), (0.0, 0.9, False))
"""Separation of both models, correlation, and whether they are compared record by record."""
LEAKS = {"none, none": (0.0, 0.0), "0.5, none": (0.5, 0.0), "2.5, 2": (2.5, 2.0)}
"""Separations of candidate and baseline."""
ATTACK = "simulated"


@dataclass(frozen=True)
class Case:
    """Records a side, the separations of candidate and baseline, and the correlation of their
    scores."""

    size: int
    candidate: float
    baseline: float
    correlation: float

    def truth(self, metric: Metric) -> float:
        """The true difference."""
        judged = statistic(metric, EPISODE_SIZE)
        return judged.true_value(self.candidate) - judged.true_value(self.baseline)

    def draws(self, runs: int, seed: int) -> Iterator[Pair]:
        """Pairs of models, one per run."""
        other = math.sqrt(1 - self.correlation**2)
        for run in range(runs):
            generator = random_generator(seed, "regression", str(self), str(run))
            first, second = generator.normal(size=(2, 2 * self.size))
            second = self.correlation * first + other * second
            first[: self.size] += self.candidate
            second[: self.size] += self.baseline
            yield Pair(*(RecordScores(s[: self.size], s[self.size :]) for s in (first, second)))


def difference(
    metric: Metric, pair: Pair, checks: int, paired: bool, generator: np.random.Generator
) -> Difference:
    """As ``run`` makes it, for so many checks."""
    size = pair.candidate.members.size
    sizes, holm_level = Sizes(size, size), LEVEL / checks
    options = {"level": LEVEL, "holm_level": holm_level, "episode_size": EPISODE_SIZE}
    if paired:
        return compare_paired(metric, pair, sizes, **options, generator=generator)
    known = Bounds.of(metric, pair.baseline.ordered, sizes, LEVEL / 2, holm_level / 2, EPISODE_SIZE)
    return compare_bounds(metric, pair.candidate.ordered, known, sizes, **options)


def verdicts(
    case: Case,
    budgets: Sequence[float],
    paired: bool,
    runs: int,
    seed: int,
    metrics: Sequence[Metric] = METRICS,
    checks: int | None = None,
) -> dict[tuple[Metric, float], Counter[str]]:
    """(metric, max_increase) -> verdicts; every budget is a configuration of its own, in which all
    ``metrics`` are judged together. ``checks``: how many a configuration has, if more."""
    checks = checks or len(metrics)
    found = {(metric, budget): Counter[str]() for metric in metrics for budget in budgets}
    for run, pair in enumerate(case.draws(runs, seed)):
        generator = random_generator(seed, "bootstrap", str(case), str(run))
        differences = {
            (ATTACK, metric): difference(metric, pair, checks, paired, generator)
            for metric in metrics
        }
        for budget in budgets:
            planned = [PlannedCheck(ATTACK, metric, budget, increase=True) for metric in metrics]
            padding = [
                PlannedCheck(f"{number}", metrics[0], budget, increase=True)
                for number in range(checks - len(metrics))
            ]
            judged = judge(
                [*planned, *padding],
                {check.attack: pair.candidate.ordered for check in (*planned, *padding)},
                Sizes(case.size, case.size),
                confidence=CONFIDENCE,
                differences=differences,
            )
            for metric, check in zip(metrics, judged, strict=False):
                found[metric, budget][check.verdict] += 1
    return found


def misses(
    case: Case, metric: Metric, paired: bool, runs: int, seed: int
) -> tuple[float, float, float, float | None]:
    """Shares of lower bounds above and upper bounds below the truth, the mean half-width, and the
    share of p-values that would fail a model exactly at its budget, the smallest of five by Holm;
    ``None`` where there is no increase."""
    truth, low, high, width, failed = case.truth(metric), 0, 0, 0.0, 0
    checks = len(METRICS)
    for run, pair in enumerate(case.draws(runs, seed)):
        generator = random_generator(seed, "bootstrap", str(case), str(run))
        found = difference(metric, pair, checks, paired, generator)
        assert found.low is not None
        assert found.high is not None
        low += found.low > truth
        high += found.high < truth
        width += (found.high - found.low) / 2
        failed += truth > 0 and found.p_value(truth) <= LEVEL / checks
    return low / runs, high / runs, width / runs, failed / runs if truth > 0 else None


# --------------------------------------------------------------------------------------- tables


def way(metric: Metric, size: int, paired: bool) -> str:
    """How the interval is made."""
    if not paired:
        return "aggregates"
    return "paired" if uses_law(metric, Sizes(size, size)) else "paired, conservative"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |")


def no_change(runs: int, seed: int) -> None:
    """Verdicts where both models leak alike."""
    print(f"\n## Nothing changed ({runs} runs a row)\n")
    rows = []
    for size in SIZES:
        for separation, correlation, paired in UNCHANGED:
            case = Case(size, separation, separation, correlation)
            found = verdicts(case, (0.05, 0.1), paired, runs, seed)
            for metric in METRICS:
                small, large = found[metric, 0.05], found[metric, 0.1]
                shares = (small["pass"], large["pass"], small["fail"])
                rows.append(
                    [
                        f"{size}",
                        str(metric),
                        way(metric, size, paired),
                        f"{separation:g}",
                        f"{correlation:g}",
                        *(percent(share, runs) for share in shares),
                    ]
                )
    header = ["a side", "metric", "comparison", "separation", "correlation"]
    table([*header, "pass at 0.05", "pass at 0.1", "fail at 0.05"], rows)


def planted(runs: int, seed: int, budget: float = 0.05) -> None:
    """Verdicts at an increase of four times ``max_increase`` over a model that leaks nothing."""
    title = f"A planted increase of {4 * budget:g} at max_increase {budget:g}"
    print(f"\n## {title} ({runs} runs a row)\n")
    rows = []
    for size in SIZES:
        for metric in METRICS:
            judged = statistic(metric, EPISODE_SIZE)
            separation = judged.separation(judged.true_value(0.0) + 4 * budget)
            case = Case(size, separation, 0.0, 0.5)
            for paired in (True, False):
                # five checks share the error, as in the rows above
                found = verdicts(case, (budget,), paired, runs, seed, (metric,), len(METRICS))
                counts = found[metric, budget]
                shares = [percent(counts[word], runs) for word in ("pass", "fail")]
                rows.append([f"{size}", str(metric), way(metric, size, paired), *shares])
    table(["a side", "metric", "comparison", "pass", "fail"], rows)


def coverage(runs: int, seed: int, size: int = 540, correlation: float = 0.8) -> None:
    """One-sided misses of every interval."""
    where = f"{size} a side, correlation {correlation:g}"
    print(f"\n## One-sided misses at {where} (nominal 2.50 % a bound, {runs} runs a cell)\n")
    print(
        "Each cell: lower bound above the truth / upper bound below it (mean half-width); then a"
        " p-value\nthat fails a model exactly at its budget, beside four other checks (nominal"
        f" {100 * LEVEL / len(METRICS):.2f} %).\n"
    )
    rows = []
    for metric in METRICS:
        for paired in (True, False):
            cells = []
            for candidate, baseline in LEAKS.values():
                case = Case(size, candidate, baseline, correlation)
                low, high, width, failed = misses(case, metric, paired, runs, seed)
                cell = f"{100 * low:.2f} / {100 * high:.2f} % ({width:.3f})"
                cells.append(cell if failed is None else f"{cell}; {100 * failed:.2f} %")
            rows.append([str(metric), way(metric, size, paired), *cells])
    table(["metric", "comparison", *LEAKS], rows)


def percent(count: int, runs: int) -> str:
    """A share of the runs."""
    return f"{100 * count / runs:.2f} %"


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--study", choices=["no-change", "planted", "coverage"], action="append")
    parser.add_argument("--size", type=int, default=540, help="of the coverage study")
    parser.add_argument("--correlation", type=float, default=0.8, help="of the coverage study")
    options = parser.parse_args()
    studies = {
        "no-change": no_change,
        "planted": planted,
        "coverage": partial(coverage, size=options.size, correlation=options.correlation),
    }
    for name in options.study or studies:
        clock = time.process_time()
        studies[name](options.runs, options.seed)
        print(f"\n{time.process_time() - clock:.0f} CPU seconds.")


if __name__ == "__main__":
    main()
