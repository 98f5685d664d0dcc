"""One score per group: which one? ``python benchmarks/groups.py``.

Models that leak nothing, judged on groups of 6 member records and groups of 3 non-member records,
as when members are patients with more visits. Each row says in how many of ``--runs`` models a
p-value at 2.5 % calls a leak, for budgets at chance.
"""

from __future__ import annotations

import argparse

from privacy_gate.domain import Metric, Sizes, random_generator
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.scores import SortedScores

GROUPS, LEVEL = 400, 0.025
CHOICES = {
    "largest score": lambda scores: scores.max(axis=1),
    "mean score": lambda scores: scores.mean(axis=1),
    "one record": lambda scores: scores[:, 0],
}
TARGETS = {Metric("tpr_at_fpr", 0.05): 0.05, Metric("tnr_at_fnr", 0.05): 0.05, Metric("auc"): 0.5}


def scores(generator, records):
    """(groups, records): half of the variation is common to a group."""
    common = generator.exponential(size=(GROUPS, 1))
    return 0.5 * common + generator.exponential(size=(GROUPS, records))


def rejections(choose, runs):
    """Per target, how many models are called leaky."""
    found = dict.fromkeys(TARGETS, 0)
    for run in range(runs):
        generator = random_generator(0, "groups", f"{run}")
        sides = SortedScores.of(choose(scores(generator, 6)), choose(scores(generator, 3)))
        for metric, budget in TARGETS.items():
            p = statistic(metric).p_value(sides, budget, LEVEL, Sizes(GROUPS, GROUPS))
            found[metric] += p <= LEVEL
    return found


def main():
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    print("| each group counts by its | " + " | ".join(map(str, TARGETS)) + " |")
    print("| --- |" + " --- |" * len(TARGETS))
    for name, choose in CHOICES.items():
        shares = [f"{100 * count / runs:.1f} %" for count in rejections(choose, runs).values()]
        print(f"| {name} | " + " | ".join(shares) + " |")


if __name__ == "__main__":
    main()
