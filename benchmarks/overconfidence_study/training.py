"""The network of Salem et al. as the published study trains it, but on fewer images and for fewer
epochs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from overconfidence_study.data import Data, Inputs, Parts
from privacy_gate.calibration_lens.laplace import LastLayer
from privacy_gate.domain import Float

EPOCHS = 25
BATCH = 64
ROLES = ("target", "shadow")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What differs from Adam at 0.001 on the plain cross-entropy."""

    smoothing: float = 0.0
    weight_decay: float = 0.0


RECIPES = {
    "standard": Recipe(),
    "LS 0.0083": Recipe(smoothing=0.0083),
    "LS 0.1": Recipe(smoothing=0.1),
    "L2 0.0003": Recipe(weight_decay=3e-4),
}


class SalemNetwork(nn.Module):
    """Two convolutions of 5 x 5 and a hidden layer of 128, whose outputs are the features."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (3, 32):
            layers += [nn.Conv2d(channels, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 8 * 8, 128), nn.ReLU())
        self.head = nn.Linear(128, 10)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(inputs))

    @property
    def last_layer(self) -> LastLayer:
        """The layer that makes logits of features."""
        weight, bias = (part.detach().double().numpy() for part in self.head.parameters())
        return LastLayer(weight, bias)

    def features(self, inputs: Inputs) -> Float:
        """(n, 128) float64."""
        with torch.no_grad():
            parts = [self.body(batch) for batch in torch.from_numpy(inputs).split(100)]
        return torch.cat(parts).double().numpy()


def train(data: Data, recipe: str, role: str, seed: int, cache: Path) -> None:
    """Train a model of ``role`` unless its weights are there."""
    path = _path(cache, recipe, role, seed)
    if path.exists():
        return
    torch.set_num_threads(1)
    members = getattr(Parts.drawn(data.labels.size, seed), role)[0]
    found = RECIPES[recipe]
    torch.manual_seed(2 * seed + ROLES.index(role))
    network = SalemNetwork().to(memory_format=torch.channels_last)
    inputs = torch.from_numpy(data.inputs(members))
    labels = torch.from_numpy(data.labels[members])
    loss = nn.CrossEntropyLoss(label_smoothing=found.smoothing)
    optimiser = torch.optim.Adam(
        network.parameters(), 1e-3, weight_decay=found.weight_decay, fused=True
    )
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(labels)).split(BATCH):
            batch = inputs[rows].contiguous(memory_format=torch.channels_last)
            optimiser.zero_grad()
            loss(network(batch), labels[rows]).backward()
            optimiser.step()
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    unfinished = path.with_suffix(".part")
    save_file(weights, unfinished)
    os.replace(unfinished, path)


def trained(recipe: str, role: str, seed: int, cache: Path) -> SalemNetwork:
    """A model that :func:`train` wrote."""
    network = SalemNetwork()
    network.load_state_dict(load_file(_path(cache, recipe, role, seed)))
    return network.eval().to(memory_format=torch.channels_last)


def _path(cache: Path, recipe: str, role: str, seed: int) -> Path:
    return cache / f"{recipe.replace(' ', '-')}-{role}-{seed}-{EPOCHS}.safetensors"
