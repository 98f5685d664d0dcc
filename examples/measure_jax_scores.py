"""From the outputs of a JAX or TensorFlow model to a file for ``privacy-gate measure``.

Neither framework is imported here: the gate needs numbers only. Where the model is, save the logits
of the records, their labels, and whether each was trained on:

    logits = np.asarray(apply(params, x), np.float32)       # JAX, Flax
    logits = model.predict(x)                               # Keras, if its last layer is linear
    np.savez("logits.npz", logits=logits, labels=y, member=in_training)

Then, with numpy alone:

    python examples/measure_jax_scores.py logits.npz losses.npz
    privacy-gate measure losses.npz --lower-is-member --budget 'tpr_at_fpr[0.05]<=0.15'

The score is the loss of each record, in which members are low. It is computed from the logits in
float64: from probabilities in float32, the loss of most training records is exactly 0, and ties at
the top hide a leak at low false-positive rates.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np


def record_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(records,) cross-entropy from (records, classes) logits and (records,) class positions."""
    rows = np.arange(len(labels))
    margins = logits.astype(np.float64) - logits[rows, labels].astype(np.float64)[:, None]
    # log Σ exp(margin) with the label's own margin 0 taken out: exact for losses down to 1e-300
    margins[rows, labels] = -np.inf
    largest = margins.max(axis=1)
    others = largest + np.log(np.exp(margins - largest[:, None]).sum(axis=1))
    return np.logaddexp(0.0, others)


def main() -> None:
    """Read ``logits``, ``labels`` and ``member``; write the losses of both sides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logits", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    with np.load(arguments.logits, allow_pickle=False) as saved:
        losses = record_losses(saved["logits"], saved["labels"])
        member = saved["member"].astype(bool)
    np.savez(arguments.output, members=losses[member], nonmembers=losses[~member])


if __name__ == "__main__":
    main()
