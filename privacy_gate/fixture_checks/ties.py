"""Do the scores tell records apart? Tied scores are ordered by lot, which shows no leak."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from privacy_gate.domain import FixtureCheck, Float

NAME = "ties"
MOSTLY = 0.5
CONSTANT = 0.99
_DIGITS = 12
"""Scores that agree to so many digits differ by rounding: the entropy of one-hot answers depends on
the order of its sum. Logits in float32 that are not equal differ in the eighth."""


def saturated(scores: Mapping[str, Float]) -> FixtureCheck:
    """``scores``: attack -> scores (n,) of the evaluation records, for attacks that see more than
    predicted labels. Blocking where one of them tells at most a hundredth of the records apart:
    it would pass whatever the model is."""
    shares = {name: _largest_block(values) for name, values in scores.items()}
    if not shares:
        return FixtureCheck(NAME, "pass", "No attack reads scores: ties are what labels are.")
    largest = max(shares.values())
    constant = sum(share > CONSTANT for share in shares.values())
    many = sum(share > MOSTLY for share in shares.values())
    if not many:
        message = f"At most {largest:.1%} of the evaluation records share a score."
        return FixtureCheck(NAME, "pass", message, statistic=largest)
    what = "Scores are constant" if constant else "Scores are saturated"
    return FixtureCheck(
        NAME,
        "inconclusive",
        f"{what}: in {many} of {len(shares)} attacks more than half of the evaluation records share"
        f" one score, up to {largest:.1%}.",
        statistic=largest,
        advice="Check model.output and model.preprocess; name the logits where the model has them,"
        " because probabilities round to 0 and 1.",
        blocking=constant > 0,
    )


def _largest_block(values: Float) -> float:
    mantissa, exponent = np.frexp(values)
    same = np.ldexp(np.round(mantissa, _DIGITS), exponent)
    return float(np.unique(same, return_counts=True)[1].max() / values.size)
