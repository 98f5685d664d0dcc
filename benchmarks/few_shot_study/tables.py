"""What the study prints: Markdown tables, means over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from few_shot_study.attackers import LEVEL, METRICS, Result
from privacy_gate.domain import Float, Measurement
from privacy_gate.statistics.auc import paired_difference

CANDIDATE = "anchored-5"
TITLES = {"auc": "AUC", "tpr": "TPR@1 %", "log_mia_a": "Log-MIA A", "log_mia_b": "Log-MIA B"}
TOLERANCE = 0.01
"""How far below the best threshold attack the candidate's AUC may lie."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One target and seed under all attackers; accuracies on members and on non-members."""

    dataset: str
    kind: str
    records: int
    accuracies: tuple[float, float]
    results: list[Result]

    @property
    def target(self) -> str:
        return f"{self.dataset} {self.kind}"

    def of(self, label: str) -> Result:
        """The result of one attacker."""
        return next(result for result in self.results if result.attacker.label == label)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The candidate against the best threshold attack of one target, over its seeds."""

    target: str
    best: str
    best_results: list[Result]
    own_results: list[Result]

    @classmethod
    def of(cls, seeds: Sequence[Outcome]) -> Comparison:
        names = [r.attacker.label for r in seeds[0].results if r.attacker.family == "threshold"]
        best = max(names, key=lambda name: _mean(o.of(name).metrics["auc"] for o in seeds))
        return cls(
            seeds[0].target,
            best,
            [outcome.of(best) for outcome in seeds],
            [outcome.of(CANDIDATE) for outcome in seeds],
        )

    @property
    def z(self) -> Float:
        """Paired DeLong z of each seed."""
        found = [
            paired_difference(*zip(own.scores, best.scores, strict=True))
            for own, best in zip(self.own_results, self.best_results, strict=True)
        ]
        return np.array([f.difference / f.standard_error if f.difference else 0.0 for f in found])

    @property
    def combined(self) -> tuple[float, float]:
        """Stouffer's z over the seeds, and its two-sided p."""
        z = float(self.z.sum() / np.sqrt(self.z.size))
        return z, 2 * float(special.ndtr(-abs(z)))

    def means(self, metric: str) -> tuple[float, float]:
        """The best threshold attack's mean over the seeds, and the candidate's."""
        best, own = (
            _mean(result.metrics[metric] for result in results)
            for results in (self.best_results, self.own_results)
        )
        return best, own

    @property
    def single_draws(self) -> float:
        """Mean AUC of single draws of the candidate."""
        return float(np.mean([result.draws.mean() for result in self.own_results]))


def print_all(outcomes: Sequence[Outcome]) -> None:
    """Every table of the study."""
    by_target: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_target[outcome.target].append(outcome)
    attacked = {t: seeds for t, seeds in by_target.items() if seeds[0].kind != "null"}
    nulls = [seeds for seeds in by_target.values() if seeds[0].kind == "null"]
    comparisons = [Comparison.of(seeds) for seeds in attacked.values()]
    _print_targets(by_target)
    _print_comparisons(comparisons)
    _print_nulls(nulls)
    _print_overview(attacked)
    _print_requirements(comparisons, nulls)
    for target, seeds in by_target.items():
        _print_target(target, seeds)


def _print_targets(by_target: dict[str, list[Outcome]]) -> None:
    print("### Targets\n")
    rows = []
    for target, seeds in by_target.items():
        accuracies = np.mean([outcome.accuracies for outcome in seeds], axis=0)
        counts = [outcome.results[0].metrics["auc"].counts for outcome in seeds]
        sides = "+".join(
            f"{np.mean([c[s] for c in counts]):.0f}" for s in ("members", "nonmembers")
        )
        rows.append(
            [target, f"{np.mean([o.records for o in seeds]):.0f}", sides]
            + [f"{accuracy:.2f}" for accuracy in accuracies]
        )
    _table(["target", "records", "evaluated", "accuracy, members", "accuracy, non-members"], rows)


def _print_comparisons(comparisons: Sequence[Comparison]) -> None:
    print(f"### {CANDIDATE} against the best threshold attack\n")
    rows = []
    for found in comparisons:
        z, p = found.combined
        (best_auc, own_auc), (best_tpr, own_tpr), (best_a, own_a) = (
            found.means(metric) for metric in ("auc", "tpr", "log_mia_a")
        )
        rows.append(
            [
                found.target,
                found.best,
                f"{best_auc:.3f}",
                f"{own_auc:.3f}",
                f"{found.single_draws:.3f}",
                ", ".join(f"{value:+.1f}" for value in found.z),
                f"{z:+.1f} ({p:.1g})",
                f"{best_tpr:.3f} → {own_tpr:.3f}",
                f"{best_a:.3f} → {own_a:.3f}",
            ]
        )
    _table(
        [
            "target",
            "best",
            "its AUC",
            CANDIDATE,
            "single draws",
            "z of the seeds",
            "combined z (p)",
            "TPR@1 %",
            "Log-MIA A",
        ],
        rows,
    )


def _print_nulls(nulls: Sequence[Sequence[Outcome]]) -> None:
    if not nulls:
        return
    runs = [outcome for seeds in nulls for outcome in seeds]
    print(
        f"### True nulls: how many of {len(runs)} runs have a 95 % interval that misses the null\n"
    )
    rows = []
    for index, result in enumerate(runs[0].results):
        found = [outcome.results[index] for outcome in runs]
        areas = [r.metrics["auc"].estimate for r in found]
        misses = [str(sum(_outside(r.metrics[name]) for r in found)) for name in METRICS]
        smallest = min(r.metrics[name].null_p for r in found for name in METRICS if name != "auc")
        row = [result.attacker.label, f"{np.mean(areas):.3f}", f"{min(areas):.3f}–{max(areas):.3f}"]
        rows.append([*row, *misses, f"{smallest:.2g}"])
    header = ["attacker", "mean AUC", "range", *TITLES.values(), "smallest exact p"]
    _table(header, rows)


def _print_overview(attacked: dict[str, list[Outcome]]) -> None:
    print("### AUC of the ensembles, and in brackets of single draws\n")
    rows = []
    for index, result in enumerate(next(iter(attacked.values()))[0].results):
        row = [result.attacker.label]
        for seeds in attacked.values():
            found = [outcome.results[index] for outcome in seeds]
            text = f"{_mean(r.metrics['auc'] for r in found):.3f}"
            if found[0].draws.size:
                text += f" [{np.mean([r.draws.mean() for r in found]):.3f}]"
            row.append(text)
        rows.append(row)
    _table(["attacker", *attacked], rows)


def _print_requirements(
    comparisons: Sequence[Comparison], nulls: Sequence[Sequence[Outcome]]
) -> None:
    """The conditions under which the candidate is the default."""
    leaky = [found for found in comparisons if found.target.endswith(" leaky")]
    gaps = {found.target: found.means("auc")[1] - found.means("auc")[0] for found in leaky}
    draws = {found.target: found.single_draws - found.means("auc")[0] for found in leaky}
    level = LEVEL * 2 / max(1, len(leaky))
    beaten = [f for f in leaky if f.combined[0] > 0 and f.combined[1] <= level]
    raised = [found.target for found in beaten if found.means("tpr")[1] > found.means("tpr")[0]]
    results = [outcome.of(CANDIDATE) for seeds in nulls for outcome in seeds]
    inside = sum(not _outside(result.metrics["auc"]) for result in results)
    pooled = [_pooled_null_z(seeds) for seeds in nulls]
    print("### The requirements\n")
    print(
        f"- Smallest AUC minus that of the best threshold: {_least(gaps)} (ensemble),"
        f" {_least(draws)} (single draws); required ≥ -{TOLERANCE:g}."
    )
    print(
        f"- Better at p ≤ {level:.4f} (5 % shared by {len(leaky)} targets):"
        f" {', '.join(found.target for found in beaten) or 'none'}; required: 3."
    )
    print(f"- TPR@1 % raised on: {', '.join(raised) or 'none'}.")
    print(
        f"- True nulls: {inside} of {len(results)} AUC intervals hold 0.5; mean AUC of a set, in"
        f" null deviations: {', '.join(f'{z:+.1f}' for z in pooled)}.\n"
    )


def _print_target(target: str, seeds: Sequence[Outcome]) -> None:
    print(f"### {target}\n")
    rows = []
    for index, result in enumerate(seeds[0].results):
        found = [outcome.results[index] for outcome in seeds]
        draws = "–"
        if result.draws.size:
            mean = np.mean([r.draws.mean() for r in found])
            draws = f"{mean:.3f} ({np.mean([r.draws.std(ddof=1) for r in found]):.3f})"
        cells = [_interval([r.metrics[name] for r in found]) for name in METRICS]
        seconds = f"{np.mean([r.seconds for r in found]):.2f}"
        rows.append([result.attacker.label, cells[0], draws, *cells[1:], seconds])
    a, b = (seeds[0].results[0].metrics[name].null for name in ("log_mia_a", "log_mia_b"))
    header = ["attacker", "AUC", "single draws (sd)", "TPR@1 %"]
    header += [f"Log-MIA A (null {a:.3f})", f"B (null {b:.3f})", "CPU s"]
    _table(header, rows)


def _interval(found: Sequence[Measurement]) -> str:
    """Mean estimate and mean bounds over the seeds: what one run typically says."""
    low, high = (float(np.mean([getattr(m, end) for m in found])) for end in ("low", "high"))
    return f"{_mean(found):.3f} [{low:.3f}, {high:.3f}]"


def _outside(measured: Measurement) -> bool:
    return not measured.low <= measured.null <= measured.high


def _pooled_null_z(seeds: Sequence[Outcome]) -> float:
    """The candidate's mean AUC over the seeds, in exact standard deviations without leakage."""
    areas, variance = [], 0.0
    for outcome in seeds:
        measured = outcome.of(CANDIDATE).metrics["auc"]
        n, m = (measured.counts[side] for side in ("members", "nonmembers"))
        areas.append(measured.estimate)
        variance += (n + m + 1) / (12 * n * m)
    return float(np.sum(areas) - 0.5 * len(areas)) / float(np.sqrt(variance))


def _least(gaps: dict[str, float]) -> str:
    target = min(gaps, key=lambda name: gaps[name])
    return f"{gaps[target]:+.3f} ({target})"


def _mean(found) -> float:
    return float(np.mean([measured.estimate for measured in found]))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)
