"""From an attack's scores to ranks without ties, and to the two sides that are judged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import (
    Boolean,
    Evidence,
    Fixtures,
    Float,
    Integer,
    Scores,
    keyed_hash,
)
from privacy_gate.errors import SignalError
from privacy_gate.protocols import Attack
from privacy_gate.statistics.scores import SortedScores


def tie_keys(fixtures: Fixtures, seed: int) -> NDArray[np.uint64]:
    """(records,) a keyed hash per record, by which tied scores are ordered."""
    key = str(seed).encode()
    digests = (keyed_hash(key, "tie", row.tobytes())[:8] for row in fixtures.identifiers)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def independent_records(fixtures: Fixtures, keys: NDArray[np.uint64]) -> Boolean:
    """(records,) whether a record counts: all of them or, with groups or copies, one of each,
    chosen by keyed hash (a maximum over the group would depend on the group's size). What occurs on
    both sides does not count at all."""
    chosen = np.ones(keys.size, dtype=np.bool_)
    if fixtures.groups is not None:
        ordered = np.lexsort((keys, fixtures.groups))
        _, first = np.unique(fixtures.groups[ordered], return_index=True)
        chosen[:] = False
        chosen[ordered[first]] = True
    return chosen if fixtures.shared is None else chosen & ~fixtures.shared


def attack_scores(attack: Attack, evidence: Evidence) -> Scores:
    """The attack's scores, checked to be one finite number per record."""
    scores = attack.score(evidence)
    if scores.values.shape != evidence.labels.shape:
        raise SignalError(f"The attack {attack.name!r} did not return one score per record.")
    bad = int(scores.values.size - np.isfinite(scores.values).sum())
    if bad:
        raise SignalError(f"The attack {attack.name!r} scored {bad} records NaN or infinite.")
    return scores


def break_ties(scores: Float, keys: NDArray[np.uint64]) -> Float:
    """(records,) ranks 0, 1, … by score, tied scores by key.

    An attacker may toss a coin at its threshold, so rounding an output neither hides a leak nor
    makes a verdict unreachable.
    """
    ranks = np.empty(scores.size)
    ranks[np.lexsort((keys, scores))] = np.arange(scores.size)
    return ranks


def sides(ranks: Float, rows: Integer, is_member: Boolean) -> SortedScores:
    """The members' and the non-members' scores among ``rows``."""
    return SortedScores.of(ranks[rows[is_member[rows]]], ranks[rows[~is_member[rows]]])
