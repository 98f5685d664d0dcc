"""What to train towards instead of one-hot labels: the true class at p, all others alike."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from privacy_gate.errors import UsageError

_BISECTIONS = 60  # more than the 53 bits of a float


def soft_labels(labels: Tensor, classes: int, gamma: float, step: float | None = None) -> Tensor:
    """High-entropy soft labels (HAMP, section V-A): probability p on the label, the rest spread
    evenly, p such that the entropy is ``gamma`` · ln ``classes``.

    ``labels`` (N,) integers in 0..classes-1 -> (N, classes) in torch's default float type, on the
    device of the labels. ``gamma`` in (0, 1); ``step`` as in ``top_probability``. Raises
    ``UsageError``.
    """
    return spread(labels, classes, top_probability(classes, gamma, step))


def label_smoothing(labels: Tensor, classes: int, epsilon: float) -> Tensor:
    """Label smoothing (Szegedy et al. 2016) as the soft labels with p = 1 - ε + ε / K.

    ``labels`` (N,) -> (N, classes); ``epsilon`` in (0, 1). Raises ``UsageError``.
    """
    _check_classes(classes)
    _check_open_unit(epsilon, "epsilon")
    return spread(labels, classes, 1 - epsilon + epsilon / classes)


def top_probability(classes: int, gamma: float, step: float | None = None) -> float:
    """The p in (1/K, 1) for which p on one class and (1 - p) / (K - 1) on each other has the
    entropy ``gamma`` · ln K, by bisection.

    With ``step``, the largest of 1 - step, 1 - 2·step, … whose entropy reaches that: the published
    code searches with 0.01. Raises ``UsageError`` for ``gamma`` outside (0, 1), fewer than 2
    classes, or a grid without a p that is above 1/K.
    """
    _check_classes(classes)
    _check_open_unit(gamma, "gamma", "1 would make all labels equal, 0 is the plain label.")
    target = gamma * math.log(classes)
    if step is not None:
        return _on_grid(classes, target, step)
    low, high = 1 / classes, 1.0  # the entropy falls from ln K to 0 in between
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if entropy(middle, classes) >= target else (low, middle)
    return low


def _on_grid(classes: int, target: float, step: float) -> float:
    _check_open_unit(step, "step")
    for number in range(1, math.ceil((1 - 1 / classes) / step)):
        p = 1 - number * step
        if entropy(p, classes) >= target:
            return p
    raise UsageError(
        f"No soft label on a grid of step {step} has this entropy and still prefers its class.",
        hint="Choose a smaller step or gamma, or leave step out.",
    )


def entropy(p: float, classes: int) -> float:
    """Shannon entropy in nats of ``p`` on one of ``classes``, the rest spread evenly."""
    rest = 1 - p
    return -sum(part * math.log(part / n) for part, n in ((p, 1), (rest, classes - 1)) if part > 0)


def spread(labels: Tensor, classes: int, p: float) -> Tensor:
    """(N, classes): ``p`` at the label, the rest spread evenly over the others."""
    _check_labels(labels, classes)
    shape = (labels.shape[0], classes)
    others = torch.full(shape, (1 - p) / (classes - 1), device=labels.device)
    return others.scatter_(1, labels.long()[:, None], p)


def _check_labels(labels: Tensor, classes: int) -> None:
    whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
    if labels.ndim != 1 or not whole:
        raise UsageError(
            f"Labels must be integers of shape (N,), not {labels.dtype} of shape"
            f" {tuple(labels.shape)}."
        )
    outside = int(((labels < 0) | (labels >= classes)).sum())
    if outside:
        raise UsageError(
            f"{outside} of {labels.shape[0]} labels are not in 0..{classes - 1}.",
            hint="Number the classes from 0, and check how many there are.",
        )


def _check_classes(classes: int) -> None:
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 2:
        raise UsageError(f"classes must be a whole number of at least 2, not {classes!r}.")


def _check_open_unit(value: float, name: str, hint: str | None = None) -> None:
    if not 0 < value < 1:  # refuses NaN, too
        raise UsageError(f"{name} must lie strictly between 0 and 1, not {value!r}.", hint=hint)
