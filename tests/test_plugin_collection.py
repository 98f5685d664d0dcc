"""Which checks become test items, where they are found, and what a broken set of them says."""

from __future__ import annotations

import os

import numpy as np
import pytest
from plugin_project import LEAKY, SMALL_IDS, TORCH, verdicts

OWN_TEST = "def test_own():\n    pass\n"
SMALL_NODES = [f"privacy_gate.yaml::{name}" for name in SMALL_IDS]


def test_nothing_is_collected_unless_asked_for(project):
    project.configure()
    project.write("test_own.py", OWN_TEST)
    result = project.run()
    assert result.ret == 0
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*privacy_gate 0*")
    assert project.run("test_own.py", ".").parseoutcomes() == {"passed": 1}


def test_other_yaml_files_are_left_alone(project):
    project.configure()
    project.configure("other.yaml", name="other")
    assert project.collected("--privacy-gate", ".") == SMALL_NODES


@pytest.mark.parametrize(
    ("arguments", "own"),
    [
        ((), 1),
        (("tests/test_own.py",), 1),
        ((".",), 1),
        ((".", "privacy_gate.yaml"), 1),
        (("tests", "."), 1),
        (("privacy_gate.yaml",), 0),
        (("--privacy-gate-only",), 0),
        (("--privacy-gate-only", "tests"), 0),
        (("--privacy-gate-only", "."), 0),
    ],
)
def test_every_check_is_collected_once_whatever_else_is_asked_for(project, arguments, own):
    project.configure()
    project.write("tests/test_own.py", OWN_TEST)
    project.write("pytest.ini", "[pytest]\ntestpaths = tests\n")
    nodes = project.collected("--privacy-gate", *arguments)
    assert [node for node in nodes if ".yaml" in node] == SMALL_NODES
    assert len(nodes) == len(SMALL_NODES) + own


def test_only_turns_the_gate_on(project):
    project.configure()
    project.write("test_own.py", OWN_TEST)
    project.run("--privacy-gate-only").assert_outcomes(passed=4)


def test_a_configuration_in_testpaths_is_collected_once(project):
    project.configure("tests/privacy_gate.yaml")
    project.write("pytest.ini", "[pytest]\ntestpaths = tests\n")
    nodes = project.collected("--privacy-gate-config=tests/privacy_gate.yaml")
    assert nodes == [f"tests/{node}" for node in SMALL_NODES]


def test_items_follow_the_budgets_and_point_at_their_lines(project):
    path = project.configure()
    text = path.read_text().splitlines()
    items, _ = project.pytester.inline_genitems("--privacy-gate")
    assert [item.name for item in items] == SMALL_IDS
    for item in items:
        where, line, words = item.reportinfo()
        assert where == path
        assert words == f"privacy gate: {item.name}"
        metric = item.name.partition("/")[2].partition("[")[0]
        assert f"metric: {metric}" in text[line]
        assert [marker.name for marker in item.iter_markers("privacy_gate")] == ["privacy_gate"]


def test_a_configuration_named_without_the_flag_is_enough(project):
    project.configure()
    project.write("test_own.py", OWN_TEST)
    project.run("privacy_gate.yaml").assert_outcomes(passed=4)


@pytest.mark.parametrize("flag", [(), ("--privacy-gate",)])
def test_one_check_can_be_named(project, flag):
    project.configure()
    result = project.run(*flag, "-v", "privacy_gate.yaml::loss/auc")
    assert result.ret == 0
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["privacy_gate.yaml::loss/auc PASSED*"])
    selected = project.run(*flag, "privacy_gate.yaml::loss/log_mia[a]")
    selected.assert_outcomes(passed=1)


def test_a_check_that_does_not_exist_is_a_usage_error(project):
    project.configure()
    result = project.run("privacy_gate.yaml::loss/nothing")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: not found: *loss/nothing*"])


def test_collecting_lists_the_checks_and_runs_nothing(project):
    project.configure(**TORCH)
    result = project.run("--privacy-gate", "--collect-only", "--privacy-gate-report=report")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*<PrivacyGateItem loss/auc>", "*4 tests collected*"])
    assert not (project.path / "report").exists()
    assert not (project.path / "opened.txt").exists()


# ----------------------------------------------------------------------------- which configuration


def test_several_configurations_have_distinct_nodes_and_a_report_each(project):
    project.configure("one.yaml", name="first")
    project.configure("two.yaml", name="second", **LEAKY)
    result = project.run(
        "--privacy-gate-config=one.yaml",
        "--privacy-gate-config=two.yaml",
        "--privacy-gate-report=report",
    )
    assert result.ret == 1
    result.assert_outcomes(passed=4, failed=4)
    result.stdout.fnmatch_lines(["FAILED two.yaml::loss/auc - fail: *"])
    assert project.report("report/first")["verdict"] == "pass"
    assert project.report("report/second")["verdict"] == "fail"
    assert not (project.path / "report/report.json").exists()


def test_configurations_of_one_name_are_refused(project):
    """Their reports, comments and results elsewhere could not be told apart."""
    for file in ("one.yaml", "two.yaml"):
        project.configure(file)
    result = project.run(*(f"--privacy-gate-config={file}" for file in ("one.yaml", "two.yaml")))
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*two.yaml:2:*Another configuration*name 'digits'*"])


def test_a_configuration_given_twice_is_one(project):
    path = project.configure()
    nodes = project.collected(
        "--privacy-gate-config=privacy_gate.yaml", f"--privacy-gate-config={path}"
    )
    assert nodes == SMALL_NODES


def test_the_command_line_wins_over_the_environment_and_that_over_the_ini_file(
    project, monkeypatch
):
    for name in ("flag", "variable", "ini", "privacy_gate"):
        project.configure(f"{name}.yaml", name=name)

    def chosen(*arguments):
        nodes = project.collected("--privacy-gate", *arguments)
        return {node.partition("::")[0] for node in nodes}

    assert chosen() == {"privacy_gate.yaml"}
    project.write("pytest.ini", "[pytest]\nprivacy_gate_config = ini.yaml\n")
    assert chosen() == {"ini.yaml"}
    monkeypatch.setenv("PRIVACY_GATE_CONFIG", "variable.yaml")
    assert chosen() == {"variable.yaml"}
    assert chosen("--privacy-gate-config=flag.yaml") == {"flag.yaml"}
    assert chosen("privacy_gate.yaml") == {"privacy_gate.yaml"}
    monkeypatch.setenv("PRIVACY_GATE_CONFIG", os.pathsep.join(["variable.yaml", "ini.yaml"]))
    assert chosen() == {"variable.yaml", "ini.yaml"}


def test_the_environment_alone_does_not_turn_the_gate_on(project, monkeypatch):
    project.configure()
    project.write("test_own.py", OWN_TEST)
    monkeypatch.setenv("PRIVACY_GATE_CONFIG", "privacy_gate.yaml")
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("folder", ["sub", "sub/deeper"])
def test_pytest_may_start_in_a_subdirectory(project, monkeypatch, folder):
    project.configure()
    project.write("pytest.ini", "[pytest]\n")
    (project.path / folder).mkdir(parents=True)
    monkeypatch.chdir(project.path / folder)
    result = project.run("--privacy-gate", "--privacy-gate-report=report", "-v")
    result.assert_outcomes(passed=4)
    assert verdicts(project.report(f"{folder}/report")) == dict.fromkeys(SMALL_IDS, "pass")


def test_the_root_directory_may_lie_elsewhere(project):
    project.configure()
    (project.path / "elsewhere").mkdir()
    arguments = ("--rootdir=elsewhere", "--privacy-gate", "--privacy-gate-report=report")
    project.run(*arguments).assert_outcomes(passed=4)
    assert project.report()["verdict"] == "pass"


def test_configurations_outside_the_root_directory_do_not_get_mixed_up(project):
    (project.path / "elsewhere").mkdir()
    for folder, name in (("a", "first"), ("b", "second")):
        project.configure(f"{folder}/privacy_gate.yaml", name=name)
    result = project.run(
        "--rootdir=elsewhere",
        "a/privacy_gate.yaml",
        "b/privacy_gate.yaml",
        "--privacy-gate-report=report",
        "-v",
    )
    for folder in "ab":
        result.stdout.fnmatch_lines([f"{folder}/privacy_gate.yaml::loss/auc PASSED*"])
    result.assert_outcomes(passed=8)
    assert {project.report(f"report/{name}")["verdict"] for name in ("first", "second")} == {"pass"}


# ------------------------------------------------------------------------------------- mistakes


def test_a_missing_configuration_is_a_usage_error_of_one_line(project):
    result = project.run("--privacy-gate")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line]
    assert line.startswith("ERROR: privacy_gate: there is no configuration ")
    assert line.endswith("privacy_gate.yaml; give --privacy-gate-config PATH.")


def test_yaml_mistakes_are_collection_errors_of_one_sentence_each_with_their_place(project):
    path = project.configure()
    path.write_text(path.read_text() + "budgte: 3\n")
    line = len(path.read_text().splitlines())
    for more in ((), ("--collect-only",)):
        result = project.run("--privacy-gate", "--privacy-gate-report=report", *more)
        assert result.ret == 2
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines([f"*privacy_gate.yaml:{line}:1: *budgte*"])
        result.stdout.no_fnmatch_line("*Traceback*")
        result.stdout.no_fnmatch_line("*pytest_items.py*")
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("error", False)


def test_altered_fixtures_are_a_collection_error(project):
    project.configure()
    members = dict(np.load(project.path / "members.npz"))
    members["y"][0] += 1
    np.savez(project.path / "members.npz", **members)
    result = project.run("--privacy-gate", "--privacy-gate-report=report")
    assert result.ret == 2
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*members.npz*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    report = project.report()
    assert (report["name"], report["verdict"]) == ("digits", "error")


def test_a_broken_configuration_beside_a_good_one_leaves_a_report_of_both(project):
    project.configure("good.yaml", name="good")
    project.write("broken.yaml", "version: 1\n")
    result = project.run(
        "--privacy-gate-config=good.yaml",
        "--privacy-gate-config=broken.yaml",
        "--privacy-gate-report=report",
    )
    assert result.ret == 2
    assert project.report("report/broken")["verdict"] == "error"
    good = project.report("report/good")
    assert (good["verdict"], good["complete"]) == ("inconclusive", False)


def test_a_report_that_cannot_be_written_is_said_before_anything_is_run(project):
    project.configure(**TORCH)
    project.write("report", "a file")
    result = project.run("--privacy-gate", "--privacy-gate-report=report")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line]
    assert line.startswith("ERROR: privacy_gate: cannot write to ")
    assert not (project.path / "opened.txt").exists()
