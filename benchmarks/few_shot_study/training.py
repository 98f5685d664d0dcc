"""Small networks on one thread: three convolutions for images, two hidden layers for the rest."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from few_shot_study.datasets import Dataset
from few_shot_study.targets import BATCH, Recipe
from privacy_gate.domain import Boolean

FEATURES = 128


class Network(nn.Module):
    """``body`` ends in the 128 penultimate features, ``head`` makes logits of them."""

    def __init__(self, shape: tuple[int, ...], classes: int, dropout: float) -> None:
        super().__init__()
        self.body = _images(shape, dropout) if len(shape) == 3 else _vectors(shape[0], dropout)
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(inputs))


def _images(shape: tuple[int, ...], dropout: float) -> nn.Module:
    layers: list[nn.Module] = []
    channels, height, width = shape
    for wider in (16, 32, 64):
        layers += [nn.Conv2d(channels, wider, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels, height, width = wider, height // 2, width // 2
    last = nn.Linear(channels * height * width, FEATURES)
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout), last, nn.ReLU())


def _vectors(columns: int, dropout: float) -> nn.Module:
    return nn.Sequential(
        nn.Linear(columns, 256),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(256, FEATURES),
        nn.ReLU(),
        nn.Dropout(dropout),
    )


def answers_of_trained(
    data: Dataset, member: Boolean, recipe: Recipe, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, C) and features (N, 128) of a model trained on the members."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
    network = Network(data.inputs.shape[1:], data.classes, recipe.dropout)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, weight_decay=recipe.weight_decay)
    own = torch.from_numpy(np.flatnonzero(member))
    for _ in range(recipe.epochs):
        for rows in own[torch.randperm(own.numel())].split(BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
            optimiser.step()
    network.eval()
    with torch.no_grad():
        features = torch.cat([network.body(rows) for rows in inputs.split(512)])
        return network.head(features).numpy(), features.numpy()
