"""What an attacker sees of a network: its evidence, at one of four levels of access."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from few_shot_study.datasets import Dataset
from numpy.typing import NDArray
from torch import nn

from hamp_study.training import Parts
from privacy_gate.defenses import HampOutput, bernoulli
from privacy_gate.domain import (
    Boolean,
    Evidence,
    Float,
    Integer,
    Outputs,
    Signals,
    Split,
    random_generator,
)
from privacy_gate.tasks.classification import Classification

BATCH = 512
REPEATS = 8
"""How often the attacker asks who averages the answers."""

SHARES = (0.1, 0.15, 0.75)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The records of both sides: ``inputs`` (N, d) uint8; (N,) each: ``labels``, ``member``,
    ``split`` by coins, and random ``keys``."""

    inputs: NDArray[np.uint8]
    labels: Integer
    member: Boolean
    split: NDArray[np.int8]
    keys: NDArray[np.uint64]

    @classmethod
    def of(cls, name: str, data: Dataset, parts: Parts, seed: int) -> Judged:
        rows = np.concatenate([parts.members, parts.nonmembers])
        split = random_generator(seed, name, "split").choice(3, rows.size, p=SHARES)
        keys = random_generator(seed, name, "keys").integers(2**64, size=rows.size, dtype=np.uint64)
        return cls(
            data.inputs[rows].astype(np.uint8),
            data.labels[rows],
            np.arange(rows.size) < parts.members.size,
            split.astype(np.int8),
            keys,
        )

    def evidence(self, probabilities: Float, seed: int, model: nn.Module | None = None) -> Evidence:
        """All that an attacker learns from ``probabilities`` (N, classes), and from asking
        ``model``."""
        outputs = Outputs(probabilities, "probabilities")
        columns = Classification().signals(outputs, self.labels)
        return Evidence(
            Signals(columns, probabilities.argmax(axis=1), outputs=probabilities),
            self.labels,
            self.split,
            np.where(self.split == Split.EVALUATION, -1, self.member).astype(np.int8),
            seed,
            keys=self.keys,
            queries=None if model is None else Asking(self.inputs, model),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """Labels of changed records; implements ``domain.Queries``."""

    inputs: NDArray[np.uint8]
    model: nn.Module

    def take(self, rows: Integer) -> dict[str, NDArray[Any]]:
        """The records ``rows`` as the column ``x``."""
        return {"x": self.inputs[rows]}

    def blocks(self, rows: Integer) -> Iterator[tuple[Integer, dict[str, NDArray[Any]]]]:
        """The records ``rows``, a batch at a time."""
        for start in range(0, rows.size, BATCH):
            block = rows[start : start + BATCH]
            yield block, self.take(block)

    def predict(self, rows: Integer, columns: Mapping[str, NDArray[Any]]) -> Integer:
        """The predicted classes (b,) of the changed records."""
        return answers(self.model, columns["x"]).argmax(axis=1)


def answers(model: nn.Module, inputs: NDArray[np.uint8]) -> Float:
    """(N, classes) probabilities in float64."""
    with torch.no_grad():
        rows = torch.from_numpy(inputs).float().split(BATCH)
        return torch.cat([model(part).double().softmax(dim=1) for part in rows]).numpy()


def deployed(model: nn.Module, seed: int) -> HampOutput:
    """HAMP's output modification as published for binary tables."""
    return HampOutput(model, bernoulli(), seed)


def averaged(model: nn.Module, inputs: NDArray[np.uint8]) -> Float:
    """The mean of several answers to each record."""
    return np.mean([answers(model, inputs) for _ in range(REPEATS)], axis=0)
