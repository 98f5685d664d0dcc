"""The same attacks on the same records, with answers that are calibrated in two ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from privacy_gate.attacks.threshold import ThresholdAttack
from privacy_gate.calibration_lens.laplace import LastLayer, fit_laplace, matching_layer
from privacy_gate.calibration_lens.temperature import fit_temperature
from privacy_gate.domain import Evidence, Float, Metric, Sizes, Split, random_generator
from privacy_gate.overconfidence.sets import calibration_nonmembers
from privacy_gate.preparation import Prepared
from privacy_gate.ranking import break_ties, sides
from privacy_gate.registry import AUDITED_ATTACKS
from privacy_gate.results import operating_fpr
from privacy_gate.statistics.calibration_error import BINS, calibration_errors
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.tasks.classification import signals_from_logits

FEWEST = 30
"""Calibration records of a side below which nothing is fitted."""

MOST = 2_000_000
"""Class scores above which the Laplace approximation, which draws them 100 times, is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class LensInputs:
    """What only an open model can tell: its linear layers with an output per class, the ``noise``
    (z, m) features of inputs that are noise, and otherwise why there is no last layer."""

    layers: tuple[LastLayer, ...] = ()
    noise: Float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Variant:
    """The answers of a calibrated model: ``logits`` (records, K), and what was fitted."""

    name: str
    words: str
    logits: Float
    parameter: float | None = None


def calibration_lens(
    prepared: Prepared, evidence: Evidence, inputs: LensInputs
) -> dict[str, Any] | None:
    """``Report.calibration``: for each variant of the model its calibration errors on evaluation
    non-members, its accuracy there, and what each threshold attack finds. ``None`` for a model
    without class scores. Nothing is fitted on evaluation records, and no verdict depends on it."""
    logits = evidence.signals.outputs
    attacks = [
        attack
        for attack in prepared.programme.attacks
        if isinstance(attack, ThresholdAttack) and attack.name in AUDITED_ATTACKS
    ]
    if logits is None or not attacks:
        return None
    found, missing = _variants(prepared, evidence, logits, inputs)
    fpr = operating_fpr(prepared.programme.checks)
    return {
        "fpr": fpr,
        "bins": BINS,
        "calibration_records": int(calibration_nonmembers(prepared).size),
        "variants": [_measured(prepared, evidence, one, attacks, fpr) for one in found],
        "missing": missing,
    }


def _variants(
    prepared: Prepared, evidence: Evidence, logits: Float, inputs: LensInputs
) -> tuple[list[_Variant], list[dict[str, str]]]:
    """The variants that there are, the model as it is first, and why others are not."""
    found = [_Variant("as-is", "as it is", logits)]
    held_out = calibration_nonmembers(prepared)
    if held_out.size < FEWEST:
        reason = f"there are fewer than {FEWEST} calibration non-members"
        return found, [{"name": name, "reason": reason} for name in ("temperature", "laplace")]
    labels = evidence.labels[held_out]
    temperature = fit_temperature(logits[held_out], labels)
    words = f"divided by a temperature of {temperature:.3g}"
    found.append(_Variant("temperature", words, logits / temperature, temperature))
    layer, reason = _last_layer(evidence, logits, inputs)
    if layer is None:
        return found, [{"name": "laplace", "reason": reason}]
    features = np.asarray(evidence.signals.features, dtype=np.float64)
    members = np.flatnonzero((evidence.split == Split.CALIBRATION) & (evidence.membership == 1))
    if members.size < FEWEST:
        reason = f"there are fewer than {FEWEST} calibration members"
        return found, [{"name": "laplace", "reason": reason}]
    fitted = fit_laplace(
        layer,
        features[members],
        prepared.data.training_records or int(prepared.data.is_member.sum()),
        features[held_out],
        labels,
        np.empty((0, features.shape[1])) if inputs.noise is None else inputs.noise,
        evidence.seed,
    )
    words = f"last-layer Laplace approximation, prior variance {fitted.variance:.3g}"
    found.append(_Variant("laplace", words, fitted.logits(features), fitted.variance))
    return found, []


def _last_layer(
    evidence: Evidence, logits: Float, inputs: LensInputs
) -> tuple[LastLayer | None, str]:
    features = evidence.signals.features
    if inputs.reason or features is None:
        return None, inputs.reason or "model.features names no layer"
    if logits.size > MOST:
        return None, f"it takes too long for more than {MOST:,} class scores"
    layer = matching_layer(list(inputs.layers), np.asarray(features, dtype=np.float64), logits)
    if layer is None:
        return None, "no linear layer turns what model.features names into the class scores"
    return layer, ""


def _measured(
    prepared: Prepared,
    evidence: Evidence,
    variant: _Variant,
    attacks: Sequence[ThresholdAttack],
    fpr: float,
) -> dict[str, Any]:
    """One variant as the report says it."""
    rows, is_member, labels = prepared.rows, prepared.data.is_member, evidence.labels
    signals = signals_from_logits(variant.logits, labels)
    nonmembers = rows[~is_member[rows]]
    correct = variant.logits[nonmembers].argmax(axis=1) == labels[nonmembers]
    level = (1 - prepared.config.statistics.confidence) / 2
    errors = calibration_errors(
        np.exp(signals["confidence"][nonmembers]),
        correct,
        random_generator(evidence.seed, "calibration-lens", variant.name),
        level=level,
    ).facts()
    return {
        "name": variant.name,
        "words": variant.words,
        "parameter": variant.parameter,
        "accuracy": float(correct.mean()),
        "ece": errors["ece"],
        "overconfidence_error": errors["overconfidence_error"],
        "attacks": [
            {
                "name": attack.name,
                **_found(
                    sides(break_ties(signals[attack.signal], prepared.keys), rows, is_member),
                    prepared.sizes,
                    level,
                    fpr,
                ),
            }
            for attack in attacks
        ],
    }


def _found(scores: SortedScores, sizes: Sizes, level: float, fpr: float) -> dict[str, Any]:
    """AUC and TPR with their intervals."""

    def interval(metric: Metric) -> dict[str, float | None]:
        measured = statistic(metric).measure(scores, level, level, sizes)
        return {"estimate": measured.estimate, "low": measured.low, "high": measured.high}

    return {"auc": interval(Metric("auc")), "tpr": interval(Metric("tpr_at_fpr", fpr))}
