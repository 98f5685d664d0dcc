"""Advice for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from privacy_gate.advice.measuring import Advice, Effect
from privacy_gate.registry import LABELS_ONLY

RETRAINING = (
    (
        "HAMP training",
        "high-entropy soft labels and an entropy term in the loss: examples/hamp, docs/hamp.md",
    ),
    ("early stopping", "keep the weights of the epoch with the best held-out accuracy"),
    (
        "regularisation",
        "weight decay (examples/pytorch, examples/lightning), dropout, augmentation, a smaller"
        " model; clean the labels",
    ),
    (
        "DP-SGD",
        "per-example clipping and noise, for example with Opacus: the only one here with a"
        " guarantee",
    ),
)
"""(name, what it is) of remedies that need training again."""

_WIDTH = 21
_NAME = 24
_COLUMN = 12


def advice_text(advice: Advice) -> str:
    """The advice as lines of text."""
    return "\n".join(_lines(advice)) + "\n"


def _lines(advice: Advice) -> Iterator[str]:
    yield (
        f"Tried on {advice.members} + {advice.nonmembers} calibration records: evaluation records"
        " decide verdicts only."
    )
    yield ""
    yield (
        f"{'remedy':<{_COLUMN}} {'strongest on scores':<20} {'AUC':<{_WIDTH}}"
        f" {f'TPR at FPR {advice.fpr:g}':<{_WIDTH}} {'accuracy':<9} ECE"
    )
    for effect in advice.effects:
        yield _row(effect)
    yield ""
    for effect in advice.effects:
        yield f"{effect.name}: {effect.words}."
    yield ""
    yield from _matrix(advice)
    yield ""
    yield from _labels_only(advice)
    yield ""
    yield "Training again (not measured here):"
    for name, what in RETRAINING:
        yield f"- {name}: {what}."


def _row(effect: Effect) -> str:
    if effect.reason:
        return f"{effect.name:<{_COLUMN}} not tried: {effect.reason}"
    name, found = strongest(_on_scores(effect))
    ece = "" if effect.ece is None else f"{effect.ece['estimate']:.3f}"
    accuracy = "" if effect.accuracy is None else f"{effect.accuracy:.3f}"
    return (
        f"{effect.name:<{_COLUMN}} {name:<20} {_interval(found['auc']):<{_WIDTH}}"
        f" {_interval(found['tpr']):<{_WIDTH}} {accuracy:<9} {ece}"
    )


def _matrix(advice: Advice) -> Iterator[str]:
    """The AUC of every attack under every remedy."""
    tried = [effect for effect in advice.effects if not effect.reason]
    yield _aligned("AUC", [effect.name for effect in tried])
    for name in tried[0].attacks:
        yield _aligned(name, [_area(effect.attacks[name]) for effect in tried])
    for name, found in advice.labels_only.items():
        if name not in tried[0].attacks:
            yield _aligned(name, [_area(found)] * len(tried))
    yield (
        "Attacks below correctness ask for labels only, and no remedy changes which label is"
        " largest (rounding does where it makes two equal: see accuracy)."
    )


def _aligned(name: str, cells: Sequence[str]) -> str:
    return "".join([f"{name:<{_NAME}}", *(f"{cell:<{_COLUMN}}" for cell in cells)]).rstrip()


def _area(found: Mapping[str, Any]) -> str:
    estimate = found["auc"]["estimate"]
    return "-" if estimate is None else f"{estimate:.3f}"


def _on_scores(effect: Effect) -> Mapping[str, Mapping[str, Any]]:
    return {name: one for name, one in effect.attacks.items() if name not in LABELS_ONLY}


def _labels_only(advice: Advice) -> Iterator[str]:
    if not advice.labels_only:
        yield "What an attacker gets who sees labels only was not measured: limits.max_queries."
        return
    yield "An attacker who sees labels only gets, whatever is done to the scores:"
    for name, found in advice.labels_only.items():
        yield f"- {name}: AUC {_interval(found['auc'])}, TPR {_interval(found['tpr'])}"
    label, found = strongest(advice.labels_only)
    _, as_is = strongest(_on_scores(advice.effects[0]))
    low = found["auc"]["low"]
    if low is not None and low > 0.5:
        yield (
            f"So hiding scores does not remove the leak: {label} still tells members from others."
            " Train again, or accept what is left by a budget."
        )
    elif as_is["auc"]["low"] is not None and as_is["auc"]["low"] > 0.5:
        yield (
            "With labels only, no leak is seen on these records. That is no proof: the model holds"
            " what its scores showed, for whoever gets hold of it."
        )


def strongest(attacks: Mapping[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """The attack with the largest AUC."""
    name = max(attacks, key=lambda attack: attacks[attack]["auc"]["estimate"] or 0.0)
    return name, attacks[name]


def _interval(found: Mapping[str, Any]) -> str:
    if found["estimate"] is None:
        return "not measured"
    return f"{found['estimate']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
