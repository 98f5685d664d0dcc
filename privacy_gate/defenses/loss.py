"""HAMP's training loss: soft labels, and a reward for uncertain predictions."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax

from privacy_gate.defenses.targets import spread, top_probability
from privacy_gate.errors import UsageError

Normalise = Literal["per_sample", "authors"]


class HampLoss(nn.Module):
    """KL(soft label ‖ prediction) - ``alpha`` · entropy(prediction), averaged over the batch (HAMP,
    section V-A), in the place of a cross-entropy: ``HampLoss(classes, gamma, alpha)(logits, y)``.

    ``gamma`` in (0, 1): how uncertain the soft labels are; ``step``: see ``soft_labels``.
    ``alpha`` ≥ 0: how much an uncertain prediction is worth beyond that.

    **The scale trap.** The published code divides the KL by the number of classes K, too, which
    PyTorch does by default (``reduction="mean"``), but not the entropy. Its ``alpha`` is therefore
    worth K times as much, its learning rate K times as little. ``normalise`` says which is meant:

    - ``"per_sample"``: the KL of a sample is the sum over its classes, ``alpha_eff = alpha``;
    - ``"authors"``: KL / K, for the values of ``alpha`` and the learning rate in the published
      scripts; ``alpha_eff = alpha * K``, and the loss is 1/K of ``per_sample`` with that alpha.

    ``alpha_eff`` is comparable between the two and part of the ``repr``.
    """

    def __init__(
        self,
        classes: int,
        gamma: float,
        alpha: float,
        normalise: Normalise = "per_sample",
        step: float | None = None,
    ) -> None:
        super().__init__()
        if normalise not in get_args(Normalise):
            raise UsageError(f"normalise must be 'per_sample' or 'authors', not {normalise!r}.")
        if not 0 <= alpha < math.inf:
            raise UsageError(f"alpha must be finite and at least 0, not {alpha!r}.")
        self.top_probability = top_probability(classes, gamma, step)
        self.classes = classes
        self.gamma = gamma
        self.alpha = alpha
        self.normalise: Normalise = normalise
        self.alpha_eff = alpha * classes if normalise == "authors" else alpha

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """``logits`` (N, classes), ``labels`` (N,) integers -> the loss, a scalar, in float32 at
        least. Raises ``UsageError`` for other shapes or labels out of range."""
        if logits.shape != (labels.shape[0] if labels.ndim else 0, self.classes):
            raise UsageError(
                f"Logits of shape {tuple(logits.shape)} do not fit labels of shape"
                f" {tuple(labels.shape)} and {self.classes} classes."
            )
        log_p = log_softmax(logits, dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))
        soft = spread(labels, self.classes, self.top_probability).to(log_p.dtype)
        divergence = kl_div(log_p, soft, reduction="batchmean")
        if self.normalise == "authors":
            divergence = divergence / self.classes
        entropy = -(log_p.exp() * log_p).sum(dim=1).mean()
        return divergence - self.alpha * entropy

    def extra_repr(self) -> str:
        """What ``print(loss)`` shows."""
        return (
            f"classes={self.classes}, gamma={self.gamma}, alpha={self.alpha},"
            f" normalise={self.normalise!r}, alpha_eff={self.alpha_eff:.6g},"
            f" top_probability={self.top_probability:.6g}"
        )
