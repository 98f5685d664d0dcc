"""Several models in one repository: the example as its first lines say, and what runs come to."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from fixture_sets import KEY

from privacy_gate.cli import main
from privacy_gate.faces import run_all

EXAMPLE = Path(__file__).parent.parent / "examples" / "monorepo"
MODELS = ["digits", "fraud", "vision"]
CONFIGS = [f"{name}/privacy_gate.yaml" for name in MODELS]


def commands(text):
    """The commands in the training script's docstring."""
    joined = text.split('"""')[1].replace("\\\\\n", "")
    return re.findall(r"^ +((?:python|privacy-gate) .*)$", joined, re.MULTILINE)


def shell(directory, line):
    """Run a line as it is typed; a fixed key keeps the numbers the same."""
    known = {k: v for k, v in os.environ.items() if not k.startswith("PRIVACY_GATE")}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{known['PATH']}"
    return subprocess.run(
        line,
        shell=True,
        cwd=directory,
        capture_output=True,
        text=True,
        env={**known, "PATH": programs, "OMP_NUM_THREADS": "1", "PRIVACY_GATE_KEY": KEY.hex()},
    )


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example after all of its commands, the last of which is returned, too."""
    directory = tmp_path_factory.mktemp("repository") / "monorepo"
    shutil.copytree(EXAMPLE, directory)
    (directory / ".git").mkdir()
    for line in commands((EXAMPLE / "train.py").read_text()):
        done = shell(directory, line)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return directory, done


@pytest.fixture
def repository(example, monkeypatch):
    """The example as the working directory of this process."""
    for name in ("CONFIG", "MODEL", "FIXTURES", "DEVICE", "ROOTS", "DEBUG", "POLICY_REF"):
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)
    monkeypatch.setenv("PRIVACY_GATE_KEY", KEY.hex())
    monkeypatch.setattr(sys, "path", [str(example[0]), *sys.path])
    monkeypatch.chdir(example[0])
    yield example[0]
    for name in ("digits", "digits.net", "vision", "vision.net"):
        sys.modules.pop(name, None)  # other tests have modules of these names


@contextmanager
def replaced(path, content):
    """A file with another content, or as it was if that is ``None``, for a while."""
    path = Path(path)
    before = path.read_bytes()
    path.write_bytes(before if content is None else content)
    try:
        yield
    finally:
        path.write_bytes(before)


def edited(path, old, new):
    text = Path(path).read_text()
    assert old in text
    return replaced(path, text.replace(old, new).encode())


def run(output, *configs, code):
    """The merged report of the command by name, and its standard output."""
    result = CliRunner().invoke(main, ["run", *configs, "--output", str(output)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    found = json.loads((output / "reports.json").read_text())
    return {report["name"]: report for report in found["reports"]}, result.output


def verdicts(reports):
    return {name: report["verdict"] for name, report in reports.items()}


def undecided(name):
    """The configuration of a model with a budget too small for its fixtures to certify."""
    path = f"{name}/privacy_gate.yaml"
    budgets = "budgets: [{metric: auc, max: 0.51}]\n"
    return replaced(path, (Path(path).read_text().split("budgets:")[0] + budgets).encode())


# ------------------------------------------------------------------------------------ the example


def test_three_models_pass_after_five_commands_and_few_lines(example):
    directory, done = example
    assert len(commands((EXAMPLE / "train.py").read_text())) <= 5
    for config in CONFIGS:
        assert len((EXAMPLE / config).read_text().splitlines()) <= 12
    assert done.stdout.count("PASS") >= 3
    assert "declared, not verified" not in done.stdout
    for name in MODELS:
        report = json.loads((directory / "report" / name / "report.json").read_text())
        assert (report["name"], report["verdict"], report["complete"]) == (name, "pass", True)
        assert report["config"]["path"] == f"{name}/privacy_gate.yaml"
        assert report["config"]["extends"]["path"] == "common.yaml"
        assert report["policy"]["path"] == "privacy_policy.yaml"
        assert (directory / "report" / name / "report.html").exists()
    merged = json.loads((directory / "report" / "reports.json").read_text())
    assert (merged["schema"], merged["missing"]) == ("privacy-gate.reports/1", [])
    assert [report["name"] for report in merged["reports"]] == MODELS
    page = (directory / "report" / "report.md").read_text()
    assert all(f"`{name}`" in page or name in page for name in MODELS)


def test_the_page_shows_the_configuration_as_it_is():
    page = (EXAMPLE.parent.parent / "docs" / "monorepo.md").read_text()
    shown = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1]
    assert yaml.safe_load(shown) == yaml.safe_load((EXAMPLE / CONFIGS[0]).read_text())


def test_budgets_come_from_the_common_file_the_model_and_the_policy(example):
    directory, _ = example
    places = {}
    for name in MODELS:
        report = json.loads((directory / "report" / name / "report.json").read_text())
        places[name] = {
            (check["metric"], check["budget"], check["path"]) for check in report["checks"]
        }
    assert places["digits"] == places["vision"]
    assert places["digits"] == {("tpr_at_fpr", 0.2, "common.yaml"), ("auc", 0.65, "common.yaml")}
    assert places["fraud"] == {("tpr_at_fpr", 0.15, None), ("auc", 0.65, "privacy_policy.yaml")}


# -------------------------------------------------------------------------------------- exit codes


def test_one_leaking_model_fails_the_run_and_an_error_wins_over_it(repository, tmp_path):
    models = Path("fraud/models")
    with replaced(models / "candidate.onnx", None), replaced(models / "receipt.safetensors", None):
        runpy.run_path("train.py")["fraud"](leak=True)  # what its option --leak does
        reports, output = run(tmp_path / "one", *CONFIGS, code=1)
        assert verdicts(reports) == {"digits": "pass", "fraud": "fail", "vision": "pass"}
        assert "The model gives members away." in output
        with undecided("digits"):  # a failure wins over what is inconclusive
            reports, _ = run(tmp_path / "two", *CONFIGS[:2], code=1)
        assert verdicts(reports) == {"digits": "inconclusive", "fraud": "fail"}
        with replaced("digits/models/candidate.safetensors", b"no model"):
            reports, _ = run(tmp_path / "three", *CONFIGS[:2], code=2)
        assert verdicts(reports) == {"digits": "error", "fraud": "fail"}


def test_one_model_that_cannot_be_decided_makes_the_run_inconclusive(repository, tmp_path):
    with undecided("digits"):
        reports, _ = run(tmp_path, *CONFIGS, code=3)
    assert verdicts(reports) == {"digits": "inconclusive", "fraud": "pass", "vision": "pass"}


def test_a_broken_common_file_is_an_error_of_every_model_it_is_read_for(repository, tmp_path):
    with edited("common.yaml", "max: 0.65", "max: 6.5"):
        reports, _ = run(tmp_path, *CONFIGS, code=2)
    # fraud has budgets of its own in the place of those
    assert verdicts(reports) == {"digits": "error", "fraud": "pass", "vision": "error"}
    for name in ("digits", "vision"):
        assert reports[name]["error"]["location"].startswith("common.yaml:8:")
        assert (tmp_path / name / "report.html").exists()


@pytest.mark.parametrize("content", [b"model: [", b"version: 1\n", b"name: b c\n", None])
def test_a_model_whose_configuration_is_broken_is_known_by_its_directory(tmp_path, content):
    path = tmp_path / "fraud" / "privacy_gate.yaml"
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    (report,) = run_all([path]).reports
    assert (report.name, report.verdict) == ("fraud", "error")
    path.write_text("name: cards\n")
    path.with_name("second.yaml").write_text("version: 1\n")
    names = [report.name for report in run_all([path, path.with_name("second.yaml")]).reports]
    assert names == ["cards", "second"]


def test_two_models_of_one_name_are_an_error(repository, tmp_path):
    with edited("vision/privacy_gate.yaml", "version: 1", "version: 1\nname: fraud"):
        result = CliRunner().invoke(main, ["run", *CONFIGS[1:], "--output", str(tmp_path)])
    assert result.exit_code == 2
    assert "Another configuration of this run has the name 'fraud', too." in result.output
    assert "vision/privacy_gate.yaml:2:7" in result.output


def test_one_of_the_models_can_be_run_alone_from_its_directory(repository, tmp_path, monkeypatch):
    monkeypatch.chdir("fraud")
    result = CliRunner().invoke(main, ["run", "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["name"], report["config"]["path"]) == ("fraud", "fraud/privacy_gate.yaml")


# ---------------------------------------------------------------------------------------- a matrix


def merge(output, *arguments, code):
    arguments = [str(argument) for argument in arguments]
    result = CliRunner().invoke(main, ["report", "merge", *arguments, "-o", str(output)])
    assert result.exit_code == code, result.output
    return json.loads((output / "report.json").read_text()), result.output


def test_reports_of_single_jobs_are_merged_and_a_missing_one_fails(repository, tmp_path):
    configs = [part for config in CONFIGS for part in ("--config", config)]
    merged, output = merge(tmp_path / "all", "report", *configs, code=0)
    assert (merged["verdict"], merged["missing"]) == ("pass", [])
    assert "3 reports, 0 missing: pass" in output
    two = ("report/digits", "report/fraud/report.json")
    merged, output = merge(tmp_path / "two", *two, *configs, code=1)
    assert (merged["verdict"], merged["missing"]) == ("fail", ["vision"])
    assert merged["complete"] is False
    assert "2 reports, 1 missing: fail" in output
    assert "vision" in (tmp_path / "two" / "report.md").read_text()
