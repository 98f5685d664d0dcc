"""Where a report comes from: what was judged, by which terms, with which tool, on which machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from privacy_gate.domain import Report
from privacy_gate.report.page.values import (
    NOTHING,
    clean,
    exact,
    figure,
    number,
    run_link,
    section,
    share,
    tail,
    text,
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a text; ``code`` for paths and digests, ``link`` an https address or empty."""

    name: str
    value: str
    code: bool = False
    link: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts under one title."""

    title: str
    facts: tuple[Fact, ...]


def glance(report: Report) -> list[Fact]:
    """What was judged, in a few lines."""
    model, fixtures, run = report.model, report.fixtures, report.run
    found = []
    if text(model, "path"):
        parts = [text(model, "format"), text(model, "device"), _digest(model)]
        details = ", ".join(part for part in parts if part)
        found.append(Fact("Model", f"{tail(text(model, 'path'))} ({details})"))
    found += _accuracy(model)
    judged = section(fixtures, "evaluation")
    if judged:
        found.append(
            Fact(
                "Records judged",
                f"{exact(judged.get('members'))} members + {exact(judged.get('nonmembers'))}"
                f" non-members, of {exact(fixtures.get('members'))} +"
                f" {exact(fixtures.get('nonmembers'))}",
            )
        )
    if text(run, "commit"):
        ref = text(run, "ref")
        found.append(Fact("Commit", text(run, "commit")[:12] + (f" ({ref})" if ref else "")))
    if text(run, "finished"):
        found.append(Fact("Finished", text(run, "finished")))
    return found


def provenance(report: Report) -> list[Facts]:
    """Every recorded fact, in groups; groups without a fact are left out."""
    groups = [
        Facts("Model", tuple(_model(report.model))),
        Facts("Fixtures", tuple(_fixtures(report.fixtures))),
        Facts("Terms", tuple(_terms(report))),
        Facts("Run", tuple(_run(report))),
        Facts("Machine", tuple(_machine(report))),
    ]
    return [group for group in groups if group.facts]


def overrides(report: Report) -> list[tuple[str, ...]]:
    """(key, from, to, source) of what a command line or environment changed."""
    keys = ("key", "from", "to", "source")
    return [tuple(_shown(entry.get(key)) for key in keys) for entry in report.overrides]


def waivers(report: Report) -> list[tuple[str, ...]]:
    """(check, reason, until, approved by, state)."""
    keys = ("check", "reason", "until", "approved_by")
    return [
        (
            *(_shown(entry.get(key)) for key in keys),
            "expired" if entry.get("expired") else "in force",
        )
        for entry in report.waivers
    ]


def _shown(value: Any) -> str:
    return NOTHING if value is None or value == "" else clean(value)


def _digest(content: Mapping[str, Any]) -> str:
    found = text(content, "sha256")[:12]
    return f"sha256 {found}" if found else ""


def _model(model: Mapping[str, Any]) -> list[Fact]:
    return [
        *_named(model, (("Path", "path", True), ("sha256", "sha256", True))),
        *_named(model, (("Format", "format", False), ("Device", "device", False))),
        *_named(model, (("Precision", "precision", False), ("Batch size", "batch_size", False))),
        *_accuracy(model),
    ]


def _accuracy(model: Mapping[str, Any]) -> list[Fact]:
    accuracy = section(model, "accuracy")
    return [
        Fact(f"{name} accuracy", share(section(accuracy, side)))
        for side, name in (("members", "Member"), ("nonmembers", "Non-member"))
        if section(accuracy, side)
    ]


def _fixtures(fixtures: Mapping[str, Any]) -> list[Fact]:
    found = _named(fixtures, (("Path", "path", True), ("sha256", "sha256", True)))
    sizes = section(fixtures, "evaluation")
    sides = (("Records", fixtures), ("Judged (evaluation)", sizes))
    for name, content in sides:
        if number(content.get("members")) is not None:
            pair = f"{exact(content.get('members'))} + {exact(content.get('nonmembers'))}"
            found.append(Fact(name, f"{pair} (members + non-members)"))
    found += _named(
        fixtures,
        (
            ("Training records", "training_records", False),
            ("Member sampling", "member_sampling", False),
            ("Assignment", "assignment", False),
        ),
    )
    if fixtures:
        receipt = text(fixtures, "receipt")
        found.append(Fact("Membership", receipt or "declared, not verified"))
    for name, count in section(fixtures, "ood").items():
        found.append(Fact(f"Out of distribution: {clean(name)}", exact(count)))
    return found


def _terms(report: Report) -> list[Fact]:
    found = []
    for name, content in (
        ("Configuration", report.config),
        ("Extended configuration", section(report.config, "extends")),
        ("Policy", report.policy),
    ):
        found += _named(content, ((name, "path", True), (f"{name} sha256", "sha256", True)))
    found += _named(report.base, (("Base branch", "ref", True), ("Base commit", "commit", True)))
    found += _named(
        report.baseline,
        (("Baseline", "path", True), ("Baseline model sha256", "model_sha256", True)),
    )
    levels = {number(check.counts.get("level")) for check in report.checks} - {None}
    if len(levels) == 1:
        found.append(Fact("Error of each bound", f"{figure(levels.pop())}, one-sided"))
    return found


def _run(report: Report) -> list[Fact]:
    run = report.run
    found = _named(run, (("Repository", "repository", True), ("Ref", "ref", True)))
    found += _named(run, (("Commit", "commit", True), ("Started", "started", False)))
    found += _named(run, (("Finished", "finished", False), ("privacy_gate", "tool_version", False)))
    link = run_link(run, text(run, "repository"))
    if link:
        found.append(Fact("Workflow run", link, link=link))
    if run.get("cached"):
        found.append(Fact("Computed by an earlier run", clean(", ".join(map(str, run["cached"])))))
    steps = [
        f"{name} {figure(seconds, 1)} s"
        for name, seconds in report.timing.items()
        if number(seconds) is not None and name != "forward_passes_per_record"
    ]
    if steps:
        found.append(Fact("Time", ", ".join(map(clean, steps))))
    passes = report.timing.get("forward_passes_per_record")
    if number(passes) is not None:
        found.append(Fact("Forward passes per record", exact(passes)))
    return found


def _machine(report: Report) -> list[Fact]:
    environment = report.environment
    found = _named(environment, (("Seed", "seed", False), ("Device", "device_name", False)))
    found += _named(environment, (("Platform", "platform", False), ("Python", "python", False)))
    for name, version in section(environment, "versions").items():
        found.append(Fact(clean(name), clean(version)))
    return found


def _named(content: Mapping[str, Any] | None, names: Iterable[tuple[str, str, bool]]) -> list[Fact]:
    return [Fact(name, text(content, key), code) for name, key, code in names if text(content, key)]
