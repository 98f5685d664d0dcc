"""Reports for the tests of renderers: real runs of the bundled fixtures, and variations on them.

Each function runs the gate at most once per process and returns the same frozen report.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from gate_project import DIGITS

from privacy_gate.config import load_config
from privacy_gate.domain import Change, Comparison, Report
from privacy_gate.errors import ModelError
from privacy_gate.faces import error_report
from privacy_gate.gate import run

STARTED = "2026-11-22T08:00:00+00:00"


def _settled(report: Report) -> Report:
    """The report without what differs from run to run."""
    facts = {
        "started": STARTED,
        "finished": "2026-11-22T08:00:07+00:00",
        "tool_version": report.run["tool_version"],
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "ref": "refs/pull/7/merge",
        "repository": "octo-org/digits",
        "run_url": "https://github.com/octo-org/digits/actions/runs/42",
    }
    timing = {**report.timing, "total": 7.0, "load": 0.5, "forward": 1.0, "attacks": 4.0}
    timing |= {name: 0.25 for name in ("overconfidence", "calibration") if name in timing}
    attacks = tuple(replace(attack, seconds=0.25) for attack in report.attacks)
    return replace(report, run=facts, timing={**timing, "statistics": 1.5}, attacks=attacks)


@cache
def passing() -> Report:
    """The private candidate: every check passes."""
    return _settled(run(load_config(DIGITS / "private.yaml")))


@cache
def failing() -> Report:
    """The leaky candidate: most checks fail."""
    return _settled(run(load_config(DIGITS / "leaky.yaml")))


@cache
def inconclusive() -> Report:
    """The private candidate with two checks that its records did not decide."""
    report = passing()
    undecided = {check.id for check in report.checks if check.metric == "auc"}
    undecided = set(sorted(undecided)[:2])
    checks = tuple(
        replace(
            check,
            verdict="inconclusive",
            budget=0.505,
            message="AUC lies in [0.47, 0.53]: that does not decide about the budget 0.505.",
            advice="If the estimate 0.5 holds, about 9,000 evaluation records a side would decide"
            " it (pass).",
        )
        if check.id in undecided
        else check
        for check in report.checks
    )
    return replace(report, checks=checks, verdict="inconclusive")


@cache
def broken() -> Report:
    """A run that ended in an error: no check has a verdict."""
    error = ModelError(
        "The model file is not in the safetensors format.",
        hint="Write it with safetensors, or set model.format.",
        location="privacy_gate.yaml:5:3",
    )
    facts = {"path": "privacy_gate.yaml", "sha256": None}
    report = error_report(error, name="digits", config=facts, started=STARTED)
    return replace(report, run=failing().run)


@cache
def waived() -> Report:
    """The private candidate with one failed check that a waiver covers."""
    report = passing()
    waiver = {
        "reason": "Old canary set, retired in January.",
        "until": "2027-01-31",
        "approved_by": "privacy-office@example.org",
    }
    first, *rest = report.checks
    check = replace(first, verdict="waived", estimate=0.2, low=0.15, high=0.26, waiver=waiver)
    return replace(
        report,
        checks=(check, *rest),
        verdict="inconclusive",
        tolerated=True,
        waivers=({"check": check.id, **waiver, "expired": False},),
    )


@cache
def compared() -> Report:
    """The private candidate beside a baseline: noise, a credible increase, a credible decrease."""
    report = passing()
    words = ("within noise", "higher", "lower")
    checks = []
    for number, check in enumerate(report.checks):
        shift = {"within noise": 0.002, "higher": 0.03, "lower": -0.03}[words[number % 3]]
        own = check.estimate or 0.0
        checks.append(
            replace(
                check,
                baseline=Comparison(
                    estimate=own - shift,
                    difference=shift,
                    low=shift - 0.01,
                    high=shift + 0.01,
                    paired=True,
                    method="asymptotic",
                    word=words[number % 3],
                ),
            )
        )
    baseline = {
        "kind": "model",
        "path": "models/main.safetensors",
        "model_sha256": "ab" * 32,
        "message": "Compared with models/main.safetensors on the same records.",
    }
    return replace(report, checks=tuple(checks), baseline=baseline)


@cache
def loosened() -> Report:
    """A pull request that raises a budget and drops a check: it fails whatever was measured."""
    report = passing()
    changes = (
        Change(
            key="budgets: loss/auc",
            kind="loosened",
            base="0.6",
            head="0.9",
            message="The budget of loss/auc is 0.6 on the base branch and 0.9 here.",
            blocking=True,
            line=17,
        ),
        Change(
            key="budgets: margin/auc",
            kind="dropped",
            base="0.6",
            head=None,
            message="The check margin/auc of the base branch is not made any more.",
            blocking=True,
        ),
    )
    base = {"ref": "main", "commit": "fedcba9876543210fedcba9876543210fedcba98"}
    return replace(report, verdict="fail", changes=changes, base=base)


ALL = (passing, failing, inconclusive, broken, waived, compared, loosened)
