"""The seven models of the study: four trained ones, and three made of the standard one afterwards.

Temperature and Laplace approximation are fitted as the calibration lens does: on calibration
non-members, never on records that are scored. (The authors fit both on the scored non-members.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from overconfidence_study.data import PREPROCESS, Data, Inputs, Parts
from overconfidence_study.training import SalemNetwork, trained
from privacy_gate.calibration_lens.inputs import NOISE
from privacy_gate.calibration_lens.laplace import LastLayer, fit_laplace
from privacy_gate.calibration_lens.temperature import fit_temperature
from privacy_gate.domain import Float, Integer, random_generator
from privacy_gate.overconfidence.transforms import change

FIXED_TEMPERATURE = 10.0


@dataclass(frozen=True, slots=True)
class Variant:
    """Which network, and what is done to its answers."""

    recipe: str
    calibration: Literal["none", "fixed", "fitted", "laplace"] = "none"


VARIANTS = {
    "standard": Variant("standard"),
    "LS 0.0083": Variant("LS 0.0083"),
    "LS 0.1": Variant("LS 0.1"),
    "L2 0.0003": Variant("L2 0.0003"),
    "T = 10": Variant("standard", "fixed"),
    "T fitted": Variant("standard", "fitted"),
    "LLLA": Variant("standard", "laplace"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Features (n, 128) -> logits (n, 10), and the parameter that was fitted."""

    logits: Callable[[Float], Float]
    parameter: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A trained network with its features of both sides, of the calibration non-members and of
    noise."""

    network: SalemNetwork
    layer: LastLayer
    members: Float
    nonmembers: Float
    calibration: Float
    calibration_labels: Integer
    noise: Float

    @classmethod
    def of(cls, data: Data, parts: Parts, recipe: str, role: str, seed: int, cache: Path) -> Body:
        network = trained(recipe, role, seed, cache)
        members, nonmembers = getattr(parts, role)
        return cls(
            network,
            network.last_layer,
            network.features(data.inputs(members)),
            network.features(data.inputs(nonmembers)),
            network.features(data.inputs(parts.calibration)),
            data.labels[parts.calibration],
            network.features(_noise(data, parts, seed)),
        )

    def head(self, variant: Variant, seed: int) -> Head:
        """The variant's way from features to logits."""
        layer = self.layer
        if variant.calibration == "none":
            return Head(layer.logits)
        if variant.calibration == "laplace":
            fitted = fit_laplace(
                layer,
                self.members,
                len(self.members),
                self.calibration,
                self.calibration_labels,
                self.noise,
                seed,
            )
            return Head(fitted.logits, fitted.variance)
        temperature = FIXED_TEMPERATURE
        if variant.calibration == "fitted":
            held_out = layer.logits(self.calibration)
            temperature = fit_temperature(held_out, self.calibration_labels)
        return Head(lambda features: layer.logits(features) / temperature, temperature)


def _noise(data: Data, parts: Parts, seed: int) -> Inputs:
    """Noise that the Laplace approximation should be unsure about; other noise is scored."""
    rows = parts.calibration[:NOISE]
    columns = {"image": data.images[rows]}

    def draw(row: int) -> np.random.Generator:
        return random_generator(seed, "overconfidence-study", "laplace", str(row))

    made = change("noise", columns, draw, PREPROCESS)
    assert made.raw is not None
    return PREPROCESS(made.raw(columns, rows)["image"])
