"""What of a configuration must not change unnoticed, as text that can be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from privacy_gate.config.available import options_of
from privacy_gate.config.budgets import TprBudget
from privacy_gate.config.names import expand
from privacy_gate.config.schema import FixturesSection, Settings
from privacy_gate.terms import TRUST, number

# What is compared elsewhere, differs with every candidate, or has no influence on a verdict. A key
# that is not listed here is pinned, so that a new one cannot be forgotten.
_ELSEWHERE = {
    "": {
        "version",
        "name",
        "accept",
        "extends",
        "model",
        "fixtures",
        "attacks",
        "budgets",
        "statistics",
        "limits",
    },
    "model": {"path", "sha256", "device", "batch_size"},
    "fixtures": {"sha256", "root"},
    "statistics": {"confidence", "on_inconclusive"},
}
_LONGEST = 160


def pinned(settings: Settings, baseline_sha256: str | None) -> dict[str, str]:
    """Dotted key -> value, defaults included, as ``Terms.pinned`` holds them."""
    found = dict(_values(settings, ""))
    for name in ("model", "fixtures", "statistics"):
        section = getattr(settings, name) or FixturesSection()
        found |= {f"{name}.{key}": text for key, text in _values(section, name)}
    for attack in expand(section.name for section in settings.attacks):
        found[f"attacks.{attack}"] = _text(options_of(settings, attack)) or "no options"
    if baseline_sha256 is not None:
        found["baseline.sha256"] = baseline_sha256
    functions = [name for name in settings.model.output.transforms if name != "hamp"]
    if functions:
        found["model.output.transforms"] = _text(functions)
    if any(budget.decides and budget.metric_key.audited for budget in settings.budgets):
        found["overconfidence.fpr"] = _target(settings)
    assert TRUST in found
    return found


def _target(settings: Settings) -> str:
    """The false positive rate at which the audit counts: see ``results.operating_fpr``."""
    budgeted = (b.fpr for b in settings.budgets if isinstance(b, TprBudget) and b.decides)
    found = settings.overconfidence.fpr or next(budgeted, None)
    return "the default" if found is None else number(found)


def _values(section: BaseModel, name: str) -> Iterator[tuple[str, str]]:
    for key in type(section).model_fields:
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            value = value.model_dump(mode="json", exclude_none=True)
        if key not in _ELSEWHERE[name] and value is not None and (text := _text(value)):
            yield key, text


def _text(value: Any) -> str:
    """Text as it is, all else as JSON in the order of the keys; nothing for an empty mapping."""
    if isinstance(value, Mapping) and not value:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    if len(text) <= _LONGEST:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[:80]}… (sha256 {digest[:16]})"
