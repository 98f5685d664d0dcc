"""What HAMP defends against, and what not, by the attacker's access. Prints Markdown tables.

    python benchmarks/hamp.py --data DATA [--cache DIRECTORY] [--seeds 3]

DATA is a folder with ``location30.npz`` and ``groceries20.npz``. Weights are kept in the cache, so
that a second run trains nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from few_shot_study import datasets
from hamp_study.attackers import LABELS, METRICS, SCORES, Found, attacked, best, strongest
from hamp_study.training import RECIPES, WEIGHTS, Parts, trained
from hamp_study.views import REPEATS, Judged, answers, averaged, deployed
from torch import nn

from privacy_gate.domain import Float
from privacy_gate.statistics.calibration_error import calibration_error

VARIANTS = {  # weights, whether behind HAMP's output
    "undefended": ("plain", False),
    "label smoothing": ("smoothed", False),
    "HAMP, training only": ("hamp", False),
    "HAMP, output only": ("plain", True),
    "HAMP": ("hamp", True),
}


def utility(judged: Judged, probabilities: Float) -> tuple[float, float, float]:
    """Accuracy on members and on non-members, and the calibration error on non-members."""
    right = probabilities.argmax(axis=1) == judged.labels
    out = ~judged.member
    error = calibration_error(probabilities.max(axis=1)[out], right[out])
    return float(right[judged.member].mean()), float(right[out].mean()), error


def leaks(
    judged: Judged, model: nn.Module, seed: int, *, hidden: bool
) -> Iterator[tuple[str, list[Found]]]:
    """What the attackers achieve at each level of access; ``hidden``: behind HAMP's output."""
    if not hidden:
        evidence = judged.evidence(answers(model, judged.inputs), seed, model)
        yield "labels", attacked(judged, evidence, LABELS)
        yield "scores", attacked(judged, evidence, SCORES)
        return
    front = deployed(model, seed)
    yield "scores", attacked(judged, judged.evidence(answers(front, judged.inputs), seed), SCORES)
    several = judged.evidence(averaged(front, judged.inputs), seed)
    yield f"scores, mean of {REPEATS} answers", attacked(judged, several, SCORES)


def spread(values: list[float]) -> str:
    """Mean and standard deviation over the seeds."""
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def row(*cells: str) -> None:
    """One line of a table."""
    print(f"| {' | '.join(cells)} |")


def study(name: str, folder: Path, cache: Path, seeds: int) -> None:
    """Both tables of one data set."""
    data = datasets.load(name, folder)
    useful: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    found: dict[tuple[str, bool, str], list[list[Found]]] = defaultdict(list)
    for seed in range(seeds):
        judged = Judged.of(name, data, Parts.drawn(name, data.labels.size, seed), seed)
        models = {kind: trained(name, data, kind, seed, cache) for kind in WEIGHTS}
        for variant, (kind, hidden) in VARIANTS.items():
            front = deployed(models[kind], seed) if hidden else models[kind]
            useful[variant].append(utility(judged, answers(front, judged.inputs)))
        for kind, hidden in VARIANTS.values():
            for access, results in leaks(judged, models[kind], seed, hidden=hidden):
                found[kind, hidden, access].append(results)
    print(f"\n### {name}: {RECIPES[name].members} members, as many non-members\n")
    print_utility(useful)
    print_leaks(found)


def print_utility(useful: dict[str, list[tuple[float, float, float]]]) -> None:
    """Accuracies and calibration."""
    row("variant", "train accuracy", "test accuracy", "ECE")
    row("---", "---", "---", "---")
    for variant, values in useful.items():
        row(variant, *(spread(list(column)) for column in zip(*values, strict=True)))
    print()


def print_leaks(found: dict[tuple[str, bool, str], list[list[Found]]]) -> None:
    """The best attack by access level. A wrapper changes no label, and who has the weights goes
    around it: those rows are the same measurement."""
    row("variant", "access", *METRICS, "strongest by AUC")
    row(*["---"] * (len(METRICS) + 3))
    for variant, (kind, hidden) in VARIANTS.items():
        own = [key for key in found if key[:2] == (kind, True)] if hidden else []
        levels = {"labels": (kind, False, "labels")}
        levels |= {access: (kind, True, access) for _, _, access in own}
        levels |= {"raw outputs" if hidden else "scores": (kind, False, "scores")}
        for access, key in levels.items():
            runs = found[key]
            cells = (spread([best(run, metric) for run in runs]) for metric in METRICS)
            row(variant, access, *cells, strongest(runs))


def main() -> None:
    """Train or read, attack, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", choices=tuple(RECIPES), default=tuple(RECIPES))
    arguments = parser.parse_args()
    cache = arguments.cache or Path(tempfile.gettempdir()) / "privacy-gate-hamp"
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    torch.set_num_threads(1)
    for name in arguments.sets:
        study(name, arguments.data, cache, arguments.seeds)


if __name__ == "__main__":
    main()
