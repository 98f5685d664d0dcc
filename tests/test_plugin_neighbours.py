"""The plugin beside pytest's other options and plugins, and what it costs when it is not used."""

from __future__ import annotations

import pytest
from plugin_project import LEAKY, TORCH

HEAVY = {"torch", "numpy", "scipy", "yaml", "pydantic", "onnxruntime", "onnx", "rich", "click"}
BACKENDS = {"torch", "onnxruntime", "onnx"}
GATE = ("--privacy-gate", "--privacy-gate-report=report")


@pytest.fixture
def without_other_plugins(monkeypatch):
    """Other installed plugins may load what they like."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


@pytest.mark.parametrize("arguments", [(), ("--version",), ("-VV",), ("--help",), ("--fixtures",)])
def test_who_does_not_ask_for_the_gate_loads_nothing_heavy(
    project, without_other_plugins, arguments
):
    project.configure()
    project.write("test_own.py", "def test_own():\n    pass\n")
    loaded, code = project.loads(*arguments)
    assert code == 0
    assert not loaded & HEAVY


def test_collecting_the_checks_loads_no_backend(project, without_other_plugins):
    project.configure(**TORCH)
    loaded, code = project.loads("--privacy-gate", "--collect-only")
    assert code == 0
    assert "numpy" in loaded
    assert not loaded & BACKENDS


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "no:terminal"),
        ("-p", "no:cacheprovider"),
        ("-p", "no:junitxml"),
        ("-p", "no:xdist"),
        ("-W", "error"),
        ("--strict-markers", "--strict-config"),
        ("--durations=3",),
        ("-q",),
        ("-vv",),
        ("--setup-show",),
        ("--tb=native",),
        ("-s",),
    ],
    ids=" ".join,
)
def test_options_of_pytest_do_no_harm(project, arguments):
    project.configure(**TORCH)
    result = project.run(*GATE, *arguments)
    assert result.ret == 0
    assert (project.report()["verdict"], project.report()["complete"]) == ("pass", True)


def test_the_plugin_can_be_switched_off(project):
    project.configure()
    project.write("test_own.py", "def test_own():\n    pass\n")
    project.run("-p", "no:privacy_gate").assert_outcomes(passed=1)
    result = project.run("-p", "no:privacy_gate", "--privacy-gate")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_process_of_its_own_ends_with_the_exit_code_of_the_verdict(project):
    project.configure()
    assert project.run_process(*GATE).ret == 0
    project.configure(**LEAKY)
    assert project.run_process(*GATE).ret == 1


def test_the_header_names_the_configuration(project):
    project.configure("gates/private.yaml")
    result = project.run("--privacy-gate-config=gates/private.yaml")
    result.stdout.fnmatch_lines(["privacy_gate *: gates/private.yaml"])


def test_help_explains_every_flag(project):
    result = project.run("--help")
    names = ("", "-config", "-only", "-report", "-model", "-fixtures", "-device")
    for name in names:
        result.stdout.fnmatch_lines([f"*--privacy-gate{name}[ =]*"])
    result.stdout.fnmatch_lines(["*privacy_gate_config*"])
    marks = project.run("--markers")
    marks.stdout.fnmatch_lines(["@pytest.mark.privacy_gate: *"])
