"""What a few-shot attacker looks at: one feature space for labelled records and queries alike."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from privacy_gate.attacks.few_shot.anchored import standardised
from privacy_gate.domain import Evidence, Float, Integer
from privacy_gate.errors import SignalError

Space = Literal["signals", "penultimate", "logits", "probabilities"]
SPACES: tuple[str, ...] = get_args(Space)

SIGNALS = ("loss", "margin", "entropy", "confidence", "modified-entropy", "correctness")


def space(evidence: Evidence, name: str, pool: Integer) -> Float:
    """(N, d) float64. Signals are standardised by the pool; the others are centred on the pool's
    mean and scaled to unit length (CL2N, Wang et al. 2019). The pool's membership is not used.

    ``penultimate`` is what the published attackers look at, and encodes the class rather than
    membership; ``signals`` is the default. Raises ``SignalError`` for what the model did not give.
    """
    if name == "signals":
        return standardised(signal_matrix(evidence), pool)
    if name == "penultimate":
        return _unit(_features(evidence), pool)
    outputs = evidence.signals.outputs
    if outputs is None:
        raise SignalError(f"The attack looks at {name}, but the model's outputs were not kept.")
    if name == "probabilities":
        shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        outputs = shifted / shifted.sum(axis=1, keepdims=True)
    return _unit(outputs, pool)


def signal_matrix(evidence: Evidence) -> Float:
    """(N, 6) the six signals of classification, or every signal of a custom task."""
    columns = evidence.signals.columns
    names = SIGNALS if columns.keys() >= set(SIGNALS) else sorted(columns)
    if not names:
        raise SignalError("There is no signal for a few-shot attack to look at.")
    return np.stack([columns[name] for name in names], axis=1)


def _features(evidence: Evidence) -> Float:
    features = evidence.signals.features
    if features is None:
        raise SignalError(
            "The attack looks at penultimate features, which the model did not give.",
            hint="Name a layer (torch) or an output (ONNX) in model.features.",
        )
    return features.astype(np.float64)


def _unit(columns: Float, pool: Integer) -> Float:
    centred = columns - columns[pool].mean(axis=0)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    result: Float = centred / np.where(norms > 0, norms, 1.0)
    return result
