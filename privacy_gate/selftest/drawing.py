"""One permutation of membership, judged as a run is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import (
    Boolean,
    Evidence,
    Float,
    Integer,
    Outcome,
    Signals,
    Sizes,
    Split,
    Verdict,
    random_generator,
)
from privacy_gate.protocols import Attack
from privacy_gate.ranking import attack_scores, break_ties, sides
from privacy_gate.registry import split_surface
from privacy_gate.signals import Progress
from privacy_gate.terms import PlannedCheck
from privacy_gate.verdict import judge, outcome

RARELY = 10
"""An attack that is slow to learn again takes part in one of so many permutations."""

_SLOW = ("laplacian-shot-",)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one permutation led to: the verdict of the run and of each check by id, and the exact
    probabilities of no leakage (``null_p``) of the checks that have one."""

    outcome: Outcome
    verdicts: Mapping[str, Verdict]
    null_p: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Bench:
    """What all permutations share.

    ``evidence`` is that of the run, with the signals ``seen`` on each surface; ``is_member``
    (records,) the true membership; ``independent`` (records,) the records that count; ``checks``
    those of ``attacks``.
    """

    evidence: Evidence
    seen: Mapping[str, Signals]
    is_member: Boolean
    independent: Boolean
    keys: NDArray[np.uint64]
    attacks: tuple[Attack, ...]
    checks: tuple[PlannedCheck, ...]
    confidence: float
    episode_size: int
    seed: int

    @property
    def rows(self) -> Integer:
        """The records that are judged."""
        return np.flatnonzero(self.independent & (self.evidence.split == Split.EVALUATION))

    def drawn(self, number: int) -> Drawn:
        """Permutation ``number``; it depends on the seed and this number only."""
        member = permuted(self.is_member, self.independent, self.seed, number)
        attacks = [attack for attack in self.attacks if number % RARELY == 0 or not slow(attack)]
        evidence = replace(
            self.evidence,
            membership=visible(member, self.evidence.split, self.independent),
        )
        rows = self.rows
        scores = {
            attack.name: sides(break_ties(self._scores(attack, evidence), self.keys), rows, member)
            for attack in attacks
        }
        counted = int(member[rows].sum())
        checks = judge(
            [check for check in self.checks if check.attack in scores],
            scores,
            # these members are no sample of the training records: no population is known
            Sizes(counted, rows.size - counted),
            confidence=self.confidence,
            episode_size=self.episode_size,
            characteristics=False,
        )
        return Drawn(
            outcome(checks),
            {check.id: check.verdict for check in checks},
            {check.id: check.null_p for check in checks if check.null_p is not None},
        )

    def _scores(self, attack: Attack, evidence: Evidence) -> Float:
        signals = self.seen[split_surface(attack.name)[1]]
        return attack_scores(attack, replace(evidence, signals=signals)).values


def permuted(is_member: Boolean, independent: Boolean, seed: int, number: int) -> Boolean:
    """(records,) membership dealt out anew among the records that count, whatever their split."""
    rows = np.flatnonzero(independent)
    dealt = is_member.copy()
    dealt[rows] = random_generator(seed, "selftest", str(number)).permutation(is_member[rows])
    return dealt


def visible(member: Boolean, split: NDArray[np.int8], independent: Boolean) -> NDArray[np.int8]:
    """(records,) what an attack may know of it: see ``Evidence.membership``."""
    known = member.astype(np.int8)
    known[(split == Split.EVALUATION) | ~independent] = -1
    return known


def slow(attack: Attack) -> bool:
    """Whether learning again takes so long that it is done rarely."""
    return attack.name.startswith(_SLOW)


def permutations(
    bench: Bench, draws: int, jobs: int = 1, progress: Progress | None = None
) -> list[Drawn]:
    """``draws`` permutations in order, by ``jobs`` processes; ``progress`` is told how many there
    are so far."""
    found: list[Drawn] = []
    for one in _all(bench, draws, jobs):
        found.append(one)
        if progress is not None:
            progress(len(found), draws)
    return found


def _all(bench: Bench, draws: int, jobs: int) -> Iterator[Drawn]:
    if jobs == 1:
        yield from map(bench.drawn, range(draws))
        return
    # the parent may have threads of a model, which a forked child cannot have
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(bench,)) as pool:
        yield from pool.map(_drawn, range(draws), chunksize=RARELY)


_bench: Bench | None = None
"""The bench of this process, sent once."""


def _begin(bench: Bench) -> None:
    global _bench
    _bench = bench


def _drawn(number: int) -> Drawn:
    assert _bench is not None
    return _bench.drawn(number)
