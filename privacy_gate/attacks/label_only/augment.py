"""``augmentation-robustness``: how many augmented copies of a record keep its label.

After the data augmentation attack of Choquette-Choo et al. 2021 (section 4.1), with the share of
kept labels as the score. Images are shifted by one or two pixels, mirrored and cropped, in the
order of ``AUGMENTATIONS``. Records of a table are masked: about 3 in 10 features take the value
they have in another record of the support or calibration split, a new one for each copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.attacks.label_only.columns import Column, described
from privacy_gate.attacks.label_only.evidence import Asked, Generators, correct_first
from privacy_gate.domain import Evidence, Integer, Scores

Array = NDArray[Any]

MASKED = 0.3
"""Share of the features that another record's values replace."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """A geometric change: each pixel is read from another place, borders are repeated."""

    down: int = 0
    right: int = 0
    crop: int = 0
    mirrored: bool = False

    def __call__(self, images: Array, axes: tuple[int, int]) -> Array:
        """Changed images (b, …) of the same shape and type; ``axes`` of height and width."""
        height, width = (images.shape[axis] for axis in axes)
        columns = self._source(width, self.right)
        return images.take(self._source(height, self.down), axis=axes[0]).take(
            columns[::-1] if self.mirrored else columns, axis=axes[1]
        )

    def _source(self, size: int, shift: int) -> Integer:
        """(size,) where each place is read: the inside of a crop is stretched to the full size."""
        inside = np.linspace(self.crop, size - 1 - self.crop, size)
        return np.clip(np.rint(inside).astype(np.int64) - shift, 0, size - 1)


_DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))
_MOVES = tuple(
    move
    for pixels in (1, 2)
    for move in (
        *(Augmentation(down * pixels, right * pixels) for down, right in _DIRECTIONS),
        Augmentation(crop=pixels),
    )
)
AUGMENTATIONS = (
    *_MOVES[:4],
    Augmentation(mirrored=True),
    *_MOVES[4:],
    *(replace(move, mirrored=True) for move in _MOVES),
)
"""In the order in which they are used; more queries than these are not asked of images."""


@dataclass(frozen=True, slots=True)
class AugmentationRobustness:
    """Asks about up to ``queries`` augmented copies of each record."""

    queries: int = 4
    name: str = "augmentation-robustness"
    family: str = "label-only"
    access: str = "labels"
    reads: frozenset[str] = frozenset({"queries"})

    @property
    def queries_per_record(self) -> int:
        """The most that any record is asked about."""
        return self.queries

    def score(self, evidence: Evidence) -> Scores:
        """The share of copies that keep the label; a wrongly labelled record ranks below."""
        asked = Asked.of(self.name, evidence)
        shown = asked.shown()
        columns = described(asked.queries.take(shown))
        images = [name for name, column in columns.items() if column.axes is not None]
        copies = min(self.queries, len(AUGMENTATIONS)) if images else self.queries
        rows = asked.everyone
        kept = np.zeros(rows.size)
        for block, raw in asked.queries.blocks(rows):
            generators = [] if images else asked.generators(block, self.name)
            for number in range(copies):
                changed = (
                    _augmented(raw, columns, AUGMENTATIONS[number])
                    if images
                    else masked(raw, columns, generators)
                )
                kept[block] += asked.queries.predict(block, changed) == evidence.labels[block]
        return Scores(
            correct_first(kept / copies, asked.correct),
            method=f"{copies} copies: "
            + (
                "images, shifted, mirrored or cropped"
                if images
                else f"records of a table, {MASKED:.0%} of the features from other records"
            ),
        )


def _augmented(
    raw: Mapping[str, Array], columns: Mapping[str, Column], change: Augmentation
) -> dict[str, Array]:
    """The images of each record changed alike; what is no image stays."""
    changed = dict(raw)
    for name, column in columns.items():
        if column.axes is not None:
            changed[name] = change(raw[name], column.axes)
    return changed


def masked(
    raw: Mapping[str, Array], columns: Mapping[str, Column], generators: Generators
) -> dict[str, Array]:
    """Each record with some of its features from one other record, the same in all columns."""
    sample = len(next(iter(columns.values())).sample)
    donors = np.array([generator.integers(sample) for generator in generators])
    changed = {}
    for name, column in columns.items():
        values = raw[name].reshape(len(donors), -1)
        chance = np.empty(values.shape, dtype=np.float32)
        for row, generator in enumerate(generators):
            generator.random(dtype=np.float32, out=chance[row])
        mixed = np.where(chance < MASKED, column.sample[donors], values)
        changed[name] = mixed.reshape(raw[name].shape)
    return changed
