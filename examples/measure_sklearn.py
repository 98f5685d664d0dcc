"""Membership scores of a scikit-learn model, as a table for ``privacy-gate measure``.

    python examples/measure_sklearn.py scores.csv
    privacy-gate measure scores.csv --budget 'tpr_at_fpr[0.05]<=0.15' --budget 'auc<=0.6'

The score of a record is the probability that the model gives to its label: higher means more likely
a member. Any increasing function of it, such as minus the loss, gives the same result.

Which records the model is trained on is decided by a coin for each, before training. With a test
set from elsewhere, the comparison would also measure whatever else differs between the two sets.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np


def membership_scores(records: int, leaf: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Train on the records whose coin says so; score all: (records,) float64, and who was in."""
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier

    x, y = make_classification(records, n_informative=5, flip_y=0.2, random_state=seed)
    member = np.random.default_rng(seed).random(records) < 0.5
    model = RandomForestClassifier(200, min_samples_leaf=leaf, random_state=seed)
    model.fit(x[member], y[member])
    column = np.searchsorted(model.classes_, y)  # predict_proba has one column for each class
    return model.predict_proba(x)[np.arange(records), column], member


def write(path: Path, scores: np.ndarray, member: np.ndarray) -> None:
    """The table: a header, then one row for each record."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["score", "member"])
        table.writerows(zip(scores.tolist(), member.astype(int).tolist(), strict=True))


def main() -> None:
    """Write the scores of a forest that memorises, or, with ``--leaf 100``, of one that cannot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--records", type=int, default=6000)
    parser.add_argument("--leaf", type=int, default=1, help="Records in the smallest leaf.")
    arguments = parser.parse_args()
    write(arguments.path, *membership_scores(arguments.records, arguments.leaf))


if __name__ == "__main__":
    main()
