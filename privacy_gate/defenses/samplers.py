"""Random inputs for ``HampOutput``: functions from uniform noise in [0, 1), one number per input
value, to inputs. One of your own is one, too: ``lambda noise: (noise - mean) / std``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from privacy_gate.errors import UsageError

Sampler = Callable[[Tensor], Tensor]
"""Uniform noise in [0, 1), float32, of the shape of the model's input -> a random input."""


def bernoulli(probability: float = 0.5) -> Sampler:
    """Each value 1 with ``probability`` in (0, 1), else 0: for binary tables, as HAMP does."""
    if not 0 < probability < 1:
        raise UsageError(f"probability must lie strictly between 0 and 1, not {probability!r}.")
    return partial(_bernoulli, probability=probability)


def uniform(low: float | Tensor = 0.0, high: float | Tensor = 1.0) -> Sampler:
    """Each value uniform in [low, high): for images, in the scale in which the model takes them.

    ``low`` and ``high``: numbers, or tensors that broadcast to one input, such as (3, 1, 1) for the
    channels of normalised images. For a model of integers ``uniform(0, 256)`` draws 0..255.
    """
    if not bool(torch.as_tensor(low <= high).all()):
        raise UsageError("low must not be above high, and neither may be NaN.")
    return partial(_uniform, low=low, high=high)


def like(x: Tensor) -> Sampler:
    """Each value uniform between the smallest and the largest of its feature in ``x`` (N, …).

    The ranges become part of the deployed model: take public records, not the training set.
    """
    if x.ndim < 2 or x.shape[0] < 2:
        raise UsageError(
            f"like() takes at least two inputs (N, …) of at least one value, not the shape"
            f" {tuple(x.shape)}."
        )
    return uniform(x.amin(dim=0), x.amax(dim=0))


def _bernoulli(noise: Tensor, probability: float) -> Tensor:
    return (noise < probability).to(noise.dtype)


def _uniform(noise: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    if isinstance(low, Tensor):
        low = low.to(noise.device)
    if isinstance(high, Tensor):
        high = high.to(noise.device)
    return low + (high - low) * noise
