"""The networks: HAMP's own recipes on two binary tables, checkpoints of the best validation epoch.

Architecture (input-1024-512-256-128-classes, tanh), optimisers, milestones, a new optimiser at each
epoch, batches in fixed order and the choice of the epoch are those of the published scripts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from few_shot_study.datasets import Dataset
from safetensors.torch import load_file, save_file
from torch import nn

from privacy_gate.defenses import HampLoss
from privacy_gate.domain import Integer, random_generator

WEIGHTS = ("plain", "smoothed", "hamp")
WIDTHS = (1024, 512, 256, 128)
MILESTONES = (60, 90, 150)
SMOOTHING = 0.05
"""The entropy of label smoothing, relative to ln K, as published for Purchase100."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """``gamma`` and ``alpha`` of ``HampLoss(…, normalise="authors")``; ``rate`` and ``epochs`` of
    training with soft labels (SGD, momentum 0.99); the plain network has an optimiser of its own.
    """

    members: int
    validation: int
    batch: int
    gamma: float
    alpha: float
    rate: float
    epochs: int
    plain_epochs: int
    plain_adam: bool


RECIPES = {
    # as published
    "location30": Recipe(1350, 300, 64, 0.5, 0.001, 0.5, 100, 50, plain_adam=False),
    # Purchase100's, with alpha * K and rate / K of its 100 classes, and half of its epochs
    "groceries20": Recipe(1600, 400, 32, 0.8, 0.05, 0.1, 100, 100, plain_adam=True),
}


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Rows of the data set: members, as many non-members, and records to choose the epoch by."""

    members: Integer
    nonmembers: Integer
    validation: Integer

    @classmethod
    def drawn(cls, name: str, records: int, seed: int) -> Parts:
        recipe = RECIPES[name]
        rows = random_generator(seed, name, "parts").permutation(records)
        ends = np.cumsum([recipe.members, recipe.members, recipe.validation])
        return cls(*np.split(rows, ends)[:3])


def network(inputs: int, classes: int) -> nn.Sequential:
    """The published multi-layer perceptron."""
    sizes = (inputs, *WIDTHS)
    layers: list[nn.Module] = []
    for size, wider in pairwise(sizes):
        layers += [nn.Linear(size, wider), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(WIDTHS[-1], classes))


def trained(name: str, data: Dataset, kind: str, seed: int, cache: Path) -> nn.Sequential:
    """The network of ``kind``, read from the cache or trained and written there."""
    path = cache / f"{name}-{kind}-{seed}.safetensors"
    model = network(data.inputs.shape[1], data.classes)
    if not path.exists():
        save_file(_best_epoch(name, data, kind, seed), path)
    model.load_state_dict(load_file(path))
    return model.eval()


def _best_epoch(name: str, data: Dataset, kind: str, seed: int) -> dict[str, torch.Tensor]:
    recipe = RECIPES[name]
    torch.manual_seed(seed)
    model = network(data.inputs.shape[1], data.classes)
    parts = Parts.drawn(name, data.labels.size, seed)
    x, y = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
    own, validation = torch.from_numpy(parts.members), torch.from_numpy(parts.validation)
    loss = _loss(recipe, data.classes, kind)
    plain = kind == "plain"
    best, weights = -1.0, {}
    adam = torch.optim.Adam(model.parameters(), 5e-5, weight_decay=1e-3)
    for epoch in range(recipe.plain_epochs if plain else recipe.epochs):
        optimiser = adam if plain and recipe.plain_adam else _sgd(model, recipe, plain, epoch)
        for rows in own.split(recipe.batch):
            optimiser.zero_grad()
            loss(model(x[rows]), y[rows]).backward()
            optimiser.step()
        with torch.no_grad():
            right = model(x[validation]).argmax(dim=1) == y[validation]
        if right.float().mean() > best:
            best = float(right.float().mean())
            weights = {key: value.clone() for key, value in model.state_dict().items()}
    return weights


def _loss(recipe: Recipe, classes: int, kind: str) -> nn.Module:
    if kind == "plain":
        return nn.CrossEntropyLoss()
    gamma, alpha = (recipe.gamma, recipe.alpha) if kind == "hamp" else (SMOOTHING, 0.0)
    return HampLoss(classes, gamma, alpha, normalise="authors", step=0.01)


def _sgd(model: nn.Module, recipe: Recipe, plain: bool, epoch: int) -> torch.optim.Optimizer:
    if plain:
        return torch.optim.SGD(model.parameters(), 0.5)
    rate = recipe.rate * 0.1 ** sum(epoch >= milestone for milestone in MILESTONES)
    return torch.optim.SGD(model.parameters(), rate, momentum=0.99, weight_decay=1e-5)
