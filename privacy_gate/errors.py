"""The one error tree: every mistake of a user ends as one sentence, a hint and an exit code."""

from __future__ import annotations

import os
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command. ``ERROR`` wins over ``FAIL``, ``FAIL`` over ``INCONCLUSIVE``."""

    PASS = 0
    FAIL = 1
    ERROR = 2
    INCONCLUSIVE = 3
    INTERRUPTED = 130


class PrivacyGateError(Exception):
    """What is wrong (``message``), where (``location``: file:line:column), what to do (``hint``);
    ``check``: the fixture check that found it.

    Messages never contain a record, an identifier or a value taken from a fixture.
    """

    exit_code = ExitCode.ERROR

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        location: str | None = None,
        check: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.location = location
        self.check = check

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        return f"{where}{self.message}" + (f" {self.hint}" if self.hint else "")

    def __reduce__(self) -> tuple[object, ...]:  # pytest-xdist and process pools pickle errors
        return (_rebuild, (type(self), self.message, self.hint, self.location, self.check))


def _rebuild(
    kind: type[PrivacyGateError],
    message: str,
    hint: str | None,
    location: str | None,
    check: str | None,
) -> PrivacyGateError:
    error = kind.__new__(kind)
    PrivacyGateError.__init__(error, message, hint=hint, location=location, check=check)
    return error


class UsageError(PrivacyGateError):
    """A command line, an argument or an environment variable that cannot be used."""


class ConfigError(PrivacyGateError):
    """The configuration is wrong; all problems of one file are reported together."""


class FixtureError(PrivacyGateError):
    """Fixtures are missing, altered, inconsistent or unusable."""


class ModelError(PrivacyGateError):
    """The model cannot be loaded or run, or its outputs cannot be judged."""


class LimitError(PrivacyGateError):
    """A limit of the configuration was exceeded."""


class SignalError(PrivacyGateError):
    """Scores or signals that no statistic can be computed from."""


def missing_extra(feature: str, extra: str) -> PrivacyGateError:
    """The error for an optional dependency that is not installed."""
    return UsageError(
        f"{feature} needs an optional dependency that is not installed.",
        hint=f"Run: pip install 'privacy-gate[{extra}]'",
    )


def shown_cause(error: BaseException) -> BaseException | None:
    """What to raise an error from that stands for ``error`` of code that was called with records:
    its text may quote them, so nobody sees it in a traceback but who sets PRIVACY_GATE_DEBUG."""
    return error if os.environ.get("PRIVACY_GATE_DEBUG") else None


def described(error: BaseException) -> dict[str, str | None]:
    """An error as JSON values ``{type, message, hint, location}``.

    Only our own errors are known to hold no record, so the text of any other is left out.
    """
    known = error if isinstance(error, PrivacyGateError) else None
    return {
        "type": type(error).__name__,
        "message": known.message if known else f"Internal error ({type(error).__name__}).",
        "hint": known.hint if known else "Set PRIVACY_GATE_DEBUG=1 to see where.",
        "location": known.location if known else None,
    }
