"""The authors' figures for the same network, CIFAR-10, 12 500 members, 100 epochs, one seed.

Read in the result files of the repository ``ml-research/To-Trust-or-Not-To-Trust-Prediction-Scores-
for-Membership-Inference-Attacks``, ``experiments/results/salem_cnn_relu_cifar10_*.csv``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """The threshold attack's ``precision``, ``recall``, ``auc`` and mean confidence of its false
    positives; the areas of the other attacks; the threshold attack's ``fpr`` by set."""

    precision: float
    recall: float
    auc: float
    confidence: float
    entropy: float
    salem: float
    fpr: dict[str, float]


def _fpr(*values: float) -> dict[str, float]:
    names = ("original", "permuted", "scaled", "unnormalised", "generated")
    return dict(zip(names, values, strict=True))


PUBLISHED = {
    "standard": Published(
        0.6534, 0.8748, 0.7203, 1.0000, 0.7094, 0.7157, _fpr(0.4640, 0.8740, 0.9976, 0.0328, 0.5496)
    ),
    "LS 0.0083": Published(
        0.7763, 0.9964, 0.8331, 0.9916, 0.8284, 0.9285, _fpr(0.2872, 0.6048, 0.9920, 0.0624, 0.3432)
    ),
    "L2 0.0003": Published(
        0.6254, 0.5108, 0.6758, 0.9997, 0.6747, 0.6755, _fpr(0.3060, 0.8324, 0.9940, 0.0012, 0.3592)
    ),
    "T = 10": Published(
        0.6248, 0.7200, 0.6702, 0.8349, 0.6145, 0.7438, _fpr(0.4324, 0.8472, 0.9984, 0.0016, 0.5252)
    ),
    "LLLA": Published(
        0.5991, 0.5732, 0.6286, 0.6399, 0.5606, 0.7014, _fpr(0.3836, 0.7972, 0.9768, 0.0016, 0.4772)
    ),
}
"""``generated`` are the authors' StyleGAN2 images."""
