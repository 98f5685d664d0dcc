"""What many permutations say about the gate, held against the exact laws of chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from privacy_gate.selftest.drawing import Drawn
from privacy_gate.statistics.tails import binomial_at_least, smallest

ERROR = 0.001
"""Chance that a sound gate is found at fault, over everything that is counted."""

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5)
"""Levels at which the exact probabilities of no leakage are counted."""


@dataclass(frozen=True, slots=True)
class Count:
    """How often something happened in ``draws`` permutations, where it may happen with a chance of
    ``level``; more than ``allowed`` times is no chance any more."""

    what: str
    level: float
    draws: int
    found: int
    allowed: int

    @property
    def exceeded(self) -> bool:
        """Whether it happened too often."""
        return self.found > self.allowed


@dataclass(frozen=True, slots=True)
class Findings:
    """``runs`` by verdict; ``checks`` by id with the number of permutations of each verdict."""

    draws: int
    runs: dict[str, int]
    fails: Count
    null_p: tuple[Count, ...]
    checks: dict[str, dict[str, int]]

    @property
    def exceeded(self) -> tuple[Count, ...]:
        """What happened too often; empty if the gate is sound here."""
        return tuple(count for count in (self.fails, *self.null_p) if count.exceeded)

    @property
    def worst(self) -> Count | None:
        """The count of exact probabilities that is least likely to be chance."""
        return min(
            self.null_p,
            key=lambda count: binomial_at_least(count.found, count.draws, count.level),
            default=None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "draws": self.draws,
            "sound": not self.exceeded,
            "error": ERROR,
            "runs": self.runs,
            "pass_share": self.runs.get("pass", 0) / self.draws,
            "fails": _plain(self.fails),
            "null_p": [_plain(count) for count in self.null_p],
            "checks": self.checks,
        }


def findings(drawn: Sequence[Drawn], run_level: float) -> Findings:
    """The counts of all permutations.

    ``run_level`` is the chance with which a run of checks that are all within their budgets may
    fail (Holm, λ). Every count has an exact binomial law or one below it, since permutations are
    drawn independently; the allowances share ``ERROR``.
    """
    probabilities: dict[str, list[float]] = {}
    verdicts: dict[str, Counter[str]] = {}
    for one in drawn:
        for name, value in one.null_p.items():
            probabilities.setdefault(name, []).append(value)
        for name, verdict in one.verdicts.items():
            verdicts.setdefault(name, Counter())[verdict] += 1
    error = ERROR / (1 + len(probabilities) * len(LEVELS))
    runs = Counter(one.outcome for one in drawn)
    return Findings(
        draws=len(drawn),
        runs={str(verdict): count for verdict, count in runs.items()},
        fails=_count("runs fail", run_level, len(drawn), runs["fail"], error),
        null_p=tuple(
            _count(name, level, len(values), sum(value <= level for value in values), error)
            for name, values in probabilities.items()
            for level in LEVELS
        ),
        checks={name: dict(counts) for name, counts in verdicts.items()},
    )


def _count(what: str, level: float, draws: int, found: int, error: float) -> Count:
    """``allowed`` is the smallest number that is exceeded with a chance of at most ``error``."""
    allowed = smallest(lambda most: binomial_at_least(most + 1, draws, level) <= error, 0, draws)
    return Count(what, level, draws, found, draws if allowed is None else allowed)


def _plain(count: Count) -> dict[str, Any]:
    return {
        "what": count.what,
        "level": count.level,
        "draws": count.draws,
        "found": count.found,
        "allowed": count.allowed,
        "exceeded": count.exceeded,
    }
