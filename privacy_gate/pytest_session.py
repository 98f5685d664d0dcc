"""The gate's part of one pytest session: which configurations, what came out, what is written.

With pytest-xdist one worker judges a configuration and sends its report home; the controller alone
prints and writes.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from privacy_gate import __version__
from privacy_gate.errors import UsageError
from privacy_gate.pytest_distribution import distribution, scheduler
from privacy_gate.pytest_plugin import CONFIG_NAME

_KEY = pytest.StashKey["GateSession"]()


def session_of(config: pytest.Config) -> GateSession | None:
    """The session's gate, if it is on."""
    return config.stash.get(_KEY, None)


def activate(config: pytest.Config) -> GateSession:
    """Turn the gate on for this session.

    Raises ``UsageError`` for a configuration that is not there, and for a distribution of tests
    that would load the model in every worker.
    """
    gate = GateSession(config)
    config.stash[_KEY] = gate
    config.pluginmanager.register(gate, "privacy_gate_session")
    return gate


class GateSession:
    """Hooks that are registered only when the gate is on, and the results of the session."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.paths = _configured_paths(config)
        self.reports: dict[str, dict[str, Any]] = {}
        """Configuration path -> the report as JSON values."""
        self.ran: dict[str, set[str]] = {}
        """Configuration path -> ids of the checks whose items ran."""
        self._distribution = distribution(config)
        _make_report_folder(config)

    def overrides(self) -> dict[str, Any]:
        """Model, fixtures and device from the command line, relative to where pytest started."""
        option, start = self.config.option, self.config.invocation_params.dir
        return {
            "model": option.privacy_gate_model and str(start / option.privacy_gate_model),
            "fixtures": option.privacy_gate_fixtures and str(start / option.privacy_gate_fixtures),
            "device": option.privacy_gate_device,
        }

    @property
    def cache(self) -> str | None:
        """The cache directory of the command line, relative to where pytest started, or ``off``."""
        from privacy_gate.cache import OFF

        named: str | None = self.config.option.privacy_gate_cache
        return str(self.config.invocation_params.dir / named) if named not in (None, OFF) else named

    def record(self, path: Path, report: Mapping[str, Any]) -> None:
        """Keep the report of a configuration."""
        self.reports[str(path)] = dict(report)

    def names_beside(self, path: Path) -> set[str]:
        """The names that other configurations of this session have taken."""
        return {report["name"] for other, report in self.reports.items() if other != str(path)}

    # -------------------------------------------------------------------------------------- hooks

    def pytest_report_header(self) -> str:
        """One line: what the gate will do."""
        names = ", ".join(str(path) for path in self._shown_paths()) or CONFIG_NAME
        note = f"; {self._distribution}" if self._distribution else ""
        return f"privacy_gate {__version__}: {names}{note}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Collect our configurations although ``testpaths`` or arguments do not name them."""
        arguments = session.config.args
        named = {_path_of(argument, self.config) for argument in arguments}
        if self.config.option.privacy_gate_only:
            arguments[:] = [a for a in arguments if _path_of(a, self.config) in self.paths]
        arguments += [str(path) for path in self.paths if path not in named]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Name the check in the report, as plain values that survive pytest-xdist."""
        report = yield
        if item.get_closest_marker("privacy_gate") is not None and hasattr(item, "planned"):
            report.privacy_gate = {"config": str(item.path), "id": item.name}  # type: ignore[attr-defined]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note which checks ran; in the controller, too."""
        check = getattr(report, "privacy_gate", None)
        if check is not None and report.when == "call":
            self.ran.setdefault(check["config"], set()).add(check["id"])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Hand a configuration to one worker, and spread all else as ever."""
        return scheduler(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the reports of an xdist worker; every worker collects, but one alone judges."""
        collected, judged = getattr(node, "workeroutput", {}).get("privacy_gate", ({}, {}))
        self.reports = collected | self.reports | judged

    def pytest_sessionfinish(self) -> None:
        """Send the reports home from a worker; complete and write them elsewhere."""
        worker = getattr(self.config, "workeroutput", None)
        if worker is not None:
            judged = {path: self.reports[path] for path in self.ran}
            worker["privacy_gate"] = (self.reports, judged)
        elif not self.config.option.collectonly:
            self.reports = {
                str(path): without_unrun(self._report_of(path), self.ran.get(str(path), set()))
                for path in self.paths
            }
            self._write()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One screen per configuration."""
        if hasattr(self.config, "workerinput") or self.config.option.collectonly:
            return
        from privacy_gate.report.parse import report_from_dict
        from privacy_gate.report.terminal import render

        for content in self.reports.values():
            report = report_from_dict(content)
            terminalreporter.section("privacy gate", **{_COLOURS[report.verdict]: True})
            terminalreporter.write_line(render(report).rstrip("\n"))

    # ------------------------------------------------------------------------------------ helpers

    def _report_of(self, path: Path) -> dict[str, Any]:
        """The report of a configuration; an error if pytest never came to collect it."""
        if str(path) not in self.reports:
            from privacy_gate import provenance
            from privacy_gate.config.resolution import likely_name
            from privacy_gate.faces import error_report

            error = UsageError(
                "Not judged: pytest did not collect this configuration.",
                hint="Mend what stopped pytest, or leave out --lf and the like.",
            )
            facts = {"path": str(path), "sha256": None}
            name, started = likely_name(path), provenance.now()
            report = error_report(error, name=name, config=facts, started=started)
            self.record(path, report.to_dict())
        return self.reports[str(path)]

    def _write(self) -> None:
        folder = _report_folder(self.config)
        if folder is None:
            return
        from privacy_gate.commands.report_files import write_reports
        from privacy_gate.domain import ReportSet
        from privacy_gate.report.parse import report_from_dict

        reports = [report_from_dict(content) for content in self.reports.values()]
        write_reports(folder, ReportSet(tuple(reports)))

    def _shown_paths(self) -> list[Path]:
        root = self.config.rootpath
        return [
            path.relative_to(root) if path.is_relative_to(root) else path for path in self.paths
        ]


_COLOURS = {"pass": "green", "fail": "red", "error": "red", "inconclusive": "yellow"}


def without_unrun(report: dict[str, Any], ran: set[str]) -> dict[str, Any]:
    """The report with every check whose item did not run as ``not_run``: it is not complete then,
    and never a pass."""
    if report["verdict"] == "error" or all(check["id"] in ran for check in report["checks"]):
        return report
    checks = [
        check
        if check["id"] in ran
        else {**check, "verdict": "not_run", "message": "Not run: its test item was not run."}
        for check in report["checks"]
    ]
    failed = any(check["verdict"] == "fail" for check in checks) or any(
        change["blocking"] for change in report["changes"]
    )
    verdict = "fail" if failed else "inconclusive"
    return {**report, "checks": checks, "complete": False, "verdict": verdict}


def _configured_paths(config: pytest.Config) -> list[Path]:
    """Command line, then ``PRIVACY_GATE_CONFIG``, then the ini option, then the default name."""
    option, start = config.option, config.invocation_params.dir
    given = [start / path for path in option.privacy_gate_config]
    given += [path for a in config.args if (path := _path_of(a, config)).name == CONFIG_NAME]
    variable = os.environ.get("PRIVACY_GATE_CONFIG")
    if not given and variable:
        given = [start / path for path in variable.split(os.pathsep)]
    if not given:
        given = list(config.getini("privacy_gate_config"))
    if not given:
        given = [_default_path(config)]
    paths = list(dict.fromkeys(Path(os.path.abspath(path)) for path in given))
    for path in paths:
        if not path.is_file():
            raise pytest.UsageError(
                f"privacy_gate: there is no configuration {path}; give --privacy-gate-config PATH."
            )
    return paths


def _default_path(config: pytest.Config) -> Path:
    """``privacy_gate.yaml`` where pytest was started, beside its ini file, or at its root."""
    places = [config.invocation_params.dir, config.rootpath]
    if config.inipath is not None:
        places.insert(1, config.inipath.parent)
    return next(
        (place / CONFIG_NAME for place in places if (place / CONFIG_NAME).is_file()),
        places[0] / CONFIG_NAME,
    )


def _path_of(argument: str, config: pytest.Config) -> Path:
    """The file of a command-line argument such as ``path::node[parameter]``."""
    return Path(os.path.abspath(config.invocation_params.dir / argument.partition("::")[0]))


def _report_folder(config: pytest.Config) -> Path | None:
    folder = config.option.privacy_gate_report
    return None if folder is None else config.invocation_params.dir / folder


def _make_report_folder(config: pytest.Config) -> None:
    """Make it before a model is run rather than fail to afterwards."""
    folder = _report_folder(config)
    if folder is None or config.option.collectonly:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(
            f"privacy_gate: cannot write to {folder}: {error.strerror};"
            " give --privacy-gate-report DIR."
        ) from None
