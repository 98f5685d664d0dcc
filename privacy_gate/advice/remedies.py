"""What can be done to the scores of a model without training it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from privacy_gate.domain import Float, Outputs
from privacy_gate.models.surfaces import probabilities
from privacy_gate.tasks.classification import class_logits


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of class scores: ``apply`` maps logits (n, K) to logits of the changed scores."""

    name: str
    words: str
    apply: Callable[[Float], Float]


def rounded(logits: Float, digits: int) -> Float:
    """(n, K) logits of rounded probabilities."""
    return _scores(np.round(_chances(logits), digits))


def top(logits: Float, count: int) -> Float:
    """(n, K) the ``count`` largest probabilities of each row; 0 in the place of the others."""
    chances = _chances(logits)
    if count >= chances.shape[1]:
        return chances
    kept = np.argsort(-chances, axis=1, kind="stable")[:, :count]
    found = np.zeros_like(chances)
    np.put_along_axis(found, kept, np.take_along_axis(chances, kept, axis=1), axis=1)
    return found


def _chances(logits: Float) -> Float:
    return probabilities(Outputs(logits, "logits"))


def _scores(chances: Float) -> Float:
    return class_logits(Outputs(chances, "probabilities"))


REMEDIES = (
    Remedy("rounded-2", "probabilities rounded to 2 decimals", partial(rounded, digits=2)),
    Remedy("rounded-1", "probabilities rounded to 1 decimal", partial(rounded, digits=1)),
    Remedy("top-3", "the three largest probabilities only", lambda v: _scores(top(v, 3))),
    Remedy("top-1", "the largest probability only", lambda v: _scores(top(v, 1))),
    Remedy("label", "the predicted label only", lambda v: _scores(np.ceil(top(v, 1)))),
)
"""What takes no fitting, the mildest first."""
