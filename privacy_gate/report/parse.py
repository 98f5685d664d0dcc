"""A report read back from its JSON, strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from privacy_gate.domain import Report
from privacy_gate.errors import UsageError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA = "privacy-gate.report/1"


def report_from_dict(content: Mapping[str, Any]) -> Report:
    """The report whose ``to_dict()`` this is. Raises ``UsageError`` if it is none."""
    from pydantic import ValidationError

    if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
        raise UsageError(f"This is no report of the schema {SCHEMA}.")
    try:
        checks = [_attributes(check) for check in content["checks"]]
        text = json.dumps({**content, "checks": checks}, allow_nan=False)
        return _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UsageError(f"The report is damaged at {place}.") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UsageError("The report is damaged.") from None


def _attributes(check: Mapping[str, Any]) -> dict[str, Any]:
    characteristic = check.get("characteristic")
    if characteristic is None:
        return dict(check)
    renamed = {
        {"pass": "passes", "fail": "fails"}.get(key, key): value
        for key, value in characteristic.items()
    }
    return {**check, "characteristic": renamed}


@cache
def _adapter() -> TypeAdapter[Report]:
    from pydantic import TypeAdapter

    return TypeAdapter(Report)
