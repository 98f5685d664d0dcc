"""What a fixture set says about itself, in counts and names: no key is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from privacy_gate.domain import Sizes
from privacy_gate.fixtures.columns import label_values, values_of
from privacy_gate.fixtures.decoding import IMAGES
from privacy_gate.fixtures.load import Opened, open_manifest, open_sides
from privacy_gate.fixtures.schema import ColumnEntry, Manifest
from privacy_gate.fixtures.summary import FEW

_MOST_LABELS = 1000


@dataclass(frozen=True, slots=True)
class References:
    """Where records that are referred to lie: ``root``, ``None`` if no directory at hand has them;
    ``loader``: whether reading them takes a function of the user's."""

    root: Path | None
    loader: bool


@dataclass(frozen=True, slots=True)
class FixtureFacts:
    """Verified fixtures in counts. ``records``: what counts once each (a group, copies of one
    content); ``labels``: the label values that occur, sorted, ``None`` if they are very many;
    ``inputs``: the input columns by name."""

    path: Path
    sha256: str
    counts: Sizes
    records: Sizes
    assignment: str
    label: str
    alternatives: tuple[str, ...]
    classes: int | None
    labels: tuple[int | str, ...] | None
    inputs: Mapping[str, ColumnEntry]
    references: References | None
    few: bool = False
    """Whether some label has so few records that it may identify somebody."""

    @property
    def class_count(self) -> int | None:
        """The number of classes, as declared or else as they occur."""
        return self.classes or (None if self.labels is None else len(self.labels))

    @property
    def numbered(self) -> bool:
        """Whether every label is a position in the model's output already."""
        if self.labels is None:
            return True
        first = self.labels[0]
        # a class that no record happens to have is no gap if the number of classes is declared
        last = len(self.labels) if self.classes is None else self.classes
        return isinstance(first, int) and set(self.labels) <= set(range(last))


def fixture_facts(path: Path, directories: Iterable[Path]) -> FixtureFacts:
    """Verify the files of a fixture set and describe it. ``directories``: where records that are
    referred to may lie. Raises ``FixtureError``."""
    manifest, directory, digest = open_manifest(path, None)
    opened = open_sides(manifest, directory)
    sides = manifest.sides
    values, counts = np.unique(
        label_values(opened.sides, manifest.labels.column, manifest.labels.classes),
        return_counts=True,
    )
    reference = manifest.reference
    return FixtureFacts(
        path=directory,
        sha256=digest,
        counts=Sizes(sides.members.count, sides.nonmembers.count),
        records=Sizes(*(len(np.unique(found.unit, axis=0)) for found in opened.identities)),
        assignment=manifest.assignment,
        label=manifest.labels.column,
        alternatives=manifest.labels.alternatives,
        classes=manifest.labels.classes,
        labels=tuple(values.tolist()) if len(values) <= _MOST_LABELS else None,
        inputs=_inputs(manifest) if reference is None else reference.inputs,
        references=None if reference is None else _references(manifest, opened, directories),
        few=bool(counts.min() < FEW),
    )


def _inputs(manifest: Manifest) -> dict[str, ColumnEntry]:
    named = set(manifest.roles.named)
    columns = manifest.sides.members.columns
    return {name: entry for name, entry in columns.items() if name not in named}


def _references(manifest: Manifest, opened: Opened, directories: Iterable[Path]) -> References:
    assert manifest.reference is not None
    column = manifest.reference.location
    first = str(values_of(opened.members[column][:1], column, "members")[0])
    root = next((found for found in directories if (found / first).is_file()), None)
    return References(root, PurePosixPath(first).suffix.lower() not in (*IMAGES, ".npy"))
