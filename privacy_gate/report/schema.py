"""The JSON schema of the report, generated from the core types; shipped in ``schemas/``."""

from __future__ import annotations

from typing import Any


def report_schema() -> dict[str, Any]:
    """JSON schema (2020-12) of ``report.json``."""
    from pydantic import TypeAdapter

    from privacy_gate.domain import Report

    content = TypeAdapter(Report).json_schema(mode="serialization")
    properties = content["$defs"]["Characteristic"]["properties"]
    for attribute, key in (("passes", "pass"), ("fails", "fail")):
        properties[key] = properties.pop(attribute)
    content["$defs"]["Characteristic"]["required"] = ["leak", "pass", "fail", "inconclusive"]
    content["properties"]["schema"] = {"const": "privacy-gate.report/1"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "privacy-gate.report/1",
        **content,
        "title": "privacy_gate report",
        "required": [*content["required"], "schema"],
    }
