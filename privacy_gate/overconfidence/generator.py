"""Records that nobody ever collected: from a small variational autoencoder, or a user's function.

The autoencoder (Kingma & Welling 2014) stands in for the generative adversarial network that
Hintersdorf et al. (2022) drew false images from: it is trained within seconds on a CPU, on
calibration non-members only, so it knows nothing of members or of evaluation records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.errors import ConfigError, PrivacyGateError, shown_cause
from privacy_gate.models.querying import Columns
from privacy_gate.overconfidence.transforms import NotApplicable, is_image, typed

Array = NDArray[Any]

FEWEST = 50
"""Records below which nothing is learned from them."""
MOST_SIDE = 32
MOST_NUMBERS = 32 * 32 * 4
"""Images with longer sides, and records of more numbers, are not generated."""

_STEPS, _BATCH, _HIDDEN, _LATENT = 600, 64, 256, 16
_LEARNING_RATE = 2e-3
_DISTANCE_WEIGHT = 0.3
"""Less than 1, for sharper records: latents are not drawn from the prior."""
_NEIGHBOURS = 5


def generate(training: Columns, count: int, seed: int) -> dict[str, Array]:
    """``count`` records like those of ``training`` (column -> (n, …), raw), of the same types.

    The same arguments give the same records. Raises ``NotApplicable``.
    """
    _refuse_unsuitable(training)
    names = sorted(training)
    flat = np.concatenate(
        [training[name].reshape(len(training[name]), -1).astype(np.float64) for name in names],
        axis=1,
    )
    low, high = _ends(training, names)
    width = np.where(high > low, high - low, 1.0)
    made = low + _sampled((flat - low) / width, count, seed) * width
    result, start = {}, 0
    for name in names:
        column = training[name]
        size = int(np.prod(column.shape[1:]))
        part = made[:, start : start + size].reshape(count, *column.shape[1:])
        result[name] = typed(part, column.dtype)
        start += size
    return {name: result[name] for name in training}


def call(
    function: Callable[..., Any], training: Columns, count: int, seed: int, location: str
) -> dict[str, Array]:
    """What a user's generator returns for (columns, count, seed), checked against the columns it
    was given. Raises ``ConfigError``."""
    try:
        returned = function(dict(training), count, seed)
    except PrivacyGateError:
        raise
    except Exception as error:
        raise ConfigError(
            f"The generator raised {type(error).__name__}.",
            hint="It is called with the columns of calibration non-members, a number of records and"
            " a seed.",
            location=location,
        ) from shown_cause(error)
    if not isinstance(returned, Mapping) and len(training) == 1:
        returned = {next(iter(training)): returned}
    if not isinstance(returned, Mapping) or set(returned) != set(training):
        raise ConfigError(
            f"The generator must return the columns {', '.join(training)}.", location=location
        )
    arrays = {name: np.asarray(returned[name]) for name in training}
    for name, array in arrays.items():
        column = training[name]
        fits = np.can_cast(array.dtype, column.dtype, "same_kind")
        if not fits or array.shape != (count, *column.shape[1:]):
            raise ConfigError(
                f"The generator returned {array.dtype} of shape {array.shape} for the column"
                f" {name!r}, which holds {column.dtype}; {(count, *column.shape[1:])} is needed.",
                location=location,
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ConfigError("The generator returned NaN or infinity.", location=location)
    return {name: array.astype(training[name].dtype) for name, array in arrays.items()}


def _refuse_unsuitable(training: Columns) -> None:
    columns = training.values()
    if any(column.dtype.kind not in "biuf" for column in columns):
        raise NotApplicable("records hold text")
    count = len(next(iter(columns)))
    if count < FEWEST:
        raise NotApplicable(f"{count} calibration non-members teach nothing, {FEWEST} are needed")
    sides = [
        side for column in columns if is_image(column) for side in sorted(column.shape[1:])[-2:]
    ]
    numbers = sum(int(np.prod(column.shape[1:])) for column in columns)
    if max(sides, default=0) > MOST_SIDE or numbers > MOST_NUMBERS:
        raise NotApplicable(
            f"the built-in generator makes images of at most {MOST_SIDE} x {MOST_SIDE} pixels and"
            f" records of at most {MOST_NUMBERS} numbers"
        )


def _ends(training: Columns, names: list[str]) -> tuple[Array, Array]:
    """The smallest and the largest number of each place: over all of an image, else by feature."""
    low, high = [], []
    for name in names:
        flat = training[name].reshape(len(training[name]), -1).astype(np.float64)
        ends = flat.min(axis=0), flat.max(axis=0)
        if is_image(training[name]):
            ends = np.full_like(ends[0], ends[0].min()), np.full_like(ends[1], ends[1].max())
        low.append(ends[0])
        high.append(ends[1])
    return np.concatenate(low), np.concatenate(high)


def _sampled(records: Array, count: int, seed: int) -> Array:
    """(count, d) samples in [0, 1] of an autoencoder trained on ``records`` (n, d) in [0, 1]: what
    lies between a record and one of its nearest, in the space of latents."""
    import torch
    from torch import nn
    from torch.nn import functional

    size = records.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = nn.Sequential(
            nn.Linear(size, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 2 * _LATENT)
        )
        decoder = nn.Sequential(nn.Linear(_LATENT, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, size))
        data = torch.tensor(records, dtype=torch.float32)
        weights = [*encoder.parameters(), *decoder.parameters()]
        optimiser = torch.optim.Adam(weights, lr=_LEARNING_RATE, fused=True)
        for _ in range(_STEPS):
            batch = data[torch.randint(len(data), (_BATCH,))]
            mean, log_variance = encoder(batch).chunk(2, dim=1)
            latent = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
            missed = functional.binary_cross_entropy_with_logits(
                decoder(latent), batch, reduction="sum"
            )
            distance = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2
            optimiser.zero_grad()
            ((missed + _DISTANCE_WEIGHT * distance) / _BATCH).backward()
            optimiser.step()
        with torch.no_grad():
            means = encoder(data)[:, :_LATENT]
            first = torch.randint(len(means), (count,))
            near = torch.cdist(means[first], means).topk(_NEIGHBOURS + 1, largest=False).indices
            second = near[torch.arange(count), torch.randint(1, _NEIGHBOURS + 1, (count,))]
            between = torch.lerp(means[first], means[second], torch.rand(count, 1))
            made = torch.sigmoid(decoder(between))
    return np.asarray(made.numpy(), dtype=np.float64)
