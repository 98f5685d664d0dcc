"""The audit: how often an attack calls records members that nobody trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.attacks.threshold import ThresholdAttack
from privacy_gate.audit_checks import calibration_error, false_alarms
from privacy_gate.domain import (
    Boolean,
    Integer,
    Interval,
    Measurement,
    Metric,
    Signals,
    random_generator,
)
from privacy_gate.overconfidence.answers import Asker
from privacy_gate.overconfidence.asked import TOP, Asked, ask
from privacy_gate.overconfidence.counts import (
    SetCalls,
    Threshold,
    confusion,
    is_evidence,
    threshold,
)
from privacy_gate.overconfidence.sets import calibration_nonmembers
from privacy_gate.overconfidence.words import left_out_reason, sentence
from privacy_gate.preparation import Prepared
from privacy_gate.registry import AUDITED_ATTACKS, MODEL
from privacy_gate.results import operating_fpr
from privacy_gate.statistics.calibration_error import BINS, CalibrationErrors, calibration_errors


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """What the report says, ``calls`` of each attack on each set, and the calibration ``errors`` of
    evaluation ``members`` and ``nonmembers``, empty where the model answers labels only."""

    facts: Mapping[str, Any]
    calls: tuple[SetCalls, ...]
    errors: Mapping[str, CalibrationErrors]

    def measurements(self, level: float) -> dict[tuple[str, Metric], Measurement]:
        """What budgets on ``ood_fpr`` and ``ece`` are held against; ``level`` is the error of each
        bound. A record that the model has no finite answer to counts as a false alarm."""
        found = {}
        for call in self.calls:
            metric = Metric("ood_fpr", call.set)
            called = call.called + call.not_finite
            found[call.attack, metric] = false_alarms(metric, called, call.total, level)
        error = self.errors.get("nonmembers")
        if error is not None:
            interval = Interval(*error.calibration)
            found[MODEL, Metric("ece")] = calibration_error(interval, error.records, level)
        return found


def audit(prepared: Prepared, asker: Asker, labels: NDArray[Any], signals: Signals) -> Audit | None:
    """Try the attacks of a run on sets of records that are no members.

    ``labels`` (records,) class positions and ``signals`` of all fixtures. ``None`` for a task
    without classes. Raises ``FixtureError`` for records that are missing or altered, and
    ``ConfigError`` for a generator of the project that breaks its contract; whatever else goes
    wrong with a set is said in the place of its numbers.
    """
    if signals.predicted is None:
        return None
    chosen = [
        attack
        for attack in prepared.programme.attacks
        if isinstance(attack, ThresholdAttack)
        and attack.name in AUDITED_ATTACKS
        and attack.signal in signals.columns
    ]
    asked, missing = ask(prepared, asker, labels, signals) if chosen else ([], [])
    target = prepared.config.overconfidence.fpr or operating_fpr(prepared.programme.checks)
    judged = [_judged(prepared, attack, signals, asked, target) for attack in chosen]
    errors = _errors(prepared, labels, signals) if TOP in signals.columns else {}
    facts = {
        "target_fpr": target,
        "calibration_nonmembers": int(calibration_nonmembers(prepared).size),
        "queries": sum(found.keys.size for found in asked if found.kind != "nonmembers"),
        "sets": [found.facts() for found in asked],
        "missing": [asdict(found) for found in missing],
        "attacks": [facts for facts, _ in judged],
        "left_out": [
            {"name": attack.name, "reason": left_out_reason(attack)}
            for attack in prepared.programme.attacks
            if attack not in chosen
        ],
        "ece": {side: found.facts()["ece"] for side, found in errors.items()},
        "overconfidence_error": {
            side: found.facts()["overconfidence_error"] for side, found in errors.items()
        },
        "bins": BINS,
    }
    return Audit(facts, tuple(call for _, calls in judged for call in calls), errors)


def _judged(
    prepared: Prepared,
    attack: ThresholdAttack,
    signals: Signals,
    asked: Sequence[Asked],
    target: float,
) -> tuple[dict[str, Any], list[SetCalls]]:
    """One attack on all sets, as the report says it, and in counts."""
    data, rows, confidence = prepared.data, prepared.rows, prepared.config.statistics.confidence
    scores, top = signals.columns[attack.signal], np.exp(signals.columns[TOP])
    calibration = calibration_nonmembers(prepared)
    limit = threshold(scores[calibration], prepared.keys[calibration], target)
    if limit is None:
        words = sentence(target, calibration.size, [], "open")
        return {**_outline(attack, target), "sentence": words}, []
    called = limit.called(scores[rows], prepared.keys[rows])
    found = list(_calls(attack, limit, asked))
    rates = {call.set: call.fpr(confidence) for call, _ in found}
    away = {name: rate for name, rate in rates.items() if name != "nonmembers"}
    evidence = is_evidence([*away.values()], target) if away else "open"
    return {
        **_outline(attack, target),
        "threshold": limit.score,
        "evidence": evidence,
        "groups": confusion(called, data.is_member[rows], top[rows]),
        "sets": [
            {
                "name": call.set,
                "called": call.called,
                "total": call.total,
                "not_finite": call.not_finite,
                "fpr": rates[call.set],
                "drift": rates[call.set]["estimate"] / target,
                "mmps": groups,
            }
            for call, groups in found
        ],
        "sentence": sentence(target, calibration.size, [*away.items()], evidence),
    }, [call for call, _ in found]


def _outline(attack: ThresholdAttack, target: float) -> dict[str, Any]:
    """An attack before anything is known of it."""
    return {
        "name": attack.name,
        "threshold": None,
        "target_fpr": target,
        "evidence": "open",
        "groups": None,
        "sets": [],
    }


def _calls(
    attack: ThresholdAttack, limit: Threshold, asked: Sequence[Asked]
) -> Iterator[tuple[SetCalls, dict[str, float | None]]]:
    """The counts of each set, and the mean largest probability of those called and the others."""
    for found in asked:
        called = limit.called(found.scores(attack.signal), found.keys)
        none: Boolean = np.zeros(called.size, np.bool_)
        groups = confusion(called, none, np.exp(found.scores(TOP)))
        yield (
            SetCalls(
                attack.name, found.name, int(called.sum()), int(called.size), found.not_finite
            ),
            {"fp": groups["fp"], "tn": groups["tn"]},
        )


def _errors(prepared: Prepared, labels: Integer, signals: Signals) -> dict[str, CalibrationErrors]:
    """The calibration errors of evaluation members and non-members."""
    config, found = prepared.config, {}
    confidence, correct = np.exp(signals.columns[TOP]), signals.predicted == labels
    for side, of_side in (("members", True), ("nonmembers", False)):
        rows = prepared.rows[prepared.data.is_member[prepared.rows] == of_side]
        found[side] = calibration_errors(
            confidence[rows],
            np.asarray(correct)[rows],
            random_generator(config.statistics.seed, "calibration-error", side),
            level=(1 - config.statistics.confidence) / 2,
        )
    return found
