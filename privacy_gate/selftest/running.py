"""A self-test of a configuration: its model is asked once, its attacks learn many times."""

from __future__ import annotations

import os
from dataclasses import replace

from privacy_gate.errors import ConfigError
from privacy_gate.gate import EPISODE_SIZE
from privacy_gate.preparation import Prepared
from privacy_gate.protocols import Attack
from privacy_gate.scoring import Scored
from privacy_gate.selftest.drawing import Bench, permutations
from privacy_gate.selftest.findings import Findings, findings
from privacy_gate.signals import Progress


def without_asking(prepared: Prepared) -> tuple[Prepared, dict[str, str]]:
    """The run with what can be tested of it, so that nothing else is computed; and which attacks
    take no part, with the reason. Raises ``ConfigError`` if no check can be tested."""
    programme = prepared.programme
    left_out = {
        attack.name: reason
        for attack in programme.attacks
        if (reason := _obstacle(attack)) is not None
    }
    attacks = tuple(attack for attack in programme.attacks if attack.name not in left_out)
    names = {attack.name for attack in attacks}
    checks = tuple(check for check in programme.checks if check.planned and check.attack in names)
    if not checks:
        raise ConfigError(
            "None of the configured checks can be tested without asking the model again.",
            hint="Add a budget for the threshold or the few-shot suite.",
        )
    return replace(prepared, programme=replace(programme, attacks=attacks, checks=checks)), left_out


def selftest(
    prepared: Prepared,
    scored: Scored,
    draws: int,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Judge ``draws`` permutations of membership.

    ``prepared`` is that of ``without_asking``, and ``scored`` its model; ``jobs`` defaults to the
    processors at hand.
    """
    confidence = prepared.config.statistics.confidence
    bench = Bench(
        evidence=scored.evidence,
        seen=scored.seen,
        is_member=prepared.data.is_member,
        independent=prepared.independent,
        keys=prepared.keys,
        attacks=prepared.programme.attacks,
        checks=prepared.programme.checks,
        confidence=confidence,
        episode_size=EPISODE_SIZE,
        seed=prepared.config.statistics.seed,
    )
    workers = jobs or _processors()
    drawn = permutations(bench, draws, workers, progress)
    return findings(drawn, (1 - confidence) / 2)


def _processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _obstacle(attack: Attack) -> str | None:
    if attack.access == "gradients":
        return "since it trains the model itself each time it learns"
    if "queries" in attack.reads:
        return "since it asks the model again each time it learns"
    return None
