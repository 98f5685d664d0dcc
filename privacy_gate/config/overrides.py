"""What the command line and the environment may replace: the model, the fixtures, the device."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from privacy_gate.config.values import DEVICE
from privacy_gate.errors import UsageError


@dataclass(frozen=True, slots=True)
class Override:
    """A value that replaces ``section.key`` of the file. An argument wins over the environment."""

    section: Literal["model", "fixtures"]
    key: Literal["path", "root", "device"]
    value: str
    source: Literal["argument", "environment"]
    named: str
    """The option or variable, for messages."""

    def record(self, data: Mapping[str, Any]) -> dict[str, str | None]:
        """``{key, from, to, source}`` for the report; ``from`` is ``None`` if absent there."""
        written = data.get(self.section)
        if isinstance(written, Mapping):
            written = written.get(self.key)
        elif self.key != "path":  # the short form of a section is its path
            written = None
        key = f"{self.section}.{self.key}"
        return {"key": key, "from": written, "to": self.value, "source": self.source}

    def path(self) -> Path:
        """The path named, relative to the working directory; it may lie anywhere.

        Raises ``UsageError`` if it is none.
        """
        try:
            return Path(self.value).resolve()
        except (OSError, RuntimeError, ValueError):
            raise UsageError(
                "The path given cannot be followed.", hint="Check it.", location=self.named
            ) from None


def find_overrides(
    model: str | os.PathLike[str] | None,
    fixtures: str | os.PathLike[str] | None,
    device: str | None,
) -> tuple[Override, ...]:
    """The overrides in force. An empty environment variable counts as unset, since CI systems set
    empty ones; an empty argument does not, since it is a shell variable gone missing.

    Raises ``UsageError`` for an empty argument or an unknown device.
    """
    found = (
        _find("model", "path", model, "--model", "PRIVACY_GATE_MODEL"),
        _find("fixtures", "path", fixtures, "--fixtures", "PRIVACY_GATE_FIXTURES"),
        _find("fixtures", "root", None, "fixtures.root", "PRIVACY_GATE_FIXTURES_ROOT"),
        _find("model", "device", device, "--device", "PRIVACY_GATE_DEVICE"),
    )
    overrides = tuple(override for override in found if override is not None)
    for override in overrides:
        if override.key == "device" and not re.fullmatch(DEVICE, override.value, re.ASCII):
            raise UsageError(
                f"Unknown device {override.value!r}.",
                hint="Expected auto, cpu, cuda or cuda:N.",
                location=override.named,
            )
    return overrides


def find_policy_ref(argument: str | None) -> str | None:
    """The commit or branch whose terms count, too. An empty argument is an error here as well.

    Raises ``UsageError``.
    """
    if argument is not None and not argument.strip():
        raise UsageError(
            "The value is empty.",
            hint="Give a branch or a commit, or leave the option out.",
            location="--policy-ref",
        )
    return argument or os.environ.get("PRIVACY_GATE_POLICY_REF", "").strip() or None


def _find(
    section: Literal["model", "fixtures"],
    key: Literal["path", "root", "device"],
    argument: str | os.PathLike[str] | None,
    option: str,
    variable: str,
) -> Override | None:
    if argument is not None:
        value = os.fspath(argument)
        if not value:
            raise UsageError(
                "The value is empty.", hint="Give one, or leave the option out.", location=option
            )
        return Override(section, key, value, "argument", option)
    value = os.environ.get(variable, "")
    return Override(section, key, value, "environment", variable) if value else None
