"""The ``privacy_gate`` fixture: the gate as assertions inside the project's own tests."""

from __future__ import annotations

import os
from typing import Any

from privacy_gate.domain import Report
from privacy_gate.errors import PrivacyGateError, UsageError, described
from privacy_gate.measurement import MeasureResult, measure


class BudgetExceeded(AssertionError):
    """A budget is exceeded, or the scores do not decide about it."""


class PrivacyGate:
    """What the fixture offers. It works with and without ``--privacy-gate``."""

    def measure(self, members: Any, nonmembers: Any, **options: Any) -> MeasureResult:
        """``privacy_gate.measure``, with the same arguments."""
        return measure(members, nonmembers, **options)

    def run(self, config: str | os.PathLike[str], **overrides: Any) -> Report:
        """``privacy_gate.run``, with the same arguments. pytest shows arguments of the functions
        in a traceback, which may hold records: errors come without, unless PRIVACY_GATE_DEBUG is
        set."""
        __tracebackhide__ = True
        from privacy_gate.gate import run

        try:
            return run(config, **overrides)
        except (Exception, SystemExit) as error:
            if os.environ.get("PRIVACY_GATE_DEBUG"):
                raise
            if isinstance(error, PrivacyGateError):
                raise error.with_traceback(None) from None
            known = described(error)
            raise PrivacyGateError(f"{known['message']}", hint=known["hint"]) from None

    def assert_within_budget(
        self, members: Any, nonmembers: Any, *budgets: str, **options: Any
    ) -> MeasureResult:
        """Raise ``BudgetExceeded`` unless every budget, such as ``tpr_at_fpr[0.01]<=0.05``, passes:
        on a fail and on an inconclusive result alike. ``options`` are those of ``measure``."""
        __tracebackhide__ = True
        if not budgets:
            raise UsageError("No budget was given.", hint="Give one: 'tpr_at_fpr[0.01]<=0.05'.")
        result = measure(members, nonmembers, budgets=budgets, **options)
        missed = [check for check in result.checks if check.verdict != "pass"]
        if missed:
            raise BudgetExceeded(
                "\n".join(f"{check.verdict}: {check.message} {check.advice}" for check in missed)
            )
        return result
