"""What all faces share: several configurations in one run, errors turned into reports."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from privacy_gate import provenance
from privacy_gate.config import Config, load_config
from privacy_gate.config.resolution import likely_name
from privacy_gate.domain import FixtureCheck, Report, ReportSet
from privacy_gate.errors import ConfigError, PrivacyGateError, described
from privacy_gate.gate import run_prepared
from privacy_gate.preparation import prepare
from privacy_gate.protocols import Renderer
from privacy_gate.registry import RENDERERS, resolve
from privacy_gate.reuse import Earlier
from privacy_gate.signals import Progress


def rendered(report: Report, form: str) -> str:
    """The report as text in one of the formats of ``registry.RENDERERS``."""
    renderer: Renderer = resolve(RENDERERS[form])
    return renderer(report)


def run_all(
    paths: Sequence[Path],
    *,
    model: str | None = None,
    fixtures: str | None = None,
    device: str | None = None,
    allow_roots: Iterable[str] = (),
    policy_ref: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    earlier: Earlier | None = None,
) -> ReportSet:
    """Run every configuration, or repeat its ``earlier`` report where nothing has changed; an error
    in one becomes its report and does not stop the others. ``cache`` as of ``cache.open_cache``."""
    reports: list[Report] = []
    names: set[str] = set()
    for path in paths:
        started = provenance.now()
        name = likely_name(path)
        facts: dict[str, Any] = {"path": str(path), "sha256": None, "extends": None}
        try:
            config = load_config(
                path,
                model=model,
                fixtures=fixtures,
                device=device,
                allow_roots=allow_roots,
                policy_ref=policy_ref,
            )
            name = config.name
            facts |= {"sha256": config.sha256, "extends": config.extends}
            refuse_same_name(config, names)
            prepared = prepare(config, cache=cache)
            repeated = None if earlier is None else earlier.instead_of(prepared)
            reports.append(repeated or run_prepared(prepared, progress))
        except (Exception, SystemExit) as error:  # sys.exit(0) in the user's code is no pass
            if os.environ.get("PRIVACY_GATE_DEBUG"):
                traceback.print_exc()
            reports.append(error_report(error, name=name, config=facts, started=started))
    return ReportSet(tuple(reports))


def refuse_same_name(config: Config, names: set[str]) -> None:
    """Add the configuration's name to ``names``; raise if it is there already."""
    if config.name in names:
        raise ConfigError(
            f"Another configuration of this run has the name {config.name!r}, too.",
            hint="Give each configuration its own name.",
            location=config.location("name"),
        )
    names.add(config.name)


def error_report(
    error: BaseException, *, name: str, config: Mapping[str, Any], started: str
) -> Report:
    """The report of a run that ended in an error: no check has a verdict."""
    return Report(
        name=name,
        verdict="error",
        complete=False,
        run={**provenance.run_facts(started, Path(config["path"]).parent), "cached": []},
        model={},
        task="",
        config=config,
        fixtures={},
        checks=(),
        fixture_checks=_found(error),
        error=described(error),
    )


def _found(error: BaseException) -> tuple[FixtureCheck, ...]:
    """The fixture check that the error stands for, if there is one."""
    if not isinstance(error, PrivacyGateError) or error.check is None:
        return ()
    return (FixtureCheck(error.check, "fail", error.message, advice=error.hint or ""),)
