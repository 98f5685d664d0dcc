"""What is wrong with a configuration, its fixtures, its model and its base branch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy_gate.config import Config, load_config
from privacy_gate.config.base import GitFiles
from privacy_gate.config.overrides import find_policy_ref
from privacy_gate.config.paths import find_root, shown_path
from privacy_gate.errors import PrivacyGateError
from privacy_gate.fixtures import verify
from privacy_gate.guards import refuse_other_model
from privacy_gate.models.loaded import LoadedModel
from privacy_gate.models.opening import open_model
from privacy_gate.preparation import Prepared, prepare
from privacy_gate.setup.batch import Batch, show_batch
from privacy_gate.setup.finding import Finding, Status, any_problem, problem


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found, and five records as the model sees them if they were asked for."""

    findings: tuple[Finding, ...]
    batch: Batch | None = None


def examine(path: Path, overrides: Mapping[str, Any], *, batch: bool) -> Examined:
    """Look at everything that a run of the configuration at ``path`` needs, as far as one thing
    does not prevent the next. ``overrides`` are those of ``load_config``."""
    if not path.exists():
        message = f"there is no {path} here."
        found = Finding("configuration", "problem", message, "Write one: privacy-gate init")
        return Examined((found,))
    base = list(_base(path, overrides.get("policy_ref")))
    if any_problem(base):
        return Examined((*base, Finding("configuration", "note", "not read without its base.")))
    try:
        config = load_config(path, **overrides)
    except PrivacyGateError as error:
        return Examined((*base, *problem("configuration", error)))
    valid = f"{shown_path(config.path, config.root)} is valid: {len(config.terms.checks)} checks"
    findings = [*base, Finding("configuration", "ok", valid)]
    fixtures = list(_fixtures(config))
    prepared = None
    if not any_problem(fixtures):
        prepared, more = _prepared(config)
        fixtures += more
    findings += fixtures
    opened, of_model = _model(config)
    findings += of_model
    if opened is None:
        return Examined(tuple(findings))
    with closing(opened):
        if prepared is None:
            return Examined(tuple(findings))
        try:
            receipt = prepared.data.receipt
            refuse_other_model(receipt, opened.sha256, config.location("fixtures", "receipt"))
            shown = show_batch(config, prepared.data, opened) if batch else None
            return Examined(tuple(findings), shown)
        except PrivacyGateError as error:
            return Examined((*findings, *problem("model", error)))


def _base(path: Path, argument: str | None) -> Iterator[Finding]:
    """Whether the base branch whose terms count can be read."""
    try:
        ref = find_policy_ref(argument)
        if ref is not None:
            commit = GitFiles(find_root(path.resolve().parent), ref).commit
            yield Finding("base branch", "ok", f"{ref} is readable, at {commit[:7]}")
    except PrivacyGateError as error:
        yield from problem("base branch", error)


def _fixtures(config: Config) -> Iterator[Finding]:
    """Files, key, records and splits, each promise of the manifest by itself."""
    status: dict[str, Status] = {"pass": "ok", "fail": "problem", "inconclusive": "note"}
    try:
        checks = verify(
            config.fixtures_path,
            sha256=config.fixtures.sha256,
            splits=(config.splits.support, config.splits.calibration, config.splits.evaluation),
            data_root=config.fixtures_root,
            root=config.root,
        )
    except PrivacyGateError as error:
        yield from problem("fixtures", error)
        return
    for check in checks:
        if check.verdict != "pass" or check.name == "key":
            yield Finding("fixtures", status[check.verdict], f"{check.name}: {check.message}")
    passed = sum(check.verdict == "pass" for check in checks)
    where = shown_path(config.fixtures_path, config.root)
    yield Finding("fixtures", "ok", f"{where}: {passed} of {len(checks)} promises verified")


def _prepared(config: Config) -> tuple[Prepared | None, list[Finding]]:
    """The run as far as it goes without its model: labels, receipt, attacks, budgets."""
    try:
        prepared = prepare(config)
    except PrivacyGateError as error:
        return None, problem("run", error)
    impossible = dict.fromkeys(prepared.feasible.impossible.values())
    found = [
        Finding("budgets", "problem", sentence, "See: privacy-gate plan") for sentence in impossible
    ]
    notes = [text for text in prepared.cautions() if text not in impossible]
    return prepared, [*found, *(Finding("run", "note", text) for text in notes)]


def _model(config: Config) -> tuple[LoadedModel | None, list[Finding]]:
    try:
        model = open_model(config)
    except PrivacyGateError as error:
        return None, problem("model", error)
    message = (
        f"{shown_path(config.model_path, config.root)} opens on {model.device} ({model.format},"
        f" {model.precision}, sha256 {model.sha256[:12]}); inputs {', '.join(model.input_names)}"
    )
    return model, [Finding("model", "ok", message)]
