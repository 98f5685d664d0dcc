"""CIFAR-10 images, who of them is a member of which model, and sets in which nobody is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import TRANSFORMS, Integer, random_generator
from privacy_gate.models.preprocess import Arithmetic
from privacy_gate.overconfidence.generator import generate
from privacy_gate.overconfidence.transforms import change

Images = NDArray[np.uint8]
Inputs = NDArray[np.float32]

SIDE = 4000
"""Members of each model, and as many non-members."""
CALIBRATION = 3000
OOD = 2000
"""Records of each set that nobody was trained on, at most."""

PREPROCESS = Arithmetic(
    scale=1 / 255, mean=[0.4914, 0.4822, 0.4465], std=[0.2470, 0.2435, 0.2616], layout="NCHW"
)


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """``images`` (N, 32, 32, 3) of 0..255 and ``labels`` (N,)."""

    images: Images
    labels: Integer

    def inputs(self, rows: Integer) -> Inputs:
        """(n, 3, 32, 32) what a model is given."""
        return np.ascontiguousarray(PREPROCESS(self.images[rows]))


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Rows of disjoint records: both sides of the target and of the attacker's shadow model, and
    the ``calibration`` non-members of both."""

    target: tuple[Integer, Integer]
    shadow: tuple[Integer, Integer]
    calibration: Integer

    @classmethod
    def drawn(cls, records: int, seed: int) -> Parts:
        rows = random_generator(seed, "overconfidence-study", "parts").permutation(records)
        ends = np.cumsum([SIDE, SIDE, SIDE, SIDE, CALIBRATION])
        sides = np.split(rows, ends)[:5]
        return cls((sides[0], sides[1]), (sides[2], sides[3]), sides[4])


def cifar10(folder: Path) -> Data:
    """All images at hand: the original's two parts together, so that only coins tell them apart."""
    with np.load(folder / "cifar10_25k.npz") as stored:
        images = np.concatenate([stored["x_train"], stored["x_test"]])
        labels = np.concatenate([stored["y_train"], stored["y_test"]])
    return Data(images, labels.astype(np.int64))


def nonmember_sets(
    data: Data, parts: Parts, folder: Path, seed: int
) -> Iterator[tuple[str, Inputs]]:
    """Name -> inputs of records that no model was trained on, by the audit's own transforms and
    generator; then those of other data sets."""
    rows = parts.target[1][:OOD]
    pool = {"image": data.images[rows]}

    def draw(row: int) -> np.random.Generator:
        return random_generator(seed, "overconfidence-study", str(row))

    for name in TRANSFORMS:
        made = change(name, pool, draw, PREPROCESS)
        raw = pool if made.raw is None else made.raw(pool, rows)
        inputs = {"image": PREPROCESS(raw["image"])}
        yield name, (inputs if made.after is None else made.after(inputs))["image"]
    training = {"image": data.images[parts.calibration]}
    yield "generated", PREPROCESS(generate(training, OOD, seed)["image"])
    for name, images in _others(folder):
        chosen = random_generator(seed, "overconfidence-study", name).permutation(len(images))
        yield name, PREPROCESS(images[np.sort(chosen[:OOD])])


def _others(folder: Path) -> Iterator[tuple[str, Images]]:
    """Other data sets as images of 32 x 32 x 3: digits and clothes get a margin and three equal
    channels."""
    with np.load(folder / "tiny_imagenet100_32.npz") as stored:
        yield "Tiny ImageNet", stored["x"]
    for name, file, key in (
        ("Fashion-MNIST", "fashion_mnist_25k.npz", "x_test"),
        ("MNIST", "mnist_t10k.npz", "x"),
    ):
        with np.load(folder / file) as stored:
            grey = np.pad(stored[key], ((0, 0), (2, 2), (2, 2)))
            yield name, np.repeat(grey[..., np.newaxis], 3, axis=3)
