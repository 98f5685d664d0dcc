"""Each remedy measured: what attacks get, what it costs in accuracy and calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from privacy_gate.advice.remedies import REMEDIES
from privacy_gate.attacks.threshold import CORRECTNESS, ThresholdAttack
from privacy_gate.calibration_lens.lens import FEWEST
from privacy_gate.calibration_lens.temperature import fit_temperature
from privacy_gate.domain import Float, Integer, Metric, Scores, Sizes, Split, random_generator
from privacy_gate.errors import ConfigError
from privacy_gate.overconfidence.sets import calibration_nonmembers
from privacy_gate.preparation import Prepared
from privacy_gate.programme import Programme
from privacy_gate.ranking import break_ties, sides
from privacy_gate.registry import AUDITED_ATTACKS, LABELS_ONLY, SUITES, open_attack
from privacy_gate.results import operating_fpr
from privacy_gate.scoring import Scored, score_model
from privacy_gate.signals import Progress
from privacy_gate.statistics.calibration_error import calibration_errors
from privacy_gate.statistics.metrics import statistic
from privacy_gate.tasks.classification import signals_from_logits

HAMP = "hamp"


@dataclass(frozen=True, slots=True)
class Effect:
    """A remedy and what follows from it: ``attacks`` on scores and ``correctness``: name -> AUC and
    TPR, each {estimate, low, high}; ``accuracy`` and ``ece`` on held-out non-members. ``reason``:
    why it was not measured."""

    name: str
    words: str
    attacks: Mapping[str, Mapping[str, Any]]
    accuracy: float | None = None
    ece: Mapping[str, Any] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """``effects``: the model as it is first; ``labels_only``: what attackers get who see labels
    only, whatever is done to scores; ``fpr`` of the TPR; records a side."""

    effects: tuple[Effect, ...]
    labels_only: Mapping[str, Mapping[str, Any]]
    fpr: float
    members: int
    nonmembers: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "split": "calibration",
            "fpr": self.fpr,
            "members": self.members,
            "nonmembers": self.nonmembers,
            "labels_only": dict(self.labels_only),
            "effects": [
                {
                    "name": effect.name,
                    "words": effect.words,
                    "attacks": dict(effect.attacks),
                    "accuracy": effect.accuracy,
                    "ece": effect.ece,
                    "reason": effect.reason,
                }
                for effect in self.effects
            ],
        }


def advise(prepared: Prepared, progress: Progress | None = None) -> Advice:
    """Try the remedies on the calibration split; what has to be fitted or chosen is so on the
    support split. Raises ``PrivacyGateError``, ``ConfigError`` for a model without scores."""
    if prepared.config.task != "classification" or prepared.config.model.output.kind == "labels":
        raise _without_scores(prepared)
    shifted = _shifted(prepared, (*_score_attacks(), *_label_attacks(prepared)))
    if not shifted.looks_through_lens:
        raise ConfigError(
            "The scores of all records do not fit in memory, so nothing can be tried on them.",
            hint="Use fewer fixture records.",
        )
    scored = score_model(shifted, progress, whole=False)
    logits = scored.signals.outputs
    if logits is None:
        raise _without_scores(prepared)
    bench = _Bench(shifted, scored, operating_fpr(prepared.programme.checks))
    found = [bench.effect("as-is", "the model as it is", logits), _temperature(bench, logits)]
    found += [bench.effect(remedy.name, remedy.words, remedy.apply(logits)) for remedy in REMEDIES]
    found.append(_hamp(prepared, bench, progress))
    sizes = bench.sizes
    labels_only = {
        attack.name: bench.found(scored.scores[attack.name])
        for attack in shifted.programme.attacks
        if attack.name in LABELS_ONLY
    }
    return Advice(tuple(found), labels_only, bench.fpr, sizes.members, sizes.nonmembers)


def _without_scores(prepared: Prepared) -> ConfigError:
    return ConfigError(
        "There is nothing to try: remedies change class scores, and this model shows none.",
        hint="What remains is training again; see docs/hamp.md.",
        location=prepared.config.location("model", "output"),
    )


def _temperature(bench: _Bench, logits: Float) -> Effect:
    """Temperature scaling, fitted on support non-members, which are not judged here."""
    held_out = calibration_nonmembers(bench.prepared)
    if held_out.size < FEWEST:
        reason = f"there are fewer than {FEWEST} support non-members to fit it on"
        return Effect("temperature", "scores divided by a fitted temperature", {}, reason=reason)
    fitted = fit_temperature(logits[held_out], bench.scored.labels[held_out])
    words = f"scores divided by a fitted temperature of {fitted:.3g}"
    return bench.effect("temperature", words, logits / fitted)


def _hamp(prepared: Prepared, bench: _Bench, progress: Progress | None) -> Effect:
    """HAMP's output modification, which asks the model about random inputs."""
    words = "HAMP's output modification: the scores of a random input, in the order of the real"
    if HAMP in prepared.config.model.output.transforms:
        return Effect(HAMP, words, {}, reason="the configuration has it already")
    model = prepared.config.model
    output = model.output.model_copy(update={"transforms": (*model.output.transforms, HAMP)})
    settings = prepared.config.settings.model_copy(
        update={"model": model.model_copy(update={"output": output})}
    )
    changed = replace(prepared, config=replace(prepared.config, settings=settings))
    scored = score_model(_shifted(changed, _score_attacks()), progress, whole=False)
    logits = scored.signals.outputs
    assert logits is not None  # as many as without it
    return bench.effect(HAMP, words, logits)


@dataclass(frozen=True, eq=False)
class _Bench:
    """Where remedies are measured: calibration records, as if they were evaluation records."""

    prepared: Prepared
    scored: Scored
    fpr: float

    @property
    def sizes(self) -> Sizes:
        return self.prepared.sizes

    def effect(self, name: str, words: str, logits: Float) -> Effect:
        """What attacks on scores get from ``logits`` (records, K), and what these are worth."""
        labels, rows = self.scored.labels, self.prepared.rows
        right = logits.argmax(axis=1) == labels
        columns = {**signals_from_logits(logits, labels), CORRECTNESS.signal: right.astype(float)}
        nonmembers = rows[~self.prepared.data.is_member[rows]]
        correct = right[nonmembers]
        errors = calibration_errors(
            np.exp(columns["confidence"][nonmembers]),
            correct,
            random_generator(self.prepared.config.statistics.seed, "advice", name),
            level=self.level,
        )
        return Effect(
            name,
            words,
            {
                attack.name: self.found(Scores(columns[attack.signal]))
                for attack in (*_score_attacks(), CORRECTNESS)
            },
            float(correct.mean()),
            errors.facts()["ece"],
        )

    @property
    def level(self) -> float:
        return (1 - self.prepared.config.statistics.confidence) / 2

    def found(self, scores: Scores) -> dict[str, Any]:
        """AUC and TPR of one attack, each with its interval."""
        ranks = break_ties(scores.values, self.prepared.keys)
        ordered = sides(ranks, self.prepared.rows, self.prepared.data.is_member)

        def interval(metric: Metric) -> dict[str, float | None]:
            found = statistic(metric).measure(ordered, self.level, self.level, self.sizes)
            return {"estimate": found.estimate, "low": found.low, "high": found.high}

        return {"auc": interval(Metric("auc")), "tpr": interval(Metric("tpr_at_fpr", self.fpr))}


def _shifted(prepared: Prepared, attacks: tuple[Any, ...]) -> Prepared:
    """The run one split earlier: attacks choose on support records and are measured on calibration
    records; evaluation records do not count."""
    data = prepared.data
    counts = prepared.independent & (data.split != Split.EVALUATION)
    split = np.where(data.split == Split.SUPPORT, Split.CALIBRATION, Split.EVALUATION)
    settings = prepared.config.settings.model_copy(update={"calibration_lens": True})
    rows: Integer = np.flatnonzero(counts & (split == Split.EVALUATION))
    members = int(data.is_member[rows].sum())
    sides_too_small = min(members, rows.size - members) < 2
    if sides_too_small:
        raise ConfigError(
            "The calibration split has fewer than 2 records a side.",
            hint="Raise splits.calibration, or add fixture records.",
        )
    return replace(
        prepared,
        config=replace(prepared.config, settings=settings),  # the lens keeps the scores we need
        data=replace(data, split=split.astype(np.int8)),
        programme=Programme(attacks, (), prepared.programme.checks),
        independent=counts,
        rows=rows,
        sizes=Sizes(members, rows.size - members),
    )


def _score_attacks() -> tuple[ThresholdAttack, ...]:
    return tuple(open_attack(name, {}) for name in AUDITED_ATTACKS)


def _label_attacks(prepared: Prepared) -> tuple[Any, ...]:
    """Those of the label-only suite that ``limits.max_queries`` allows."""
    from privacy_gate.config.available import Allowance

    allowance = Allowance(prepared.config.limits.max_queries, prepared.config.model.output.queries)
    attacks = (open_attack(name, {}) for name in SUITES["label-only"])
    return tuple(attack for attack in attacks if allowance.obstacle(attack) is None)
