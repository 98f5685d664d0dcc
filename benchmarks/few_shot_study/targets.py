"""Models trained on records that a coin made members, and their answers to all records.

Three targets a data set and seed: ``leaky`` (trained until it knows its members by heart), ``mild``
(stopped early, with dropout and weight decay), and ``null``: the leaky model on records it was not
trained on, to which a second coin gives sides that mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from few_shot_study import datasets
from privacy_gate.domain import Boolean, Evidence, Float, Integer, Signals, Split, random_generator
from privacy_gate.tasks.classification import signals_from_logits

KINDS = ("leaky", "mild", "null")
SHARES = (0.15, 0.25, 0.60)
BATCH = 64


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained: Adam, batches of 64."""

    epochs: int
    dropout: float = 0.0
    weight_decay: float = 0.0


RECIPES = {
    ("location30", "leaky"): Recipe(40),
    ("location30", "mild"): Recipe(8, dropout=0.5, weight_decay=1e-3),
    ("groceries20", "leaky"): Recipe(60),
    ("groceries20", "mild"): Recipe(8, dropout=0.5, weight_decay=1e-3),
    ("diabetes130", "leaky"): Recipe(40),
    ("diabetes130", "mild"): Recipe(3, dropout=0.5, weight_decay=1e-3),
    ("fashion_mnist", "leaky"): Recipe(60),
    ("fashion_mnist", "mild"): Recipe(4, dropout=0.5, weight_decay=1e-3),
    ("cifar10", "leaky"): Recipe(30),
    ("cifar10", "mild"): Recipe(4, dropout=0.5, weight_decay=1e-3),
    ("orl", "leaky"): Recipe(80),
    ("orl", "mild"): Recipe(20, dropout=0.5, weight_decay=1e-3),
}


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model answers to N records: ``logits`` (N, C) and ``features`` (N, d) float32,
    ``labels`` (N,), ``member`` (N,), ``split`` (N,) of ``Split`` values."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    labels: Integer
    member: Boolean
    split: NDArray[np.int8]

    @classmethod
    def read(cls, path: Path) -> Answers:
        with np.load(path) as stored:
            return cls(**{name: stored[name] for name in cls.__slots__})

    def write(self, path: Path) -> None:
        np.savez(path, **{name: getattr(self, name) for name in self.__slots__})

    def take(self, rows: Integer) -> Answers:
        """The answers to some of the records."""
        return Answers(*(getattr(self, name)[rows] for name in self.__slots__))

    @property
    def accuracies(self) -> tuple[float, float]:
        """Share of right answers on members and on non-members."""
        right = self.logits.argmax(axis=1) == self.labels
        return float(right[self.member].mean()), float(right[~self.member].mean())

    def evidence(self, seed: int) -> Evidence:
        """What an attacker may see: no membership of evaluation records."""
        logits = self.logits.astype(np.float64)
        predicted = logits.argmax(axis=1)
        columns: dict[str, Float] = {
            **signals_from_logits(logits, self.labels),
            "correctness": (predicted == self.labels).astype(np.float64),
        }
        hidden = self.split == Split.EVALUATION
        return Evidence(
            Signals(columns, predicted, self.features, logits),
            self.labels,
            self.split,
            np.where(hidden, -1, self.member).astype(np.int8),
            seed,
        )


def file_of(cache: Path, name: str, kind: str, seed: int) -> Path:
    """Where the answers of a target are kept."""
    return cache / f"{name}-{kind}-{seed}.npz"


def kinds_of(name: str) -> tuple[str, ...]:
    """ORL has too few faces to leave enough non-members for a null."""
    return KINDS[:2] if name == "orl" else KINDS


def prepare(name: str, folder: Path, cache: Path, seed: int) -> None:
    """Train what the cache does not have yet."""
    missing = [k for k in kinds_of(name) if not file_of(cache, name, k, seed).exists()]
    if not missing:
        return
    from few_shot_study.training import answers_of_trained

    data = datasets.load(name, folder)
    for kind in KINDS[:2]:
        member, split = assigned(data.labels.size, seed, f"{name}-{kind}")
        logits, features = answers_of_trained(data, member, RECIPES[name, kind], seed)
        answers = Answers(logits, features, data.labels, member, split)
        answers.write(file_of(cache, name, kind, seed))
        if kind == "leaky" and "null" in kinds_of(name):
            unseen = answers.take(np.flatnonzero(~member))
            sides = assigned(unseen.labels.size, seed, f"{name}-null")
            null = Answers(unseen.logits, unseen.features, unseen.labels, *sides)
            null.write(file_of(cache, name, "null", seed))


def assigned(records: int, seed: int, target: str) -> tuple[Boolean, NDArray[np.int8]]:
    """A fair coin a record for membership, and independently of it a split."""
    member = random_generator(seed, target, "membership").random(records) < 0.5
    split = random_generator(seed, target, "split").choice(len(SHARES), records, p=SHARES)
    return member, split.astype(np.int8)
