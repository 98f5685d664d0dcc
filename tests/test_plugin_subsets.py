"""A check that did not run is never a pass, however it came about that it did not."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from plugin_project import AUC, LEAKY, LOG_MIA, SMALL_IDS, verdicts

GATE = ("--privacy-gate", "--privacy-gate-report=report")
ONE_OF_FOUR = dict.fromkeys(SMALL_IDS, "not_run") | {"loss/auc": "pass"}
OWN_TEST = "def test_own():\n    pass\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "loss and auc"),
        ("privacy_gate.yaml::loss/auc",),
        tuple(f"--deselect=privacy_gate.yaml::{name}" for name in SMALL_IDS[1:]),
    ],
    ids=["keyword", "node", "deselect"],
)
def test_a_selection_leaves_the_report_incomplete_and_undecided(project, arguments):
    project.configure()
    result = project.run(*GATE, *arguments)
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 1
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("inconclusive", False)
    assert verdicts(report) == ONE_OF_FOUR
    result.stdout.fnmatch_lines(["privacy_gate  digits*INCONCLUSIVE*"])


def test_a_selection_without_any_check_leaves_all_of_them_not_run(project):
    project.configure()
    project.write("test_own.py", OWN_TEST)
    result = project.run(*GATE, ".", "-k", "own")
    assert result.ret == 0
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("inconclusive", False)
    assert set(verdicts(report).values()) == {"not_run"}


def test_a_failed_check_decides_even_when_others_did_not_run(project):
    project.configure(**LEAKY)
    project.run(*GATE, "-k", "loss and auc")
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("fail", False)


def test_a_failed_check_that_did_not_run_is_not_reported_as_judged(project):
    """All checks are judged together, but only an item that ran may speak."""
    budgets = [AUC, {"metric": "auc", "max": 0.7, "attacks": ["correctness"]}]
    project.configure(**LEAKY, budgets=[{**AUC, "attacks": ["loss"]}, budgets[1]])
    project.run(*GATE, "-k", "correctness")
    assert verdicts(project.report()) == {"loss/auc": "not_run", "correctness/auc": "fail"}


def test_the_marker_selects_the_gate(project):
    project.configure()
    project.write("test_own.py", OWN_TEST)
    result = project.run(*GATE, ".", "-m", "privacy_gate")
    result.assert_outcomes(passed=4, deselected=1)
    assert project.report()["verdict"] == "pass"
    project.run(*GATE, ".", "-m", "not privacy_gate").assert_outcomes(passed=1, deselected=4)
    assert project.report()["verdict"] == "inconclusive"


@pytest.mark.parametrize(("flag", "ran"), [("-x", 1), ("--maxfail=3", 3), ("--stepwise", 1)])
def test_stopping_early_leaves_the_rest_not_run(project, flag, ran):
    project.configure(**LEAKY)
    result = project.run(*GATE, flag)
    assert result.ret in (1, 2)
    result.assert_outcomes(failed=ran)
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("fail", False)
    assert list(verdicts(report).values()) == ["fail"] * ran + ["not_run"] * (4 - ran)


def test_stopping_at_another_test_leaves_all_not_run(project):
    project.configure()
    project.write("test_own.py", "def test_own():\n    assert False\n")
    result = project.run("-x", "test_own.py", *GATE)
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("inconclusive", False)


def test_rerunning_the_last_failures_runs_those_checks_only(project):
    project.configure(**LEAKY, budgets=[{**AUC, "max": 0.99}, LOG_MIA], attacks=["loss"])
    project.run(*GATE).assert_outcomes(passed=1, failed=1)
    assert project.report()["complete"] is True
    result = project.run(*GATE, "--lf")
    result.assert_outcomes(failed=1)
    report = project.report()
    assert report["complete"] is False
    assert verdicts(report) == {"loss/auc": "not_run", "loss/log_mia[a]": "fail"}


def test_rerunning_the_failures_of_other_tests_leaves_no_pass_behind(project):
    """The report of an earlier run must not outlive a run that judged nothing."""
    project.configure()
    project.write("test_own.py", "def test_own():\n    assert False\n")
    project.run(*GATE, ".").assert_outcomes(passed=4, failed=1)
    assert project.report()["verdict"] == "pass"
    project.run(*GATE, ".", "--lf")
    report = project.report()
    assert report["verdict"] in ("inconclusive", "error")
    assert report["complete"] is False


@pytest.mark.parametrize(
    "argument", ["missing_test.py", "test_broken.py"], ids=["missing file", "broken test module"]
)
def test_a_session_that_ends_before_the_gate_leaves_no_pass_behind(project, argument):
    project.configure()
    project.run(*GATE).assert_outcomes(passed=4)
    assert project.report()["verdict"] == "pass"
    project.write("test_broken.py", "import nothing_of_this_name\n")
    result = project.run(*GATE, argument)
    assert result.ret in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR)
    report = project.report()
    assert report["verdict"] in ("inconclusive", "error")
    assert report["complete"] is False


MARKING = """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.{mark})
"""


def test_expecting_a_failure_turns_pytest_green_and_the_report_stays_red(project):
    """pytest lets a project mark any item; the report, which other steps read, is not fooled."""
    project.configure(**LEAKY)
    project.write("conftest.py", MARKING.format(mark='xfail(reason="known")'))
    result = project.run(*GATE)
    assert result.ret == 0
    result.assert_outcomes(xfailed=4)
    result.stdout.fnmatch_lines(["privacy_gate  digits*FAIL"])
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("fail", True)


@pytest.mark.parametrize("mark", ['skip(reason="later")', 'xfail(run=False, reason="later")'])
def test_a_skipped_check_is_not_run(project, mark):
    project.configure()
    project.write("conftest.py", MARKING.format(mark=mark))
    project.run(*GATE)
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("inconclusive", False)
    assert set(verdicts(report).values()) == {"not_run"}


# ----------------------------------------------------------------------------------------- JUnit


def test_junit_holds_numbers_message_and_line(project):
    path = project.configure(**LEAKY, attacks=["loss"])
    result = project.run(*GATE, "--junitxml=junit.xml", "-o", "junit_family=xunit1")
    assert result.ret == 1
    cases = list(ElementTree.parse(project.path / "junit.xml").iter("testcase"))
    checks = project.report()["checks"]
    assert [case.get("name") for case in cases] == [check["id"] for check in checks]
    lines = path.read_text().splitlines()
    for case, check in zip(cases, checks, strict=True):
        assert case.get("file") == "privacy_gate.yaml"
        assert int(case.get("line")) + 1 == check["line"]
        assert f"metric: {check['metric']}" in lines[check["line"] - 1]
        properties = {item.get("name"): item.get("value") for item in case.iter("property")}
        known = {name: check[name] for name in ("estimate", "low", "high", "budget", "p_value")}
        assert properties == {
            "privacy_gate.verdict": "fail",
            **{f"privacy_gate.{name}": str(value) for name, value in known.items()},
        }
        (failure,) = case.iter("failure")
        assert failure.get("message").startswith(f"fail: {check['message']}")
        assert check["advice"] in failure.text


def test_junit_of_a_check_without_numbers_holds_none(project):
    budget = {"metric": "tpr_at_fpr", "fpr": 0.01, "max": 0.02}
    project.configure(attacks=["loss"], budgets=[budget])
    project.run("--privacy-gate", "--junitxml=junit.xml")
    properties = ElementTree.parse(project.path / "junit.xml").iter("property")
    assert {item.get("name"): item.get("value") for item in properties} == {
        "privacy_gate.verdict": "inconclusive",
        "privacy_gate.budget": "0.02",
    }
