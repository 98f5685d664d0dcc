"""A Laplace approximation of the last layer: its weights become a Gaussian, answers an average.

After Kristiadi, Hein and Hennig (ICML 2020) as used by Hintersdorf et al. (2022, section on
calibration): Kronecker factors of the curvature of the cross-entropy, one prior variance chosen on
held-out records and on noise, and the mean softmax over samples of the logits. The factors here are
exact means over the records (the published code samples them), and every record is answered with
the same samples, so that asking twice gives the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, logsumexp

from privacy_gate.calibration_lens.temperature import mean_loss
from privacy_gate.domain import Float, Integer, random_generator

VARIANCES = np.logspace(0, 3, 25)
"""Prior variances that are tried."""

SAMPLES = 100
_SEARCH_SAMPLES = 20
_SEARCH_SCORES = 100_000
"""Class scores of held-out records that a prior variance is tried on, at most."""
_NOISE_WEIGHT = 0.25
"""Weight of "be unsure about noise" beside the loss on held-out records, as published."""


@dataclass(frozen=True, slots=True, eq=False)
class LastLayer:
    """``weight`` (K, m) and ``bias`` (K,) of the layer whose outputs are the logits."""

    weight: Float
    bias: Float

    def logits(self, features: Float) -> Float:
        """(n, K) of ``features`` (n, m)."""
        result: Float = features @ self.weight.T + self.bias
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A positive semi-definite matrix by its eigenvalues ``values`` (d,) and eigenvectors
    ``vectors`` (d, d), one a column: its inverses for many priors cost next to nothing then."""

    values: Float
    vectors: Float

    @classmethod
    def of(cls, matrix: Float) -> Factor:
        """The factor of a symmetric ``matrix``."""
        values, vectors = np.linalg.eigh(matrix)
        return cls(np.maximum(values, 0.0), vectors)

    def inverse_root(self, scale: float, diagonal: float) -> Float:
        """(d, d) A with A Aᵀ = (scale · matrix + diagonal · I)^-1."""
        result: Float = self.vectors / np.sqrt(scale * self.values + diagonal)
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Curvature:
    """Kronecker factors of the last layer's curvature as eigenvalues and eigenvectors, of
    ``outputs`` (K, K) and ``inputs`` (m, m), to be scaled by the root of the number of training
    ``records``; that of the bias is ``outputs``, scaled by the number itself."""

    outputs: Factor
    inputs: Factor
    records: int

    @classmethod
    def of(cls, layer: LastLayer, features: Float, records: int) -> Curvature:
        """From ``features`` (n, m) of a sample of the ``records`` training records."""
        p = np.exp(log_softmax(layer.logits(features), axis=1))
        outputs = np.diag(p.mean(axis=0)) - p.T @ p / len(p)
        inputs = features.T @ features / len(features)
        return cls(Factor.of(outputs), Factor.of(inputs), records)


@dataclass(frozen=True, slots=True, eq=False)
class LaplaceLayer:
    """The layer with a Gaussian around its weights, for one prior ``variance``."""

    layer: LastLayer
    curvature: Curvature
    variance: float
    seed: int

    def logits(self, features: Float, samples: int = SAMPLES) -> Float:
        """(n, K) logarithms of the mean probabilities of ``features`` (n, m)."""
        mean = self.layer.logits(features)
        precision, records = 1 / self.variance, self.curvature.records
        root, scale = np.sqrt(precision), np.sqrt(records)
        inside = features @ self.curvature.inputs.inverse_root(scale, root)
        outer = self.curvature.outputs.inverse_root(scale, root)
        shift = self.curvature.outputs.inverse_root(records, precision)
        generator = random_generator(self.seed, "laplace")
        total = np.full(mean.shape, -np.inf)
        deviation = np.linalg.norm(inside, axis=1)[:, None]
        for _ in range(samples):
            one, other = generator.standard_normal((2, mean.shape[1]))
            drawn = mean + deviation * (outer @ one) + shift @ other
            total = np.logaddexp(total, log_softmax(drawn, axis=1))
        result: Float = total - np.log(samples)
        return result


def fit_laplace(
    layer: LastLayer,
    training: Float,
    records: int,
    held_out: Float,
    labels: Integer,
    noise: Float,
    seed: int,
) -> LaplaceLayer:
    """The layer with the prior variance that is best on ``held_out`` (h, m) records with their
    ``labels`` (h,), and on ``noise`` (z, m), which should be answered with equal probabilities.

    ``training`` (n, m): features of a sample of the ``records`` training records. All of them must
    lie outside of the evaluation split.
    """
    curvature = Curvature.of(layer, training, records)
    tried_on = slice(max(1, _SEARCH_SCORES // len(layer.bias)))
    held_out, labels, noise = held_out[tried_on], labels[tried_on], noise[tried_on]

    def criterion(variance: float) -> float:
        tried = LaplaceLayer(layer, curvature, variance, seed)
        unsure = -tried.logits(noise, _SEARCH_SAMPLES).mean() if len(noise) else 0.0
        loss = mean_loss(tried.logits(held_out, _SEARCH_SAMPLES), labels)
        return float(loss + _NOISE_WEIGHT * unsure)

    best = min((float(variance) for variance in VARIANCES), key=criterion)
    return LaplaceLayer(layer, curvature, best, seed)


def matching_layer(candidates: list[LastLayer], features: Float, logits: Float) -> LastLayer | None:
    """The layer that turns ``features`` (n, m) into ``logits`` (n, K), up to a constant per record
    and rounding, that of bfloat16 included; ``None`` if none of the candidates does."""
    wanted = logits - logsumexp(logits, axis=1, keepdims=True)
    scale = 1e-2 * (1 + np.abs(wanted).max())
    for layer in candidates:
        if layer.weight.shape != (logits.shape[1], features.shape[1]):
            continue
        found = layer.logits(features)
        if np.abs(found - logsumexp(found, axis=1, keepdims=True) - wanted).max() < scale:
            return layer
    return None
