"""What a self-test found, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from privacy_gate.selftest.findings import LEVELS, Findings

WORST = 5
"""Findings that are named one by one."""


def selftest_text(found: Findings, left_out: Mapping[str, str]) -> str:
    """The findings as lines of text. ``left_out``: attack -> why it took no part."""
    return "\n".join(_lines(found, left_out)) + "\n"


def _lines(found: Findings, left_out: Mapping[str, str]) -> Iterator[str]:
    shares = ", ".join(
        f"{found.runs.get(verdict, 0) / found.draws:.1%} {words}"
        for verdict, words in (("pass", "pass"), ("inconclusive", "inconclusive"), ("fail", "fail"))
    )
    yield f"{found.draws} runs with membership dealt out by lot: {shares}."
    fails = found.fails
    yield (
        f"Runs that fail: {fails.found}; chance allows {fails.allowed}"
        f" (each with {fails.level:g} at most)."
    )
    checks = len(found.null_p) // len(LEVELS)
    worst = found.worst
    if worst is not None:
        yield (
            f"Exact probabilities of no leakage (null_p) of {checks} checks, counted at"
            f" {len(LEVELS)} levels: the furthest out is {worst.what}, {worst.found} of"
            f" {worst.draws} at or below {worst.level:g}; chance allows {worst.allowed}."
        )
    rare = min((sum(counts.values()) for counts in found.checks.values()), default=found.draws)
    if rare < found.draws:
        yield f"Attacks that are slow to learn again took part in {rare} of the runs."
    for attack, why in left_out.items():
        yield f"Not tested: {attack}, {why}."
    if not found.exceeded:
        yield "Nothing found: on these records the gate does not cry wolf."
        return
    for count in found.exceeded[:WORST]:
        yield (
            f"TOO OFTEN: {count.what}: {count.found} of {count.draws}, where chance allows"
            f" {count.allowed} at a level of {count.level:g}."
        )
    more = len(found.exceeded) - WORST
    if more > 0:
        yield f"And {more} more."
    yield (
        "The gate finds leakage where there is none. Do not trust its verdicts here: look for an"
        " attack or signals that know more than they may, or for records that depend on each other"
        " without a common group."
    )
