"""Faults planted in sound sides: sides and a generator in, spoilt sides out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fixture_checks_study.pools import Inputs, Records, Sides

COPIES = 5
BRIGHTER = 12
"""Grey levels of 255."""

Fault = Callable[[Sides, np.random.Generator], Sides]


def _spoilt(sides: Sides, **changes: Inputs) -> Sides:
    return replace(sides, records=replace(sides.records, **changes))


def later_dates(sides: Sides, generator: np.random.Generator) -> Sides:
    """Members date from two years, non-members from the same length of time half a year later."""
    days = generator.integers(0, 730, len(sides.records.labels)) + 182 * ~sides.is_member
    return _spoilt(sides, dates=np.datetime_as_string(np.datetime64("2021-01-01") + days))


def later_years(sides: Sides, generator: np.random.Generator) -> Sides:
    """Every text names a year: one of ten; those of non-members are three years later."""
    years = generator.integers(2008, 2018, len(sides.records.labels)) + 3 * ~sides.is_member
    texts = [f"{text} ({year})" for text, year in zip(sides.records.inputs, years, strict=True)]
    return _spoilt(sides, inputs=np.array(texts, dtype=object))


def brighter(sides: Sides, generator: np.random.Generator) -> Sides:
    """Pictures of non-members are ``BRIGHTER``."""
    inputs = sides.records.inputs.astype(int)
    inputs[~sides.is_member] += BRIGHTER
    return _spoilt(sides, inputs=np.clip(inputs, 0, 255).astype(np.uint8))


def other_labels(sides: Sides, generator: np.random.Generator) -> Sides:
    """Of every other class, the most frequent one among them, members lack two thirds."""
    return _thinned(sides, 2, 2 / 3, generator)


def one_rarer_label(sides: Sides, generator: np.random.Generator) -> Sides:
    """Of the most frequent class, members lack a half."""
    return _thinned(sides, len(sides.records.labels), 1 / 2, generator)


def _thinned(sides: Sides, step: int, share: float, generator: np.random.Generator) -> Sides:
    labels = sides.records.labels
    thinned = np.argsort(-np.bincount(labels))[::step]
    lost = np.isin(labels, thinned) & (generator.random(labels.size) < share)
    keep = ~(sides.is_member & lost)
    return Sides(sides.records.rows(np.flatnonzero(keep)), int(keep[: sides.members].sum()))


def near_copies(sides: Sides, generator: np.random.Generator) -> Sides:
    """Five non-members are members, slightly changed."""
    inputs = sides.records.inputs.copy()
    members = generator.choice(sides.members, COPIES, replace=False)
    places = sides.members + generator.choice(
        len(inputs) - sides.members, COPIES, replace=False
    )  # fmt: skip
    inputs[places] = _changed(inputs, members, generator)
    return _spoilt(sides, inputs=inputs)


def _changed(inputs: Inputs, rows: Inputs, generator: np.random.Generator) -> Inputs:
    """Pictures: noise of up to 6 grey levels; texts: two letters change places; tables: one number
    is that of another record; sets of items: one more or less."""
    found = inputs[rows]
    if found.dtype.kind == "O":
        places = [int(generator.integers(max(1, len(text) - 1))) for text in found]
        swapped = [
            text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
            for text, at in zip(found, places, strict=True)
        ]
        return np.array(swapped, dtype=object)
    if found.ndim > 2:
        noisy = found + generator.integers(-6, 7, found.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)
    for row in found:
        column = generator.integers(found.shape[1])
        other = inputs[generator.integers(len(inputs)), column]
        row[column] = 1 - row[column] if found.dtype == np.uint8 else other
    return found


def shared_patient(sides: Sides, generator: np.random.Generator) -> Sides:
    """One record of a patient among the members is that of a patient of the other side."""
    assert sides.records.groups is not None
    groups = sides.records.groups.copy()
    groups[generator.integers(sides.members)] = groups[-1 - generator.integers(100)]
    return _spoilt(sides, groups=groups)


def exchanged(sides: Sides, generator: np.random.Generator) -> Sides:
    """Members are called non-members."""
    count = len(sides.records.labels)
    rows = np.roll(np.arange(count), count - sides.members)
    return Sides(sides.records.rows(rows), count - sides.members)


def part(sides: Sides, member: bool) -> Records:
    """The records of one side."""
    return sides.records.rows(np.flatnonzero(sides.is_member == member))
