"""What the study prints: Markdown tables, mean and standard deviation over the seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from overconfidence_study.measuring import ORIGINAL, Outcome
from overconfidence_study.published import PUBLISHED
from overconfidence_study.variants import VARIANTS
from privacy_gate.statistics.auc import paired_difference

Runs = dict[str, list[Outcome]]
ATTACKS = ("threshold", "entropy", "Salem")


def print_all(found: Sequence[Outcome]) -> None:
    """Every table of the study."""
    runs = {name: [one for one in found if one.variant == name] for name in VARIANTS}
    _print_models(runs)
    _print_attacks(runs)
    _print_differences(runs)
    _print_rates("At the threshold of the shadow model", runs, _shadow_rates)
    _print_rates("At the gate's own threshold", runs, lambda one: one.own_threshold)
    _print_comparison(runs)


def _print_models(runs: Runs) -> None:
    rows = [
        [
            name,
            *(_spread(one.accuracies[side] for one in of) for side in (0, 1)),
            *(_spread(one.errors[kind] for one in of) for kind in (0, 1)),
            ", ".join(f"{one.parameter:.4g}" for one in of if one.parameter is not None) or "–",
            _spread(one.saturated for one in of),
        ]
        for name, of in runs.items()
    ]
    columns = ["train accuracy", "test accuracy", "ECE", "OE", "T or variance", "members at 1.0"]
    _table("Models", ["variant", *columns], rows)


def _print_attacks(runs: Runs) -> None:
    rows = []
    for name, of in runs.items():
        attacked = [one.attacks["threshold"] for one in of]
        low, high = (
            np.mean([getattr(one.auc, end) for one in attacked]) for end in ("low", "high")
        )
        rows.append(
            [
                name,
                _spread(one.precision for one in attacked),
                _spread(one.recall for one in attacked),
                _spread(one.fpr[ORIGINAL] for one in attacked),
                _spread(one.confidence or float("nan") for one in attacked),
                f"{_spread(one.auc.estimate for one in attacked)} [{low:.3f}, {high:.3f}]",
                _spread(one.auc_in_float32 for one in of),
                *(_spread(one.attacks[title].auc.estimate for one in of) for title in ATTACKS[1:]),
            ]
        )
    columns = ["precision", "recall", "FPR", "FP_MMPS", "AUROC", "in float32", *ATTACKS[1:]]
    _table("The threshold attack, and the areas of the others", ["variant", *columns], rows)


def _print_differences(runs: Runs) -> None:
    """Each variant against the standard network of the same seed, on the same records."""
    rows = []
    for name, of in runs.items():
        if name == "standard":
            continue
        cells = []
        for title in ATTACKS:
            pairs = [
                paired_difference(
                    *zip(a.attacks[title].scores, b.attacks[title].scores, strict=True)
                )
                for a, b in zip(of, runs["standard"], strict=True)
            ]
            z = ", ".join(f"{p.difference / p.standard_error:+.1f}" for p in pairs)
            cells.append(f"{np.mean([p.difference for p in pairs]):+.3f} ({z})")
        rows.append([name, *cells])
    _table("AUROC minus that of the standard network (z of each seed)", ["variant", *ATTACKS], rows)


def _shadow_rates(one: Outcome) -> dict[str, float]:
    attacked = one.attacks["threshold"]
    return {"members": attacked.recall, **attacked.fpr}


def _print_rates(title: str, runs: Runs, rates: Callable[[Outcome], dict[str, float]]) -> None:
    """Share of each set that the threshold attack calls members."""
    sets = rates(runs["standard"][0])
    rows = [
        [name, *(_spread((rates(one)[name] for one in of), 2) for of in runs.values())]
        for name in sets
    ]
    _table(f"Called members. {title}", ["set", *runs], rows)


def _print_comparison(runs: Runs) -> None:
    """Figures here and published, side by side."""
    rows = []
    for name, theirs in PUBLISHED.items():
        of = runs[name]
        attacked = [one.attacks["threshold"] for one in of]
        pairs = [
            ([one.auc.estimate for one in attacked], theirs.auc),
            ([one.attacks["entropy"].auc.estimate for one in of], theirs.entropy),
            ([one.attacks["Salem"].auc.estimate for one in of], theirs.salem),
            ([one.precision for one in attacked], theirs.precision),
            ([one.recall for one in attacked], theirs.recall),
            ([one.confidence or float("nan") for one in attacked], theirs.confidence),
            *(([one.fpr[key] for one in attacked], rate) for key, rate in theirs.fpr.items()),
        ]
        rows.append([name, *(f"{np.mean(ours):.2f} / {other:.2f}" for ours, other in pairs)])
    rates = [f"FPR {key}" for key in PUBLISHED["standard"].fpr]
    columns = ["AUROC", *ATTACKS[1:], "precision", "recall", "FP_MMPS", *rates]
    _table("Here / published", ["variant", *columns], rows)


def _spread(values, digits: int = 3) -> str:
    """Mean and standard deviation; the mean alone of a single seed."""
    known = np.array(list(values), dtype=float)
    mean = f"{known.mean():.{digits}f}"
    return mean if known.size == 1 else f"{mean} ± {known.std(ddof=1):.{digits}f}"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)
