"""``TERMS.md``: what the bundle is evidence of, and what it is not. It makes no legal statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from privacy_gate.domain import Check, Report, exit_code
from privacy_gate.errors import ExitCode
from privacy_gate.report.comment.escape import code, text

_IS = """\
This bundle is evidence of a test at a stated confidence: the attacks named below were run on the
model named below, with the records described below, and what they achieved was compared with the
budgets of the configuration and the policy.

It is not a finding of anonymity. It is not a finding of conformity with the GDPR, with the AI Act
or with any other law, and it is not legal advice. Whether the budgets are the right ones is a
question to the people who set them; the test does not answer it.
"""

_NEVER_TESTED = """\
- Attacks other than those that ran, and attackers who know more than these did.
- Leaks other than membership: reconstruction of records, inference of attributes, extraction of
  text, leaks through logs, prompts, gradients or the serving system.
- Other models, even ones trained by the same code on the same data: another training run gives
  another model. Nothing here is a guarantee of differential privacy.
- Records unlike those of the fixtures.
"""

_VERIFY = """\
1. `sha256sum -c CHECKSUMS` in the unpacked directory checks every other file. It finds damage, not
   forgery: whoever can change a file can change its checksum.
2. `sha256sum` of the model file must give the SHA-256 named above; otherwise this is evidence about
   another model.
3. `configuration.yaml`, `extended.yaml` and `policy.yaml` have the SHA-256 that `report.json`
   names. `fixtures.json` is the fixtures' manifest in counts, digests and columns, and its
   `manifest_sha256` is the digest of the whole manifest, which `report.json` names, too.
4. `privacy-gate run` with the same configuration, model, fixtures and versions (`environment.json`)
   gives the same report except for `run` and `timing`.
5. Where the release is attested, `gh attestation verify` shows who made the statement, and where.
"""

_LEFT_OUT = """\
No record, no identifier, no score of a record and no index of records is part of the bundle, nor
the split key, nor the names of the fixtures' files.
"""


def standing(report: Report) -> str:
    """The verdict in one or two sentences; nothing but a pass can be taken for one."""
    count = len(report.checks)
    if report.verdict == "pass" and exit_code(report) == ExitCode.PASS:
        return f"The test was passed: all {count} checks pass."
    found = {verdict: 0 for verdict in ("fail", "inconclusive", "waived", "not_run")}
    for check in report.checks:
        if check.verdict in found:
            found[check.verdict] += 1
    sentences = [_NOT_PASSED[report.verdict]]
    words = [f"{number} {name.replace('_', ' ')}" for name, number in found.items() if number]
    if words:
        sentences.append(f"Of {count} checks: {', '.join(words)}.")
    blocking = sum(change.blocking for change in report.changes)
    if blocking:
        sentences.append(f"Its terms were loosened: {blocking} blocking changes.")
    if report.verdict == "inconclusive" and report.tolerated:
        sentences.append("This is tolerated for a time, by the policy or by waivers, not passed.")
    if not report.complete:
        sentences.append("The report is incomplete: not every configured check has a verdict.")
    return " ".join(sentences)


_NOT_PASSED = {
    "fail": "The test was not passed.",
    "inconclusive": "The test was not passed: it did not decide.",
    "error": "The test was not passed: it ended in an error, and nothing was judged.",
}


def confidence(report: Report) -> float | None:
    """The lowest confidence of a check's interval; ``None`` where nothing was measured."""
    levels = [check.counts.get("level") for check in report.checks]
    known = [level for level in levels if isinstance(level, int | float)]
    return round(1 - 2 * max(known), 12) if known else None


def page(report: Report, left_out: Sequence[str]) -> str:
    """The page, in Markdown; the same report gives the same page."""
    return "\n".join(_lines(report, left_out)).rstrip("\n") + "\n"


def _lines(report: Report, left_out: Sequence[str]) -> Iterator[str]:
    yield f"# Evidence of a membership inference test: {code(report.name)}"
    yield f"\n**{standing(report)}**\n"
    yield _IS
    yield "## What was tested\n"
    yield from _tested(report)
    yield "\n## The checks\n"
    yield from _checks(report)
    yield "\n## By which attacks\n"
    ran = [attack for attack in report.attacks if attack.status == "ran"]
    for attack in ran:
        yield f"- {code(attack.name)}: {code(attack.family)}, reads {code(attack.access)}"
    if not ran:
        yield "None ran."
    yield "\n## What was not tested\n"
    for attack in report.attacks:
        if attack.status != "ran":
            yield f"- {code(attack.name)} did not run: {text(attack.reason)}"
    yield _NEVER_TESTED
    yield from _conditions(report)
    yield "## How to verify it\n"
    yield _VERIFY
    yield "## What is left out\n"
    yield _LEFT_OUT
    for sentence in left_out:
        yield f"- {sentence}"


def _tested(report: Report) -> Iterator[str]:
    model, fixtures, run = report.model, report.fixtures, report.run
    yield f"- model: {code(model.get('path'))}, SHA-256 {code(model.get('sha256'))}"
    yield f"- configuration: {code(report.config.get('path'))}, {_digest(report.config)}"
    extended = report.config.get("extends")
    if extended is not None:
        yield f"- which extends: {code(extended.get('path'))}, {_digest(extended)}"
    if report.policy is not None:
        yield f"- policy: {code(report.policy.get('path'))}, {_digest(report.policy)}"
    if report.base is not None:
        yield (
            f"- terms of the base branch: {code(report.base.get('ref'))},"
            f" commit {code(report.base.get('commit'))}"
        )
    if fixtures:
        sizes = fixtures.get("evaluation") or {}
        yield (
            f"- fixtures: {_digest(fixtures)}; {_count(fixtures.get('members'))} members and"
            f" {_count(fixtures.get('nonmembers'))} non-members, of which"
            f" {_count(sizes.get('members'))} and {_count(sizes.get('nonmembers'))} were judged"
        )
        yield f"- who is a member was decided: {code(fixtures.get('assignment'))}"
        if not fixtures.get("receipt"):
            yield "- membership is declared by the fixtures; no receipt of the training verifies it"
    for override in report.overrides:
        yield (
            f"- given from outside the configuration: {code(override.get('key'))} ="
            f" {code(override.get('to'))} ({code(override.get('source'))})"
        )
    if report.reused is not None:
        yield f"- repeats the report of commit {code(report.reused.get('commit'))}"
    if run.get("cached"):
        yield f"- computed by an earlier run, and kept: {code(', '.join(run['cached']))}"
    yield (
        f"- run: {code(run.get('started'))} to {code(run.get('finished'))}, commit"
        f" {code(run.get('commit'))}, privacy-gate {code(run.get('tool_version'))}"
    )


def _digest(entry: Mapping[str, Any]) -> str:
    return f"SHA-256 {code(entry.get('sha256'))}"


def _checks(report: Report) -> Iterator[str]:
    if not report.checks:
        yield "None has a verdict."
        return
    level = confidence(report)
    if level is not None:
        yield (
            f"Intervals hold at {level * 100:g} % confidence: each bound is wrong with a chance of"
            f" at most {(1 - level) * 50:g} % (about, where `report.json` says `asymptotic`).\n"
        )
    for check in report.checks:
        yield f"- {code(check.id)}: {_measured(check)}; **{check.verdict.replace('_', ' ')}**"


def _measured(check: Check) -> str:
    budget = f"budget {check.budget:g}"
    if check.estimate is None or check.low is None or check.high is None:
        return f"not measured, {budget}"
    return f"{check.estimate:.4g} [{check.low:.4g}, {check.high:.4g}], {budget}"


def _conditions(report: Report) -> Iterator[str]:
    """Waivers, changed terms and cautions: what a reader must know beside the verdicts."""
    notes = [
        f"- waived: {code(waiver.get('check'))} until {code(waiver.get('until'))},"
        f" because: {text(waiver.get('reason'))}"
        for waiver in report.waivers
    ]
    notes += [f"- changed: {text(change.message)}" for change in report.changes]
    notes += [f"- {text(caution)}" for caution in report.cautions]
    if report.error is not None:
        notes.append(f"- error: {text(report.error.get('message'))}")
    if notes:
        yield "## What else the report says\n"
        yield from notes
        yield ""


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "an unknown number of"
