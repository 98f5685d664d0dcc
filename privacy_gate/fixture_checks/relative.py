"""What attacks get beyond a blind attacker, where the terms accept that the sides differ.

Both score the same evaluation records, so the differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from privacy_gate.domain import Float, Metric, Sizes, random_generator
from privacy_gate.fixture_checks.blind_baseline import NAME
from privacy_gate.fixture_checks.running import KIND, ModelFree
from privacy_gate.preparation import Prepared
from privacy_gate.ranking import break_ties
from privacy_gate.statistics.comparison import compare_paired
from privacy_gate.statistics.difference import Difference
from privacy_gate.statistics.paired import Pair, RecordScores


def beyond_blind(
    prepared: Prepared, found: ModelFree, ranks: Mapping[str, Float], episode_size: int
) -> dict[str, Mapping[str, Any]]:
    """Attack -> ``auc`` and ``tpr_at_fpr`` at the budgeted rates, each with the values of the
    ``attack`` and of the ``blind`` one and their ``difference`` with bounds; empty unless a shift
    was accepted. ``ranks``: attack -> (records,)."""
    if not any(check.name == NAME and check.accepted for check in found.checks):
        return {}
    is_member = prepared.data.is_member[found.rows]
    sizes = Sizes(int(is_member.sum()), int((~is_member).sum()))
    level = (1 - prepared.config.statistics.confidence) / 2
    blind = break_ties(found.scores, prepared.keys[found.rows])
    rates = sorted({c.metric for c in prepared.programme.checks if c.metric.name == "tpr_at_fpr"})

    def compared(name: str, metric: Metric) -> dict[str, Any]:
        own = ranks[name][found.rows]
        pair = Pair(*(RecordScores.of(s[is_member], s[~is_member]) for s in (own, blind)))
        difference = compare_paired(
            metric,
            pair,
            sizes,
            level=level,
            holm_level=level,
            episode_size=episode_size,
            generator=random_generator(prepared.config.statistics.seed, KIND, name, str(metric)),
        )
        return _facts(difference)

    return {
        name: {
            "members": sizes.members,
            "nonmembers": sizes.nonmembers,
            "auc": compared(name, Metric("auc")),
            "tpr_at_fpr": tuple({"fpr": rate.argument, **compared(name, rate)} for rate in rates),
        }
        for name in ranks
    }


def said(found: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """One sentence about the attack that gets most beyond the blind one, if any was compared."""
    if not found:
        return ()
    name, best = max(found.items(), key=lambda item: float(item[1]["auc"]["difference"] or 0.0))
    area = best["auc"]
    return (
        f"Without the model a blind attacker gets AUC {area['blind']:.3f}. Of all attacks {name}"
        f" gets most beyond that: {area['difference']:+.3f} [{area['low']:+.3f},"
        f" {area['high']:+.3f}].",
    )


def _facts(difference: Difference) -> dict[str, Any]:
    return {
        "attack": difference.candidate,
        "blind": difference.baseline,
        "difference": difference.difference,
        "low": difference.low,
        "high": difference.high,
        "method": difference.method,
    }
