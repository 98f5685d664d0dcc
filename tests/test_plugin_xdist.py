"""Under pytest-xdist one worker judges a configuration, and the report is the same."""

from __future__ import annotations

import pytest
from plugin_project import COUNTED_INPUTS, LEAKY, SMALL_IDS, TORCH, reproducible, verdicts

pytest.importorskip("xdist", reason="pytest-xdist is not installed")
GATE = ("--privacy-gate", "--privacy-gate-report=report")
OWN_TESTS = """
import pytest

@pytest.mark.parametrize("number", range(8))
def test_own(number):
    pass
"""


def test_two_workers_open_the_model_once_and_report_the_same(project):
    project.configure(**TORCH)
    project.write("tests/test_own.py", OWN_TESTS)
    project.run(*GATE, "tests").assert_outcomes(passed=12)
    alone = reproducible(project.report())
    assert len(project.opened()) == 1
    (project.path / "opened.txt").unlink()

    result = project.run(*GATE, "tests", "-n2")
    assert result.ret == 0
    result.assert_outcomes(passed=12)
    result.stdout.fnmatch_lines(["privacy_gate *; one worker judges each configuration"])
    assert len(project.opened()) == 1
    assert reproducible(project.report()) == alone
    assert alone["verdict"] == "pass"


def test_a_distribution_by_group_keeps_a_configuration_together(project):
    project.configure(**COUNTED_INPUTS)
    result = project.run(*GATE, "-n2", "--dist=loadgroup")
    assert result.ret == 0
    result.assert_outcomes(passed=4)
    assert len(set(project.opened())) == 1
    assert (project.report()["verdict"], project.report()["complete"]) == ("pass", True)


def test_a_distribution_by_file_is_fine_and_a_selection_stays_incomplete(project):
    project.configure(**COUNTED_INPUTS)
    result = project.run(*GATE, "-n2", "--dist=loadfile", "-k", "auc")
    assert result.ret == 0
    result.assert_outcomes(passed=2)
    assert len(set(project.opened())) == 1
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("inconclusive", False)
    assert list(verdicts(report).values()) == ["pass", "pass", "not_run", "not_run"]


@pytest.mark.parametrize("distribution", ["worksteal", "each"])
def test_distributions_that_would_open_the_model_everywhere_are_refused(project, distribution):
    project.configure(**TORCH)
    result = project.run(*GATE, "-n2", f"--dist={distribution}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line]
    assert line.startswith(f"ERROR: privacy_gate: --dist {distribution} would load the model")
    assert line.endswith("give --dist load.")
    assert not (project.path / "opened.txt").exists()


def test_a_distribution_that_is_configured_but_not_used_is_no_obstacle(project):
    project.configure()
    project.run(*GATE, "--dist=worksteal").assert_outcomes(passed=4)


def test_two_configurations_are_judged_once_each_and_keep_their_node_ids(project):
    project.configure("one/privacy_gate.yaml", name="first")
    project.configure("two/privacy_gate.yaml", name="second", **LEAKY)
    names = [f"--privacy-gate-config={folder}/privacy_gate.yaml" for folder in ("one", "two")]
    result = project.run(*names, "--privacy-gate-report=report", "-n2")
    assert result.ret == 1
    result.assert_outcomes(passed=4, failed=4)
    result.stdout.fnmatch_lines(["FAILED two/privacy_gate.yaml::loss/auc - fail: *"])
    assert verdicts(project.report("report/first")) == dict.fromkeys(SMALL_IDS, "pass")
    assert project.report("report/second")["verdict"] == "fail"
    project.run(*names, "--lf").assert_outcomes(failed=4)


def test_mistakes_are_said_once_by_workers(project):
    path = project.configure()
    path.write_text(path.read_text() + "budgte: 3\n")
    result = project.run(*GATE, "-n2")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*privacy_gate.yaml:*:1: *budgte*"])
    assert project.report()["verdict"] == "error"


def test_a_worker_that_dies_leaves_no_pass_behind(project):
    project.write("dies.py", "import os\ndef build(width):\n    os._exit(3)\n")
    project.configure(**{**TORCH, "model.factory": "dies:build"})
    result = project.run(*GATE, "-n2", "--max-worker-restart=0")
    assert result.ret != 0
    report = project.report()
    assert report["verdict"] in ("inconclusive", "error")
    assert report["complete"] is False
