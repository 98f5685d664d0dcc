"""Classification: six signals per record from logits or probabilities.

Everything is float64 and computed from differences of logits, so that confident predictions stay
distinct: the float32 cross-entropy of many training records is exactly 0, and such ties at the top
destroy a TPR at low FPR.
"""

from __future__ import annotations

import numpy as np

from privacy_gate.domain import Float, Integer, Outputs
from privacy_gate.errors import FixtureError, ModelError

SMALLEST_PROBABILITY = float(np.finfo(np.float32).smallest_subnormal)
"""Probabilities of 0 are read as this: a float32 softmax cannot express smaller ones."""


class Classification:
    """Signals of one batch; ``labels`` (b,) int64 class positions.

    - ``loss``: log p_y, minus the cross-entropy (Yeom et al. 2018).
    - ``confidence``: log of the largest probability (Salem et al. 2019), no label needed.
    - ``entropy``: Σ p log p, minus the Shannon entropy, no label needed.
    - ``modified-entropy``: minus the modified entropy (Song & Mittal 2021, eq. 6).
    - ``margin``: log p_y - log(1 - p_y), logit-scaled confidence (Carlini et al. 2022, sec. V-B).
    - ``correctness``: 1 if the largest output is the label's, else 0 (the gap attack).

    ``classes``: the number of outputs the model must have, ``None`` if it is not known.
    """

    def __init__(self, classes: int | None = None) -> None:
        self._classes = classes

    def signals(self, outputs: Outputs, labels: Integer) -> dict[str, Float]:
        """Name -> (b,) float64; only ``correctness`` when the model returns labels.

        Raises ``ModelError`` for another number of outputs than classes, ``FixtureError`` for a
        label that is no output position.
        """
        predicted = self.predicted(outputs)
        correctness = (predicted == labels).astype(np.float64)
        if outputs.kind == "labels":
            return {"correctness": correctness}
        logits = class_logits(outputs)
        _refuse_foreign_labels(labels, logits.shape[1])
        return {**signals_from_logits(logits, labels), "correctness": correctness}

    def predicted(self, outputs: Outputs) -> Integer:
        """(b,) predicted class positions."""
        if outputs.kind == "labels":
            return outputs.values.astype(np.int64)
        if outputs.values.ndim != 2:
            raise ModelError(
                f"The model's output has the shape (records, {_sizes(outputs.values.shape[1:])}),"
                " not (records, classes).",
                hint="Choose another output with model.output.name, or use task: custom.",
            )
        answered = outputs.values.shape[1]
        if self._classes is not None and answered != self._classes:
            raise ModelError(
                f"The model has {answered} outputs, but the fixtures have {self._classes} classes.",
                hint="Check model.output.name and fixtures.label; if the model knows more classes,"
                " name the label of each output in model.labels.order.",
            )
        predicted: Integer = outputs.values.argmax(axis=1).astype(np.int64)
        return predicted


def class_logits(outputs: Outputs) -> Float:
    """(b, classes) logits; those of probabilities are their logarithms."""
    values = outputs.values.astype(np.float64)
    if outputs.kind == "probabilities":
        return np.log(np.maximum(values, SMALLEST_PROBABILITY))
    return values


def signals_from_logits(logits: Float, labels: Integer) -> dict[str, Float]:
    """The five score signals of ``logits`` (b, classes), at least two classes, finite."""
    rows = np.arange(labels.size)
    top = logits.argmax(axis=1)
    margin = logits[rows, labels] - _log_sum_exp_without(logits, labels)
    top_margin = logits[rows, top] - _log_sum_exp_without(logits, top)
    log_label = -np.logaddexp(0.0, -margin)
    log_top = -np.logaddexp(0.0, -top_margin)
    log_p = logits - logits[rows, top][:, None] + log_top[:, None]
    p = np.exp(log_p)

    # log(1 - p) loses all digits near p = 1, which only the largest probability can reach
    log_not_p = np.log1p(-np.minimum(p, 0.5))
    log_not_p[rows, top] = -np.logaddexp(0.0, top_margin)
    not_label = np.exp(-np.logaddexp(0.0, margin))
    others = p * log_not_p
    others[rows, labels] = 0.0
    return {
        "loss": log_label,
        "confidence": log_top,
        "entropy": (p * log_p).sum(axis=1),
        "modified-entropy": not_label * log_label + others.sum(axis=1),
        "margin": margin,
    }


def _log_sum_exp_without(logits: Float, left_out: Integer) -> Float:
    """(b,) log Σ exp over all classes but one per row, stable."""
    others = logits.copy()
    others[np.arange(left_out.size), left_out] = -np.inf
    largest = others.max(axis=1)
    result: Float = largest + np.log(np.exp(others - largest[:, None]).sum(axis=1))
    return result


def _refuse_foreign_labels(labels: Integer, classes: int) -> None:
    outside = int(((labels < 0) | (labels >= classes)).sum())
    if outside:
        raise FixtureError(
            f"The model has {classes} outputs, but {outside} of {labels.size} labels in a batch are"
            f" not in 0..{classes - 1}.",
            hint="Check model.output, model.labels.order and fixtures.label.",
        )


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(str(size) for size in shape) or "scalar"
