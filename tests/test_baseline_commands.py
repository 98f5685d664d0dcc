"""``privacy-gate baseline update | show`` and what they refuse."""

from __future__ import annotations

import json
import subprocess

import pytest
from baseline_project import AUC, BUDGETS, project, rewrite
from click.testing import CliRunner
from gate_project import onnx_project

from privacy_gate.baseline.file import read_baseline
from privacy_gate.cli import main

STRICT = [{**AUC, "max": 0.7}]
AS_SOMEONE = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]


def invoke(*arguments, code=0):
    result = CliRunner().invoke(main, ["baseline", *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return project(tmp_path_factory.mktemp("project"), budgets=STRICT)


@pytest.fixture
def path(built):
    (built.parent / "baseline.json").unlink(missing_ok=True)
    rewrite(built, budgets=STRICT, baseline="baseline.json")
    yield built
    (built.parent / "baseline.json").unlink(missing_ok=True)


def made(path):
    return read_baseline(path.parent / "baseline.json", "baseline.json")


def test_update_writes_aggregates_and_digests_only(path):
    said = invoke("update", path)
    assert "Wrote baseline.json: private.onnx" in said
    assert "There was no baseline before." in said
    file = made(path)
    assert (file.name, file.confidence, file.checks) == ("scores", 0.95, 2)
    assert file.level == pytest.approx(0.0125)
    assert list(file.attacks["score"].metrics) == ["auc"]
    assert file.judged == (file.model.sha256,)
    assert file.evaluation.members > 600
    numbers = json.dumps(file.model_dump(mode="json"))
    assert len(numbers) < 3000  # no list of records hides in it


def test_the_number_of_checks_counts_the_increases_to_come(path):
    rewrite(path, budgets=BUDGETS)
    invoke("update", path)
    file = made(path)
    assert (file.checks, file.holm_level) == (4, pytest.approx(0.0125 / 4))


def test_update_says_what_changed_and_remembers_who_was_judged(path):
    invoke("update", path)
    first = made(path).model.sha256
    said = invoke("update", path, "--model", path.parent / "leaky.onnx", "--even-if-failing")
    assert "1 value compared with the one before, 1 credibly different." in said
    assert "higher  score/auc: 0." in said
    assert made(path).judged == (first, made(path).model.sha256)
    said = invoke("update", path, "--model", path.parent / "similar.onnx")
    assert "lower   score/auc: 0." in said
    assert len(made(path).judged) == 3
    said = invoke("update", path, "--model", path.parent / "similar.onnx")
    assert "It is the model of the one before." in said
    assert "0 credibly different" in said
    assert len(made(path).judged) == 3


def test_a_failing_model_is_no_baseline_unless_that_is_said(path):
    leaky = path.parent / "leaky.onnx"
    said = invoke("update", path, "--model", leaky, code=2)
    assert "1 of 1 checks do not pass (score/auc)" in said
    assert "--even-if-failing" in said
    assert not (path.parent / "baseline.json").exists()
    invoke("update", path, "--model", leaky, "--even-if-failing")
    assert made(path).model.path.endswith("leaky.onnx")


def test_a_run_without_verdicts_is_never_a_baseline(path):
    rewrite(path, budgets=[{"metric": "auc", "max": 0.505}])
    for options in ([], ["--even-if-failing"]):
        said = invoke("update", path, *options, code=2)
        assert "no verdict for every check" in said
    assert not (path.parent / "baseline.json").exists()


def test_a_check_that_the_base_branch_demands_must_be_made(tmp_path, monkeypatch):
    """A run that leaves it out is incomplete, and so no baseline, whatever is said."""
    budgets = [{"metric": "auc", "max": 0.8}]
    path = onnx_project(tmp_path, attacks=["loss", "entropy"], budgets=budgets)
    for command in (["init", "-q"], ["add", "."], [*AS_SOMEONE, "commit", "-q", "-m", "base"]):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    rewrite(path, attacks=["loss"], baseline="baseline.json")
    monkeypatch.setenv("PRIVACY_GATE_POLICY_REF", "HEAD")
    for options in ([], ["--even-if-failing"]):
        assert "no verdict for every check" in invoke("update", path, *options, code=2)
    rewrite(path, attacks=["loss", "entropy"], budgets=[{"metric": "auc", "max": 0.9}])
    assert "terms of the base branch were changed" in invoke("update", path, code=2)
    invoke("update", path, "--even-if-failing")


def test_an_increase_does_not_keep_a_baseline_from_being_updated(path):
    """Updating is how a reviewed increase is accepted; absolute budgets hold all the same."""
    rewrite(path, budgets=[{**AUC, "max": 0.99}])
    invoke("update", path)
    said = invoke("update", path, "--model", path.parent / "leaky.onnx")
    assert "higher" in said


def test_update_says_which_increases_are_out_of_reach(path):
    assert "next run would stop early" not in invoke("update", path)
    rewrite(path, budgets=[{**AUC, "max_increase": 0.02}])
    said = invoke("update", path)
    assert "note: the next run would stop early. score/auc:increase: AUC: an increase of" in said
    assert "stop early" not in invoke("update", path, "--include-scores")


def test_a_damaged_baseline_is_replaced_and_that_is_said(path):
    (path.parent / "baseline.json").write_text("{")
    assert "The one before could not be used" in invoke("update", path)
    assert made(path)


def test_show_prints_the_file(path):
    assert "No baseline yet at baseline.json" in invoke("show", path)
    invoke("update", path)
    said = invoke("show", path)
    for words in ("private.onnx (onnx, sha256 ", "judged     1 model on", "score", "auc   "):
        assert words in said
    known = made(path).attacks["score"].metrics["auc"]
    assert f"[{known.low:.3f}, {known.high:.3f}]" in said
    assert "confidence 0.975" in said


def test_a_damaged_file_is_not_shown(path):
    (path.parent / "baseline.json").write_text("{}")
    assert "damaged" in invoke("show", path, code=2)


@pytest.mark.parametrize("command", ["update", "show"])
def test_a_configuration_without_a_file_has_nothing_to_update_or_show(path, command):
    rewrite(path, baseline={"model": "similar.onnx"})
    assert "is a model file" in invoke(command, path, code=2)
    rewrite(path, baseline=None, budgets=[{"metric": "auc", "max": 0.7}])
    assert "names no baseline" in invoke(command, path, code=2)


def test_a_file_that_git_ignores_is_told(tmp_path):
    path = project(tmp_path, budgets=STRICT, baseline=".privacy_gate/baseline.json")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert "git add --force" not in invoke("update", path)
    (tmp_path / ".privacy_gate" / ".gitignore").write_text("*\n")
    assert "git add --force" in invoke("update", path)


def test_show_needs_no_model_and_no_fixtures(path):
    invoke("update", path)
    text = path.read_text().replace("private.onnx", "absent.onnx")
    path.write_text(text.replace("fixtures: data", "fixtures: nowhere"))
    assert "score" in invoke("show", path)
    path.write_text(path.read_text().replace("nowhere", "data").replace("absent", "private"))
