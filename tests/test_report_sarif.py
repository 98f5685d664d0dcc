"""SARIF: accepted by the schema and by code scanning, and no finding lost, moved or renamed."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import unquote

import pytest
import report_samples
from sarif_reader import read

from privacy_gate.domain import Check, FixtureCheck, Report, ReportSet
from privacy_gate.errors import UsageError
from privacy_gate.report.parse import report_from_dict
from privacy_gate.report.sarif import relative_uri, render, render_set
from privacy_gate.report.sarif_rules import OF_METRIC, RULES


def check(metric="auc", verdict="fail", **more):
    content = {
        "id": f"loss/{metric}", "attack": "loss", "metric": metric, "arguments": {}, "budget": 0.6,
        "line": 3, "verdict": verdict, "message": "AUC is too high.", "estimate": 0.9, "low": 0.8,
        "high": 0.95,
    }  # fmt: skip
    return Check(**{**content, **more})


def report(*checks, **more):
    content = {
        "name": "digits", "verdict": "fail", "complete": True, "run": {"tool_version": "0.1.0"},
        "model": {}, "task": "", "config": {"path": "gates/digits.yaml"},
        "fixtures": {"sha256": "ab" * 32}, "checks": checks,
    }  # fmt: skip
    return Report(**{**content, **more})


def results(item):
    (run,) = read(render(item))["runs"]
    return run["results"]


def place(result):
    found = result["locations"][0]["physicalLocation"]
    return found["artifactLocation"]["uri"], found["region"]["startLine"]


@pytest.mark.parametrize("sample", report_samples.ALL, ids=lambda sample: sample.__name__)
def test_every_sample_is_accepted_and_renders_the_same_from_its_json(sample):
    found = render(sample())
    read(found)
    assert render(report_from_dict(json.loads(json.dumps(sample().to_dict())))) == found


def test_there_is_a_result_for_all_that_did_not_pass_at_its_line():
    sample = report_samples.failing()
    found = results(sample)
    wanted = [item for item in sample.checks if item.verdict != "pass"]
    assert len(found) == len(wanted) == 50
    for result in found:
        (item,) = (item for item in wanted if result["message"]["text"].startswith(f"{item.id} "))
        assert result["ruleId"] == OF_METRIC[item.metric]
        assert result["level"] == ("error" if item.verdict == "fail" else "warning")
        assert place(result) == ("fixtures/digits/leaky.yaml", item.line)
        assert item.message in result["message"]["text"]
        assert result["properties"]["high"] == item.high
    levels = [result["level"] for result in found]
    assert levels == sorted(levels)  # errors first: what is too much for GitHub is cut at the end


def test_what_passed_is_no_result():
    assert results(report_samples.passing()) == []


@pytest.mark.parametrize(
    ("item", "rule", "level"),
    [
        (check("tpr_at_fpr"), "PG001", "error"),
        (check("tnr_at_fnr"), "PG002", "error"),
        (check("log_mia"), "PG003", "error"),
        (check("auc"), "PG004", "error"),
        (check("advantage"), "PG005", "error"),
        (check("auc", increase=True), "PG006", "error"),
        (check("auc", "inconclusive"), "PG004", "warning"),
        (check("auc", "waived"), "PG004", "warning"),
        (check("auc", "not_run"), "PG009", "warning"),
        (check("something_new"), "PG011", "error"),
    ],
)
def test_rule_and_level(item, rule, level):
    (result,) = results(report(item))
    assert (result["ruleId"], result["level"]) == (rule, level)


def test_a_waiver_is_a_suppression_with_its_reason():
    (result,) = results(report_samples.waived())
    assert result["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "Old canary set, retired in January. (until 2027-01-31, approved by"
            " privacy-office@example.org)",
        }
    ]
    assert "suppressions" not in results(report_samples.inconclusive())[0]


def test_changed_terms_are_results_where_they_block_or_loosen():
    loosened, dropped = results(report_samples.loosened())
    assert (loosened["ruleId"], loosened["level"]) == ("PG007", "error")
    assert place(loosened) == ("fixtures/digits/private.yaml", 17)
    assert place(dropped)[1] == 1
    changes = tuple(
        replace(change, blocking=False, kind=kind)
        for change, kind in zip(
            report_samples.loosened().changes, ("loosened", "tightened"), strict=True
        )
    )
    (result,) = results(replace(report_samples.loosened(), changes=changes, verdict="pass"))
    assert result["level"] == "warning"


def test_an_error_is_a_result_at_its_place():
    (result,) = results(report_samples.broken())
    assert (result["ruleId"], result["level"]) == ("PG008", "error")
    assert place(result) == ("privacy_gate.yaml", 5)
    assert "safetensors" in result["message"]["text"]
    elsewhere = {"message": "It broke.", "location": "somewhere else"}
    (result,) = results(report(verdict="error", complete=False, error=elsewhere))
    assert place(result) == ("gates/digits.yaml", 1)


def test_fixture_checks_that_did_not_pass_are_results():
    audit = tuple(
        FixtureCheck(verdict, verdict, "What was found.")
        for verdict in ("pass", "fail", "inconclusive")
    )
    found = results(report(check(verdict="pass"), verdict="inconclusive", fixture_checks=audit))
    assert [(result["ruleId"], result["level"]) for result in found] == [
        ("PG010", "error"), ("PG010", "warning"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        {"verdict": "pass", "complete": False},
        {"verdict": "pass", "checks": ()},
        {"verdict": "inconclusive", "complete": False},
        {"verdict": "error"},
    ],
)
def test_a_report_that_is_no_pass_always_has_a_result(more):
    found = results(replace(report(check(verdict="pass")), **more))
    assert [(result["ruleId"], result["level"]) for result in found] == [("PG009", "error")]


def test_fingerprints_hold_no_measured_value():
    def prints(*checks, **more):
        found = results(report(*checks, **more))
        return [result["partialFingerprints"]["privacyGateFinding/v1"] for result in found]

    first = prints(check())
    assert prints(check(estimate=0.7, low=0.65, high=0.8, message="Other.", line=9)) == first
    assert prints(check(verdict="inconclusive", budget=0.7)) == first
    assert prints(check(id="loss/auc:increase")) != first
    assert prints(check(), name="other") != first
    assert prints(check(), fixtures={"sha256": "cd" * 32}) != first
    assert len(set(prints(check(), check("log_mia"), check("tpr_at_fpr")))) == 3


def test_rules_are_complete_and_stable():
    rules = {rule.id: rule.name for rule in RULES}
    assert rules == {
        "PG001": "MembersRecognised", "PG002": "NonmembersRecognised", "PG003": "LogMia",
        "PG004": "AreaUnderCurve", "PG005": "Advantage", "PG006": "IncreaseOverBaseline",
        "PG007": "TermsChanged", "PG008": "GateError", "PG009": "NoResult",
        "PG010": "FixtureCheck", "PG011": "OtherBudget", "PG012": "FalseAlarms",
    }  # fmt: skip
    (run,) = read(render(report_samples.passing()))["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(rules)


def test_the_version_of_the_tool_is_that_of_the_run():
    (run,) = read(render(report_samples.passing()))["runs"]
    wanted = report_samples.passing().run["tool_version"]
    assert run["tool"]["driver"]["semanticVersion"] == wanted
    (run,) = read(render(report(run={"tool_version": "<b>"})))["runs"]
    assert "semanticVersion" not in run["tool"]["driver"]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("privacy_gate.yaml", "privacy_gate.yaml"),
        ("./a/./b.yaml", "a/b.yaml"),
        ("a\\b.yaml", "a/b.yaml"),
        ("mit Leerzeichen/ä%.yaml", "mit%20Leerzeichen/%C3%A4%25.yaml"),
        ("a#b?c.yaml", "a%23b%3Fc.yaml"),
        ("/etc/passwd", None),
        ("../outside.yaml", None),
        ("a/../../b.yaml", None),
        ("C:\\windows.yaml", None),
        ("https://evil.example/x", None),
        ("//evil.example/x", None),
        ("file:x", None),
        ("a/\nb", None),
        ("a//b", None),
        ("\ud800.yaml", None),
        (".", None),
        ("", None),
        ("x" * 2000, None),
    ],
)
def test_only_paths_of_the_repository_are_locations(path, uri):
    assert relative_uri(path) == uri
    (result,) = results(report(check(path=path)))
    elsewhere = ("privacy_gate.yaml", 1) if path else ("gates/digits.yaml", 3)
    assert place(result) == ((uri, 3) if uri else elsewhere)


def test_a_budget_of_the_policy_is_shown_there():
    (result,) = results(report(check(path="privacy_policy.yaml", line=7)))
    assert place(result) == ("privacy_policy.yaml", 7)


@pytest.mark.parametrize(("line", "shown"), [(None, 1), (0, 1), (-5, 1), (10**20, 2**31 - 1)])
def test_lines_start_at_one(line, shown):
    assert place(results(report(check(line=line)))[0])[1] == shown


def test_a_message_can_neither_link_nor_mention():
    hostile = "See [this](https://evil.example) @octocat\n\x1b[31m\u202e"
    (result,) = results(report(check(message=hostile)))
    shown = result["message"]["text"]
    assert "](" not in shown
    assert "@" not in shown
    assert shown.isprintable()


def test_the_name_of_an_attack_on_another_surface_is_no_mention():
    message = "loss@raw/auc: see (@octocat), _@octocat"
    (result,) = results(report(check(message=message)))
    assert "loss@raw/auc: see ((at)octocat), _(at)octocat" in result["message"]["text"]


def test_a_set_has_a_run_and_a_category_per_model():
    samples = (report_samples.passing(), report_samples.failing(), report_samples.broken())
    runs = read(render_set(ReportSet(samples, missing=("a b/c",))))["runs"]
    assert [run["automationDetails"]["id"] for run in runs] == [
        "privacy-gate/digits-private/", "privacy-gate/digits-leaky/", "privacy-gate/digits/",
        "privacy-gate/a%20b%2Fc/",
    ]  # fmt: skip
    (missing,) = runs[-1]["results"]
    assert (missing["ruleId"], missing["level"]) == ("PG009", "error")
    assert "a b/c" in missing["message"]["text"]
    assert [run["invocations"][0]["executionSuccessful"] for run in runs] == [
        True, True, False, False,
    ]  # fmt: skip
    assert len({run["tool"]["driver"]["semanticVersion"] for run in runs}) == 1


def test_two_reports_of_one_name_have_two_categories():
    twice = ReportSet((report(check()), report(check(), verdict="error", complete=False)))
    runs = read(render_set(twice))["runs"]
    assert len({unquote(run["automationDetails"]["id"]) for run in runs}) == 2


def test_more_runs_than_code_scanning_takes_are_refused():
    many = tuple(replace(report(), name=str(number)) for number in range(20))
    assert len(read(render_set(ReportSet(many)))["runs"]) == 20
    with pytest.raises(UsageError, match="20 runs"):
        render_set(ReportSet(many, missing=("one",)))


def test_more_results_than_code_scanning_keeps_are_counted():
    many = [check("auc", "inconclusive", id=f"a{number}/auc") for number in range(6000)]
    found = results(report(*many, check(id="last/auc")))
    assert len(found) == 5000
    assert found[0]["message"]["text"].startswith("last/auc fail")  # errors come first
    assert found[-1]["message"]["text"] == "1002 more findings are in the report."
