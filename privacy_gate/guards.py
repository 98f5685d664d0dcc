"""Checks that a measurement means something, made before any verdict: a model that guesses shows no
leak, and exchanged sides turn a leak into its opposite. Neither may ever be green."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Boolean, Integer, Interval, Outputs, ReceiptFacts, Signals
from privacy_gate.errors import FixtureError, ModelError, SignalError
from privacy_gate.protocols import Task
from privacy_gate.statistics.tails import proportion_interval

_GUESSING_ERROR = 0.01
_MOSTLY_TIED = 0.99


def accuracy(correct: Boolean, confidence: float) -> Interval:
    """The share of correct predictions with its Clopper-Pearson interval."""
    low, high = proportion_interval(int(correct.sum()), correct.size, confidence)
    return Interval(float(correct.mean()), low, high)


def refuse_guessing(predicted: Integer, labels: Integer, location: str | None) -> None:
    """Raise unless the balanced accuracy on members is credibly above 1/classes.

    ``predicted`` and ``labels`` (members,) class positions. The bound is Hoeffding's for a mean of
    class means: finite-sample, error 1 %.
    """
    classes, counts = np.unique(labels, return_counts=True)
    recalls = [float((predicted[labels == label] == label).mean()) for label in classes]
    balanced = float(np.mean(recalls))
    slack = math.sqrt(math.log(1 / _GUESSING_ERROR) / 2 * float((1 / counts).sum())) / classes.size
    if classes.size < 2:
        raise FixtureError(
            "All members have the same label, so nothing shows that the model works.",
            hint="Use members of at least two classes.",
        )
    if not balanced - slack > 1 / classes.size:
        raise ModelError(
            f"The model guesses: its balanced accuracy on {labels.size} members is {balanced:.3f},"
            f" not credibly above 1/{classes.size}. A model that guesses shows no leak.",
            hint="Check model.preprocess (scale, mean, layout, channel order), model.output,"
            " model.labels.order and fixtures.label.",
            location=location,
            check="accuracy",
        )


def refuse_unexpected(
    measured: Interval, expected: float, tolerance: float, location: str | None
) -> None:
    """Raise when the expected non-member accuracy lies outside the interval plus tolerance."""
    if not measured.low - tolerance <= expected <= measured.high + tolerance:
        raise ModelError(
            f"The accuracy on non-members is {measured.estimate:.3f}"
            f" [{measured.low:.3f}, {measured.high:.3f}], but {expected:g} ± {tolerance:g} is"
            " expected.",
            hint="The model is not run as it is meant to be (scale, channel order, label order,"
            " output), or it changed"
            + (", or it was trained on the non-members" if measured.low > expected else "")
            + ": mend the configuration or model.expected.",
            location=location,
        )


def refuse_other_model(receipt: ReceiptFacts | None, sha256: str, location: str | None) -> None:
    """Raise when the training receipt is that of another model."""
    if receipt is not None and receipt.model_sha256 != sha256:
        raise FixtureError(
            f"The training receipt is for the model {receipt.model_sha256[:12]}…, not for this one,"
            f" {sha256[:12]}….",
            hint="Give the receipt that this model's training wrote.",
            location=location,
        )


def refuse_constant(signals: Signals) -> None:
    """Raise when a signal is the same for nearly all records: it shows no leak, whatever the model
    is."""
    for name, values in signals.columns.items():
        same = int(np.unique(values, return_counts=True)[1].max())
        if same > _MOSTLY_TIED * values.size:
            raise SignalError(
                f"The signal {name!r} is the same for {same} of {values.size} records.",
                hint="Check the function named in signals, model.output and model.preprocess.",
                check="ties",
            )


def refuse_random(
    signals: Signals,
    again: Iterable[tuple[Integer, Outputs]],
    task: Task,
    labels: NDArray[Any],
    location: str | None,
) -> None:
    """Raise when the model answers the same records differently the second time: the verdict would
    change from run to run, and an attacker who asks often sees more than one answer."""
    for indices, outputs in again:
        for name, values in task.signals(outputs, labels[indices]).items():
            first = signals.columns[name][indices]
            differing = int((~np.isclose(values, first, rtol=1e-3, atol=1e-4)).sum())
            if differing:
                raise ModelError(
                    f"The model is random: asked again, the signal {name!r} differs for"
                    f" {differing} of {indices.size} records.",
                    hint="Switch off dropout and the like; or, if it answers like this in service,"
                    " set model.output.repeats: 8: the mean of its answers is attacked, too, then.",
                    location=location,
                )


def refuse_swapped_sides(members: Interval, nonmembers: Interval, chance: float) -> None:
    """Raise when, beside an AUC below 0.5, members are also predicted credibly worse, and
    non-members better than by ``chance`` (else the model guesses, whichever side is which)."""
    if members.high < nonmembers.low and nonmembers.low > chance:
        raise FixtureError(
            f"The sides look exchanged: attacks score non-members higher, and the model is right on"
            f" {members.estimate:.3f} of the members but {nonmembers.estimate:.3f} of the"
            " non-members.",
            hint="Exchange members and nonmembers in the manifest, or check the labels.",
            check="direction",
        )
