"""All that is reported about one set of scores, budgets or not: plain JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from privacy_gate.domain import Measurement, Sizes
from privacy_gate.statistics.advantage import Advantage
from privacy_gate.statistics.auc import Auc
from privacy_gate.statistics.log_mia import LogMia, excess, leakage_word, log_mia
from privacy_gate.statistics.null import null_mean_log, null_quantile
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.scores import SortedScores


def summary(
    scores: SortedScores,
    sizes: Sizes,
    *,
    fpr: Sequence[float],
    fnr: Sequence[float],
    level: float,
    episode_size: int,
) -> dict[str, Any]:
    """Every metric with its bounds at ``level``, by the names of the report."""
    return {
        "auc": interval(Auc().measure(scores, level, level, sizes)),
        "advantage": interval(Advantage().measure(scores, level, level, sizes)),
        "tpr_at_fpr": [_rate("fpr", RateAtRate(rate), scores, sizes, level) for rate in fpr],
        "tnr_at_fnr": [
            _rate("fnr", RateAtRate(rate, swap=True), scores, sizes, level) for rate in fnr
        ],
        "log_mia": [
            _log_mia(LogMia("a", episode_size), scores, sizes, level),
            _log_mia(LogMia("b", episode_size), scores, sizes, level),
        ],
    }


def interval(measured: Measurement) -> dict[str, Any]:
    """Estimate, bounds and method of a measurement."""
    return {
        "estimate": measured.estimate,
        "low": measured.low,
        "high": measured.high,
        "method": measured.method,
    }


def _rate(
    name: str, judged: RateAtRate, scores: SortedScores, sizes: Sizes, level: float
) -> dict[str, Any]:
    measured = judged.measure(scores, level, level, sizes)
    counts = measured.counts
    return {
        name: judged.rate,
        **interval(measured),
        "true_positives": counts["true_positives"],
        "false_positives": counts["false_positives"],
        "observable": judged.observable(sizes),
        "k_hi": counts["k_hi"],
        "k_lo": counts["k_lo"],
        "null_p": measured.null_p,
    }


def _log_mia(judged: LogMia, scores: SortedScores, sizes: Sizes, level: float) -> dict[str, Any]:
    measured = judged.measure(scores, level, level, sizes)
    cap = int(measured.counts["false_positives_allowed"] or 0)
    true = int(measured.counts["true_positives"] or 0)
    mean, null = measured.estimate, judged.null_mean
    quantile = null_quantile(0.95, cap, sizes.members, sizes.nonmembers)
    return {
        "regime": judged.regime,
        "f": cap,
        "true_positives": true,
        "value": log_mia(true, sizes.members),
        "null_mean": null_mean_log(cap, sizes.members, sizes.nonmembers),
        "null_q95": log_mia(quantile, sizes.members),
        "null_p": measured.null_p,
        "episode_size": judged.size,
        "episode_f": judged.cap,
        "episode_mean": measured.estimate,
        "episode_low": measured.low,
        "episode_high": measured.high,
        "episode_null_mean": null,
        "episode_excess": None if mean is None else excess(mean, null),
        "word": leakage_word(measured),
        "method": measured.method,
        "note": measured.note,
    }
