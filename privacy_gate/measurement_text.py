"""The result of ``measure`` as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from privacy_gate.measurement import MeasureResult


def render(result: MeasureResult) -> str:
    """Plain text, one metric a line with its interval."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: MeasureResult) -> Iterator[str]:
    content = result.to_dict()
    yield (
        f"{result.members} members + {result.nonmembers} non-members,"
        f" {result.confidence * 100:g} % intervals"
    )
    yield _line("AUC", content["auc"])
    yield _line("Advantage", content["advantage"])
    for rate, positive, key, side in (
        ("FPR", "TPR", "tpr_at_fpr", result.nonmembers),
        ("FNR", "TNR", "tnr_at_fnr", result.members),
    ):
        for entry in content[key]:
            name = f"{positive} at {rate} {entry[rate.lower()]:g}"
            if entry["observable"]:
                yield _line(name, entry) + f"   p (no leakage) = {entry['null_p']:.2g}"
            else:
                letter = "m" if rate == "FPR" else "n"
                yield f"{name:<18} not observable ({letter} = {side}), at most {entry['high']:.4f}"
    for entry in content["log_mia"]:
        yield _log_mia(entry)
    for caution in result.cautions:
        yield f"note: {caution}"
    for check in result.checks:
        name = check.id.partition("/")[2]
        yield f"{check.verdict.upper():<12} {name}: {check.message} {check.advice}".rstrip()


def _line(name: str, entry: dict[str, Any]) -> str:
    return f"{name:<18} {entry['estimate']:.4f} [{entry['low']:.4f}, {entry['high']:.4f}]"


def _log_mia(entry: dict[str, Any]) -> str:
    name = f"Log-MIA {entry['regime'].upper()}"
    if entry["episode_mean"] is None:
        return f"{name:<18} {entry['note']}"
    low, high = entry["episode_low"], entry["episode_high"]
    null, excess = entry["episode_null_mean"], entry["episode_excess"]
    return (
        f"{name:<18} {entry['episode_mean']:.4f} [{low:.4f}, {high:.4f}]"
        f"   {null:.4f} without leakage, excess {excess:+.4f}: {entry['word']}"
    )
