"""The three attacks of the study: fitted on the shadow model, applied to the target unchanged.

No attack reads a label. Scores are logarithms or logits in float64; the published ones are float32
probabilities, most of which are exactly 1 for a confident network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from privacy_gate.domain import Boolean, Float
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.tasks.classification import signals_from_logits

LARGEST = 3
_RECORDS, _BATCH, _EPOCHS = 2500, 16, 100
_PATIENCE, _IMPROVEMENT = 15, 5e-4


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """``scores``: logits (n, K) -> (n,), higher is member; members lie above the ``limit``."""

    scores: Callable[[Float], Float]
    limit: float

    def called(self, logits: Float) -> Boolean:
        """(n,) who is called a member."""
        return self.scores(logits) > self.limit


def signal(name: str, logits: Float) -> Float:
    """(n,) one of the gate's own signals, for the class that the model predicts."""
    return signals_from_logits(logits, logits.argmax(axis=1))[name]


def largest_in_float32(logits: Float) -> Float:
    """(n,) the largest probability as a float32 softmax gives it."""
    return softmax(logits.astype(np.float32), axis=1).max(axis=1).astype(np.float64)


def rules(members: Float, nonmembers: Float, seed: int) -> dict[str, Rule]:
    """The attacks, fitted on the shadow model's logits (n, K) of both sides, equally many."""
    found = {}
    for title, name in (("threshold", "confidence"), ("entropy", "entropy")):
        scores = partial(signal, name)
        found[title] = Rule(scores, youden(scores(members), scores(nonmembers)))
    found["Salem"] = Rule(_salem(members[:_RECORDS], nonmembers[:_RECORDS], seed), 0.0)
    return found


def youden(members: Float, nonmembers: Float) -> float:
    """The threshold with the largest TPR - FPR. For equal sides it is the most accurate one too,
    which is how the authors fit the entropy attack."""
    ordered = SortedScores.of(members, nonmembers)
    limits = ordered.nonmembers[::-1]
    above = limits.size - np.searchsorted(ordered.nonmembers, limits, side="right")
    gain = ordered.members_above_each / ordered.members.size - above / limits.size
    return float(limits[gain.argmax()])


def _salem(members: Float, nonmembers: Float, seed: int) -> Callable[[Float], Float]:
    """A network on the three largest probabilities, until its loss stops falling (ML-Leaks)."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(LARGEST, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))
    inputs = torch.cat([_largest(members), _largest(nonmembers)])
    labels = (torch.arange(len(inputs)) < len(members)).float()
    optimiser = torch.optim.Adam(network.parameters(), 0.01, fused=True)
    losses: list[float] = []
    while len(losses) < _EPOCHS and not _settled(losses):
        total = 0.0
        for rows in torch.randperm(len(inputs)).split(_BATCH):
            optimiser.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(inputs[rows]), labels[rows]
            )
            loss.backward()
            optimiser.step()
            total += loss.item() * len(rows)
        losses.append(total / len(inputs))

    def scores(logits: Float) -> Float:
        with torch.no_grad():
            return network(_largest(logits)).double().numpy()

    return scores


def _settled(losses: list[float]) -> bool:
    """Whether the last epochs have not improved on those before."""
    before, last = losses[:-_PATIENCE], losses[-_PATIENCE:]
    return bool(before) and min(last) > min(before) - _IMPROVEMENT


def _largest(logits: Float) -> torch.Tensor:
    """(n, 3) the largest probabilities in descending order, float32."""
    ordered = np.sort(softmax(logits, axis=1), axis=1)[:, : -LARGEST - 1 : -1]
    return torch.from_numpy(ordered.astype(np.float32))
