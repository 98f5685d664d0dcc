"""What the lens needs of the model while it is open: its linear layers, and how it reads noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from privacy_gate.calibration_lens.laplace import LastLayer
from privacy_gate.calibration_lens.lens import LensInputs
from privacy_gate.domain import Float, Signals, random_generator
from privacy_gate.errors import ModelError
from privacy_gate.models.querying import Asking
from privacy_gate.overconfidence.sets import calibration_nonmembers
from privacy_gate.overconfidence.transforms import NotApplicable, change
from privacy_gate.preparation import Prepared

if TYPE_CHECKING:
    import torch

    from privacy_gate.models.torch_model import TorchModel

NOISE = 256
"""Noise inputs that are answered, at most."""


def lens_inputs(prepared: Prepared, asking: Asking, signals: Signals) -> LensInputs:
    """Of a torch model its layers and the features of noise; of any other model the reason why
    there is no Laplace approximation. ``signals``: those of the fixtures."""
    from privacy_gate.models.torch_model import TorchModel

    model = asking.model
    if not isinstance(model, TorchModel):
        return LensInputs(reason=f"a model of format {prepared.config.model.format} has no layers")
    if signals.features is None or signals.outputs is None:
        return LensInputs(reason="model.features names no layer")
    shape = (signals.outputs.shape[1], signals.features.shape[1])
    layers = tuple(linear_layers(model, shape))
    return LensInputs(layers, _noise(prepared, asking) if layers else None)


def linear_layers(model: TorchModel, shape: tuple[int, int]) -> Iterator[LastLayer]:
    """Every weight matrix of a ``shape`` (classes, features) with its bias, the last one first."""
    weights = model.parameters()
    for name, weight in reversed(weights.items()):
        if name.rpartition(".")[2] == "weight" and tuple(weight.shape) == shape:
            bias = weights.get(name.removesuffix("weight") + "bias")
            yield LastLayer(_array(weight), np.zeros(shape[0]) if bias is None else _array(bias))


def _array(weight: torch.Tensor) -> Float:
    found: Float = weight.detach().double().cpu().numpy()
    return found


def _noise(prepared: Prepared, asking: Asking) -> Float | None:
    """(z, m) features of noise in the range of the data; ``None`` where there is no such noise or
    no finite answer to it."""
    rows = calibration_nonmembers(prepared)[:NOISE]
    seed, digests = prepared.config.statistics.seed, prepared.data.identifiers

    def draw(row: int) -> np.random.Generator:
        return random_generator(seed, "calibration-lens", digests[row].tobytes().hex())

    try:
        made = change("noise", prepared.data.records.take(rows), draw, None)
        if made.raw is None:
            return None
        asked = ((block, made.raw(raw, block)) for block, raw in asking.blocks(rows))
        features = [outputs.features for _, outputs in asking.answers(asked)]
    except (NotApplicable, ModelError):
        return None
    known = [one.astype(np.float64) for one in features if one is not None]
    return np.concatenate(known) if known else None
