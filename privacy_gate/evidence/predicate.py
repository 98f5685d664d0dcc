"""The predicate of an attestation: the verdict about a model's digest, for whoever deploys it."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from typing import Any

from privacy_gate.domain import Report, exit_code
from privacy_gate.errors import ExitCode, UsageError
from privacy_gate.evidence.page import confidence

SCHEMA = "privacy-gate.predicate/1"


def predicate(report: Report, content: bytes) -> dict[str, Any]:
    """The predicate as JSON values; ``content`` are the bytes of ``report.json``.

    Many who verify an attestation look at its existence only, so there is none for a report that
    does not let a model pass (``UsageError``).
    """
    if exit_code(report) != ExitCode.PASS:
        raise UsageError(
            f"There is no predicate for this report: its verdict is {report.verdict}.",
            hint="Bundle it as evidence (-o), and attest a model that passes.",
        )
    policy, extended = report.policy or {}, report.config.get("extends") or {}
    return {
        "schema": SCHEMA,
        "name": report.name,
        "verdict": report.verdict,
        "complete": report.complete,
        "tolerated": report.verdict != "pass",
        "confidence": confidence(report),
        "checks": [
            {
                "id": check.id,
                "budget": check.budget,
                "estimate": check.estimate,
                "low": check.low,
                "high": check.high,
                "verdict": check.verdict,
            }
            for check in report.checks
        ],
        "digests": {
            "config": report.config.get("sha256"),
            "extended": extended.get("sha256"),
            "policy": policy.get("sha256"),
            "fixtures": report.fixtures.get("sha256"),
            "report": hashlib.sha256(content).hexdigest(),
        },
        "tool_version": report.run.get("tool_version"),
        "run": dict(report.run),
    }


def subject(report: Report) -> tuple[str, str]:
    """The model's file name and ``sha256:…``. Raises ``UsageError`` if the digest is unknown."""
    digest = report.model.get("sha256")
    if digest is None:
        raise UsageError("The report names no SHA-256 of a model, so there is nothing to attest.")
    name = PurePosixPath(report.model["path"]).name
    # the name is handed to other programs line by line
    plain = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", name) is not None
    return name if plain else "model", f"sha256:{digest}"
