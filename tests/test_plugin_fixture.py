"""The ``privacy_gate`` fixture in a project's own tests."""

from __future__ import annotations

import json

import numpy as np

import privacy_gate

SCORES = """
import numpy as np
import pytest

def scores(shift):
    random = np.random.default_rng(0)
    return random.normal(shift, 1, 500), random.normal(0, 1, 500)
"""


def write_test(project, body):
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    project.write("test_own.py", f"{SCORES}\n\ndef test_own(privacy_gate):\n{lines}")


def test_measure_is_that_of_the_library(project):
    write_test(
        project,
        """
import json
from pathlib import Path
result = privacy_gate.measure(*scores(1), fpr=[0.05], budgets=['auc<=0.6'])
Path('result.json').write_text(json.dumps(result.to_dict()))
""",
    )
    project.run().assert_outcomes(passed=1)
    random = np.random.default_rng(0)
    members, nonmembers = random.normal(1, 1, 500), random.normal(0, 1, 500)
    expected = privacy_gate.measure(members, nonmembers, fpr=[0.05], budgets=["auc<=0.6"])
    written = json.loads((project.path / "result.json").read_text())
    assert written == json.loads(json.dumps(expected.to_dict()))


def test_run_is_that_of_the_library(project):
    project.configure()
    write_test(
        project, "assert privacy_gate.run('privacy_gate.yaml', device='cpu').verdict == 'pass'"
    )
    project.run().assert_outcomes(passed=1)


def test_scores_within_their_budgets_pass_and_give_the_measurement(project):
    write_test(
        project,
        """
result = privacy_gate.assert_within_budget(*scores(0), 'auc<=0.6', 'tpr_at_fpr[0.05]<=0.2')
assert result.verdict == 'pass'
assert [check.verdict for check in result.checks] == ['pass', 'pass']
""",
    )
    for flag in ((), ("--privacy-gate",)):
        if flag:
            project.configure()
        project.run(*flag, "test_own.py").assert_outcomes(passed=5 if flag else 1)


def test_a_leak_fails_with_the_numbers_and_without_our_frames(project):
    write_test(project, "privacy_gate.assert_within_budget(*scores(2), 'auc<=0.6')")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *BudgetExceeded: fail: AUC is at least 0.9*, above the budget 0.6*"]
    )
    result.stdout.fnmatch_lines([">*privacy_gate.assert_within_budget(*"])
    result.stdout.no_fnmatch_line("*missed = *")
    result.stdout.no_fnmatch_line("*pytest_fixture.py:*")


def test_scores_that_do_not_decide_fail_too(project):
    write_test(project, "privacy_gate.assert_within_budget(*scores(0), 'auc<=0.52')")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *BudgetExceeded: inconclusive: AUC lies in *"])


def test_of_several_budgets_only_those_missed_are_named(project):
    write_test(
        project, "privacy_gate.assert_within_budget(*scores(0), 'auc<=0.7', 'log_mia[a]<=0.01')"
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *BudgetExceeded: *Log-MIA*"])
    result.stdout.no_fnmatch_line("E *AUC*")


def test_the_direction_of_losses_can_be_said(project):
    write_test(
        project,
        """
members, nonmembers = scores(2)
with pytest.raises(AssertionError, match='fail: AUC'):
    privacy_gate.assert_within_budget(-members, -nonmembers, 'auc<=0.6', lower_is_member=True)
""",
    )
    project.run().assert_outcomes(passed=1)


def test_a_budget_that_cannot_be_read_or_is_missing_is_said(project):
    write_test(
        project,
        """
from privacy_gate.errors import UsageError
for wrong in (['auc<0.6'], ['precision<=0.5'], []):
    with pytest.raises(UsageError):
        privacy_gate.assert_within_budget(*scores(0), *wrong)
""",
    )
    project.run().assert_outcomes(passed=1)
