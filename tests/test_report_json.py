"""``report.json``: the contract that others script against."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest
from gate_project import DIGITS, onnx_project, run, write_config

import privacy_gate
from privacy_gate.domain import Characteristic, Check, Report
from privacy_gate.errors import UsageError
from privacy_gate.faces import rendered
from privacy_gate.registry import RENDERERS
from privacy_gate.report.parse import report_from_dict
from privacy_gate.report.schema import report_schema

SHIPPED = Path(privacy_gate.__file__).parent / "schemas" / "report-1.json"
REGENERATE = "privacy-gate schema report > privacy_gate/schemas/report-1.json"

TOP = {
    "schema", "name", "verdict", "complete", "run", "model", "task", "config", "policy",
    "overrides", "waivers", "fixtures", "checks", "attacks", "fixture_checks", "timing",
    "environment", "cautions", "tolerated", "error",
}  # fmt: skip
CHECK = {
    "id", "attack", "metric", "arguments", "budget", "line", "estimate", "low", "high", "null",
    "p_value", "counts", "verdict", "warned", "message", "advice", "characteristic", "null_p",
    "method",
}  # fmt: skip
ATTACK = {
    "name", "family", "access", "status", "reason", "queries_per_record", "seconds", "ties", "auc",
    "tpr_at_fpr", "tnr_at_fnr", "log_mia", "operating_point", "few_shot", "roc",
    "histogram",
}  # fmt: skip
COUNTS = {
    "members", "nonmembers", "population", "level", "holm_level", "k_hi", "above_k_hi", "k_lo",
    "at_or_above_k_lo", "k_holm", "above_k_holm", "true_positives", "false_positives",
}  # fmt: skip


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """A pass, a fail, an inconclusive one without a model, and an error."""
    directory = tmp_path_factory.mktemp("project")
    passing = onnx_project(directory)
    budgets = [{"metric": "tpr_at_fpr", "fpr": 0.001, "max": 0.002}, {"metric": "auc", "max": 0.65}]
    undecidable = write_config(directory, "undecidable.yaml", name="undecidable", budgets=budgets)
    broken = write_config(directory, "broken.yaml", name="broken", model={"path": "absent.onnx"})
    finished = run(passing, DIGITS / "leaky-onnx.yaml", undecidable, broken)
    found = dict(zip(("pass", "fail", "inconclusive", "error"), finished.reports, strict=True))
    assert [report.verdict for report in found.values()] == list(found)
    return found


@pytest.fixture(params=["pass", "fail", "inconclusive", "error"])
def report(request, reports):
    return reports[request.param]


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_shipped_schema_is_the_generated_one():
    assert SHIPPED.read_text() == json.dumps(report_schema(), indent=2) + "\n", REGENERATE


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(report_schema())
    assert report_schema()["$id"] == "privacy-gate.report/1"


def test_reports_are_valid_and_strict_json(report):
    text = rendered(report, "json")
    assert text.endswith("}\n")
    jsonschema.validate(strict(text), report_schema())


def test_the_text_and_to_dict_are_the_same(report):
    assert strict(rendered(report, "json")) == report.to_dict()


def test_a_report_survives_the_way_to_json_and_back(report):
    again = report_from_dict(strict(rendered(report, "json")))
    assert again.to_dict() == report.to_dict()
    assert rendered(again, "terminal") == rendered(report, "terminal")


def test_keys_are_those_documented(reports):
    for report in reports.values():
        content = report.to_dict()
        assert set(content) >= TOP
        assert next(iter(content)) == "schema"
        for check in content["checks"]:
            assert set(check) >= CHECK
        for attack in content["attacks"]:
            assert set(attack) >= ATTACK  # fields may be added
    content = reports["pass"].to_dict()
    assert set(content["checks"][0]["counts"]) == COUNTS
    assert set(content["checks"][0]["characteristic"]) == {"leak", "pass", "fail", "inconclusive"}
    assert set(content["fixtures"]) >= {
        "sha256", "members", "nonmembers", "evaluation", "assignment", "receipt", "ood",
    }  # fmt: skip
    assert set(content["model"]) >= {
        "path", "format", "sha256", "device", "precision", "batch_size", "accuracy",
    }  # fmt: skip
    assert set(content["timing"]) == {
        "total", "load", "forward", "attacks", "overconfidence", "calibration", "statistics",
        "forward_passes_per_record",
    }  # fmt: skip
    assert set(content["environment"]) >= {"versions", "platform", "device_name", "seed"}


def test_every_report_says_when_and_by_what_it_was_made(report):
    run = report.to_dict()["run"]
    assert set(run) == {
        "started", "finished", "tool_version", "commit", "ref", "repository", "run_url", "cached",
    }  # fmt: skip
    assert run["started"] <= run["finished"]
    assert run["tool_version"] == privacy_gate.__version__


def test_an_undecidable_report_has_every_check_and_no_number(reports):
    checks = reports["inconclusive"].checks
    assert len(checks) == 12
    assert {check.verdict for check in checks} == {"inconclusive", "not_run"}
    assert all(check.estimate is None and check.message for check in checks)


def test_numbers_that_are_not_finite_never_leave(reports):
    broken = dataclasses.replace(reports["pass"], timing={"total": float("nan")})
    with pytest.raises(ValueError, match="JSON compliant"):
        rendered(broken, "json")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.pop("schema"),
        lambda content: content.update(schema="privacy-gate.report/2"),
        lambda content: content.pop("verdict"),
        lambda content: content.update(verdict="passed"),
        lambda content: content.update(complete="yes"),
        lambda content: content.pop("checks"),
        lambda content: content.update(checks=[1]),
        lambda content: content["checks"][0].pop("verdict"),
        lambda content: content["checks"][0].update(budget="0.2"),
        lambda content: content["checks"][0].update(low=float("nan")),
        lambda content: content["attacks"][0].update(auc={"estimate": 0.5}),
    ],
)
def test_a_damaged_report_is_not_read(reports, damage):
    content = json.loads(rendered(reports["pass"], "json"))
    damage(content)
    with pytest.raises(UsageError):
        report_from_dict(content)


def test_what_is_no_report_is_not_read():
    with pytest.raises(UsageError):
        report_from_dict([])
    with pytest.raises(UsageError):
        report_from_dict({"schema": "privacy-gate.report/1"})


def test_fields_added_later_do_not_disturb(reports):
    content = {**reports["pass"].to_dict(), "added": {"later": 1}}
    assert report_from_dict(content).verdict == "pass"
    jsonschema.validate(content, report_schema())


# ------------------------------------------------------------------------ every renderer registered


def minimal(**changes):
    base = {
        "name": "x",
        "verdict": "pass",
        "complete": True,
        "run": {},
        "model": {},
        "task": "",
        "config": {},
        "fixtures": {},
        "checks": (),
    }
    return Report(**{**base, **changes})


CHECKED = Check(
    id="loss/auc", attack="loss", metric="auc", arguments={}, budget=0.6, line=None,
    verdict="pass", message="fine", characteristic=Characteristic((0.1,), (1.0,), (0.0,), (0.0,)),
)  # fmt: skip


@pytest.mark.parametrize("form", sorted(RENDERERS))
@pytest.mark.parametrize("verdict", ["pass", "fail", "inconclusive", "error"])
def test_every_renderer_is_pure_and_names_the_verdict(form, verdict):
    report = minimal(verdict=verdict, checks=(CHECKED,))
    before = report.to_dict()
    text = rendered(report, form)
    assert text == rendered(report, form)
    assert text.endswith("\n")
    assert verdict in text.lower()
    assert report.to_dict() == before


@pytest.mark.parametrize("form", sorted(RENDERERS))
def test_every_renderer_copes_with_every_report(form, report):
    text = rendered(report, form)
    assert report.name in text
    assert report.verdict in text.lower()
    if report.error is not None:
        assert report.error["message"].split()[0] in text
