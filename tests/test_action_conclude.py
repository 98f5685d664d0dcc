"""The last step of the action: it passes only where codes, outputs and reports all say pass."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CONCLUDE = Path(__file__).parent.parent / "action" / "conclude.py"


def report(verdict="pass", checks=("pass", "pass"), complete=True, **more):
    return {
        "schema": "privacy-gate.report/1",
        "verdict": verdict,
        "complete": complete,
        "checks": [{"id": str(n), "verdict": each} for n, each in enumerate(checks)],
        "tolerated": False,
        "changes": [],
        **more,
    }


def together(*reports, verdict="pass", complete=True, missing=()):
    return {
        "schema": "privacy-gate.reports/1",
        "verdict": verdict,
        "complete": complete,
        "missing": list(missing),
        "reports": list(reports),
    }


@pytest.fixture
def conclude(tmp_path):
    """Exit code and last line of the step; ``None`` removes a variable."""

    def run(document, **changes):
        file = tmp_path / "report.json"
        if document is not None:
            file.write_text(document if isinstance(document, str) else json.dumps(document))
        content = document if isinstance(document, dict) else {"verdict": "pass", "complete": True}
        variables = {
            "MEASURE_CODE": "0",
            "PUBLISH_CODE": "0",
            "REPORT_JSON": str(file),
            "VERDICT": str(content["verdict"]),
            "COMPLETE": str(content["complete"]).lower(),
            "INPUT_CONFIG": "",
            **changes,
        }
        done = subprocess.run(
            [sys.executable, str(CONCLUDE)],
            env={name: value for name, value in variables.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()[-1]

    return run


def test_a_complete_pass_passes(conclude):
    assert conclude(report()) == (0, "privacy_gate: pass. Checks: 2 pass.")


def test_what_is_tolerated_lets_the_job_pass_and_is_not_called_a_pass(conclude):
    found = report("inconclusive", ("pass", "waived", "inconclusive"), tolerated=True)
    assert conclude(found) == (
        0,
        "privacy_gate: tolerated, not passed. Checks: 1 inconclusive, 1 pass, 1 waived.",
    )


@pytest.mark.parametrize(("code", "verdict"), [(1, "fail"), (2, "error"), (3, "inconclusive")])
def test_every_other_verdict_ends_with_its_exit_code(conclude, code, verdict):
    document = report(verdict, ("fail", "pass"))
    ended, line = conclude(document, MEASURE_CODE=str(code), PUBLISH_CODE=str(code))
    assert ended == code
    assert line.startswith(f"privacy_gate: {verdict}.")


@pytest.mark.parametrize(
    ("measured", "judged", "code"), [("0", "1", 1), ("1", "0", 1), ("3", "1", 1), ("1", "2", 2)]
)
def test_the_worse_of_measuring_and_judging_counts(conclude, measured, judged, code):
    assert conclude(report(), MEASURE_CODE=measured, PUBLISH_CODE=judged)[0] == code


def test_where_nothing_is_measured_judging_alone_decides(conclude):
    assert conclude(report(), MEASURE_CODE=None)[0] == 0


DOUBTS = {
    "measuring was not run to its end": (report(), {"MEASURE_CODE": ""}),
    "judging was not run to its end": (report(), {"PUBLISH_CODE": ""}),
    "measuring was killed": (report(), {"MEASURE_CODE": "-9"}),
    "nothing was published": (None, {}),
    "no path was announced": (report(), {"REPORT_JSON": ""}),
    "the report is no JSON": ("{", {}),
    "the report is a list": ("[]", {}),
    "the report has no checks key": ({"verdict": "pass", "complete": True}, {}),
    "the outputs announce another verdict": (report("fail", ("fail",)), {"VERDICT": "pass"}),
    "the outputs announce completeness": (report(complete=False), {"COMPLETE": "true"}),
    "the outputs announce nothing": (report(), {"VERDICT": "", "COMPLETE": ""}),
    "the report is not complete": (report(complete=False), {}),
    "complete is a text": (report(complete="true"), {}),
    "there is no check": (report(checks=()), {}),
    "a check was not run": (report(checks=("pass", "not_run")), {}),
    "a check failed": (report(checks=("pass", "fail")), {}),
    "a check is inconclusive": (report(checks=("pass", "inconclusive")), {}),
    "a check has an unknown verdict": (report(checks=("pass", "fine")), {}),
    "the verdict is fail": (report("fail"), {}),
    "inconclusive is not tolerated": (report("inconclusive", ("inconclusive",)), {}),
    "a failed check is tolerated": (report("inconclusive", ("fail",), tolerated=True), {}),
    "a changed term blocks": (report(changes=[{"blocking": True}]), {}),
    "a configuration is missing": (together(report(), missing=["b"]), {}),
    "fewer reports than configurations": (report(), {"INPUT_CONFIG": "a.yaml\nb.yaml"}),
    "more reports than configurations": (together(report(), report()), {"INPUT_CONFIG": "a.yaml"}),
    "one of two reports failed": (
        together(report(), report("fail", ("fail",))),
        {"INPUT_CONFIG": "a.yaml\nb.yaml"},
    ),
    "there are no reports": (together(), {}),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_in_doubt_there_is_no_pass(conclude, doubt):
    document, changes = DOUBTS[doubt]
    code, line = conclude(document, **changes)
    assert code == 2
    assert line.startswith("::error title=privacy_gate::")


def test_several_configurations_pass_together(conclude):
    found = together(report(), report())
    assert conclude(found, INPUT_CONFIG="a.yaml\n\n b.yaml \na.yaml") == (
        0,
        "privacy_gate: pass. Checks: 4 pass.",
    )
