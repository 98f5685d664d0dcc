"""Small learners that tell members from non-members: deterministic, on one thread."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from privacy_gate.domain import Boolean, Float
from privacy_gate.fixture_checks.features import Block

Learner = Callable[[Block, Boolean, Block], Float]
"""Features (n, f) and membership (n,) to learn from, features (k, f) to score -> (k,) scores, the
higher the more likely a member."""


def linear(features: Block, is_member: Boolean, queries: Block) -> Float:
    """Logistic regression on standardised features, strongly regularised."""
    from sklearn.linear_model import LogisticRegression

    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-6 * (1 + np.abs(centre)), spread, np.inf)  # constants say nothing
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=200, tol=1e-3)
    # a value far outside of what was learned from must not decide alone
    seen, asked = (np.clip((part - centre) / spread, -8, 8) for part in (features, queries))
    return _scored(model, seen, is_member, asked)


def trees(features: Block, is_member: Boolean, queries: Block) -> Float:
    """Gradient boosting of small trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=8, max_bins=63, early_stopping=False, random_state=0
    )
    return _scored(model, features, is_member, queries)


def _scored(model: Any, features: Block, is_member: Boolean, queries: Block) -> Float:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a search that ends early gives a weaker learner, no fault
        model.fit(features, is_member)
        return np.asarray(model.decision_function(queries), np.float64)
