"""One pytest item per check; the items of one configuration share one run of the gate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from privacy_gate import provenance
from privacy_gate.config import load_config
from privacy_gate.config.resolution import likely_name
from privacy_gate.domain import Check, Report
from privacy_gate.errors import PrivacyGateError, described
from privacy_gate.faces import error_report, refuse_same_name
from privacy_gate.gate import run_prepared
from privacy_gate.preparation import Prepared, prepare
from privacy_gate.pytest_session import GateSession, session_of
from privacy_gate.terms import PlannedCheck


class CheckFailed(Exception):
    """A check that failed, is inconclusive, or could not be judged; the text says why."""


class PrivacyGateFile(pytest.File):
    """A configuration. Its fixtures are read when it is collected, its model when an item runs."""

    _prepared: Prepared
    _report: Report | None = None
    _error: BaseException | None = None

    @property
    def gate(self) -> GateSession:
        """The gate of this session; there is one, or this file would not have been collected."""
        gate = session_of(self.config)
        assert gate is not None
        return gate

    def collect(self) -> Iterator[pytest.Item]:
        """One item per check, in the order of the budgets; a broken configuration or fixture set is
        a collection error of one sentence."""
        started = provenance.now()
        name = likely_name(self.path)
        facts: dict[str, Any] = {"path": str(self.path), "sha256": None, "extends": None}
        try:
            config = load_config(self.path, **self.gate.overrides())
            refuse_same_name(config, self.gate.names_beside(self.path))
            name = config.name
            facts |= {"sha256": config.sha256, "extends": config.extends}
            self._prepared = prepare(config, cache=self.gate.cache)
        except PrivacyGateError as error:
            report = error_report(error, name=name, config=facts, started=started)
            self.gate.record(self.path, report.to_dict())
            raise self.CollectError(str(error)) from None
        not_yet = self._prepared.without_verdict("Not run: its test item was not run.")
        self.gate.record(self.path, not_yet.to_dict())
        changed = [change.message for change in config.changes if change.blocking]
        if changed:
            name = "changed-terms"
            nodeid = f"{self.nodeid}::{name}"
            yield ChangedTermsItem.from_parent(self, name=name, nodeid=nodeid, messages=changed)
        for check in (*self._prepared.programme.checks, *self._prepared.programme.dropped):
            # spelled out, so that pytest reads its last part as it does from the cache of --lf
            nodeid = f"{self.nodeid}::{check.id}"
            yield PrivacyGateItem.from_parent(self, name=check.id, nodeid=nodeid, planned=check)

    def result(self, check_id: str) -> Check:
        """The judged check; the first call opens the model and judges all.

        After an error, the first item shows it and the others refer to it.
        """
        if self._error is not None:
            raise CheckFailed(f"not judged, see the first check: {type(self._error).__name__}")
        if self._report is None:
            started = provenance.now()
            try:
                self._report = run_prepared(self._prepared)
            except (Exception, SystemExit) as error:
                self._error = error
                facts = self._prepared.facts()
                report = error_report(
                    error, name=facts["name"], config=facts["config"], started=started
                )
                self.gate.record(self.path, report.to_dict())
                raise
            self.gate.record(self.path, self._report.to_dict())
        return next(check for check in self._report.checks if check.id == check_id)

    @property
    def tolerated(self) -> bool:
        """Whether the policy tolerates inconclusive checks today."""
        return self._report is not None and self._report.tolerated


class ChangedTermsItem(pytest.Item):
    """Fails where the terms were loosened, since the run fails then whatever is measured."""

    def __init__(self, *, messages: list[str], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.messages = messages
        self.add_marker("privacy_gate")

    def runtest(self) -> None:
        """Fail with what was loosened."""
        raise CheckFailed(" ".join(self.messages))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any) -> str:
        """The messages alone."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The configuration."""
        return self.path, None, f"privacy gate: {self.name}"


class PrivacyGateItem(pytest.Item):
    """One check. Everything but a pass or a valid waiver fails the item; nothing is skipped."""

    def __init__(self, *, planned: PlannedCheck, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.planned = planned
        self.check: Check | None = None
        self.add_marker("privacy_gate")

    @property
    def parent_file(self) -> PrivacyGateFile:
        """The configuration this check belongs to."""
        assert isinstance(self.parent, PrivacyGateFile)
        return self.parent

    def runtest(self) -> None:
        """Judge the check."""
        check = self.check = self.parent_file.result(self.name)
        self.user_properties += [
            (f"privacy_gate.{name}", str(value))
            for name, value in (
                ("verdict", check.verdict),
                ("estimate", check.estimate),
                ("low", check.low),
                ("high", check.high),
                ("budget", check.budget),
                ("p_value", check.p_value),
            )
            if value is not None
        ]
        tolerated = check.verdict == "inconclusive" and self.parent_file.tolerated
        if check.verdict not in ("pass", "waived") and not tolerated:
            raise CheckFailed(f"{check.verdict}: {check.message} {check.advice}".rstrip())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any) -> str:
        """Always one text, so that annotations land on the budget's line; a traceback only on
        request, since its arguments can hold records."""
        error = excinfo.value
        if isinstance(error, CheckFailed | PrivacyGateError):
            return str(error)
        if isinstance(error, Exception | SystemExit) and not os.environ.get("PRIVACY_GATE_DEBUG"):
            known = described(error)
            return f"{known['message']} {known['hint']}"
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The budget's line, if it stands in the configuration."""
        line = self.planned.line if self.planned.path is None else None
        return self.path, None if line is None else line - 1, f"privacy gate: {self.name}"
