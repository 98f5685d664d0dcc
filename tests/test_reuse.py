"""``privacy-gate run --reuse``: an earlier pass instead of a run, where nothing has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from gate_project import onnx_project, save_onnx, write_config, write_fixtures

from privacy_gate.cli import main
from privacy_gate.config import load_config
from privacy_gate.config.code import code_sha256
from privacy_gate.faces import rendered
from privacy_gate.report.parse import read_untrusted

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CODE = "import {helper}\n\n\ndef ready(images):\n    return {helper}.scaled(images)\n"
HELPER = "def scaled(x):\n    return x.astype('float32').transpose(0, 3, 1, 2) / 255\n"
GIT = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")
NOWHERE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
POLICY = {"version": 1, "owner": "privacy-office@example.org"}


@pytest.fixture(scope="module")
def passed(tmp_path_factory):
    """A project with code, policy and fixtures, and its passing report of the default branch."""
    folder = tmp_path_factory.mktemp("passed")
    names = ("reused_code", "reused_helper")
    (folder / "reused_code.py").write_text(CODE.format(helper="reused_helper"))
    (folder / "reused_helper.py").write_text(HELPER)
    (folder / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    onnx_project(
        folder,
        attacks=["loss", "margin"],
        policy="policy.yaml",
        model={"preprocess": f"{names[0]}:ready"},
    )
    with pytest.MonkeyPatch.context() as patch:
        on_branch(patch, folder, "refs/heads/main")
        invoke("run", "--json", "earlier.json")
    return folder


@pytest.fixture
def project(passed, tmp_path, monkeypatch):
    """A copy of it as the working directory of a pull request, in which no model is opened."""
    shutil.copytree(passed, tmp_path, dirs_exist_ok=True)
    on_branch(monkeypatch, tmp_path, "refs/pull/7/merge", commit="f" * 40)
    monkeypatch.setattr(
        "privacy_gate.faces.run_prepared", lambda prepared, progress: prepared.without_verdict("x")
    )
    return tmp_path


def on_branch(patch, folder, ref, commit=COMMIT):
    for name in ("CONFIG", "MODEL", "FIXTURES", "DEVICE", "ROOTS", "KEY", "DEBUG", "POLICY_REF"):
        patch.delenv(f"PRIVACY_GATE_{name}", raising=False)
    event = folder / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "main"}}))
    patch.setenv("GITHUB_EVENT_PATH", str(event))
    patch.setenv("GITHUB_REF", ref)
    patch.setenv("GITHUB_SHA", commit)
    patch.setenv("GITHUB_REPOSITORY", "octo-org/colours")
    patch.setenv("GITHUB_SERVER_URL", "https://github.com")
    patch.setenv("GITHUB_RUN_ID", "42")
    patch.chdir(folder)


def invoke(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def ran(*arguments):
    """What was said by a run that did not reuse the report."""
    result = invoke("run", "--reuse", "earlier.json", *arguments, code=3)
    assert "reused from" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if "reused" in line]
    return line


def edit(change, path="earlier.json"):
    content = json.loads(Path(path).read_text())
    change(content)
    Path(path).write_text(json.dumps(content))


def test_nothing_has_changed(project, passed):
    result = invoke("run", "--reuse", "earlier.json", "--json", "again.json")
    assert f"colours: reused from commit {COMMIT[:12]}" in result.stderr
    earlier, again = (json.loads(Path(f"{name}.json").read_text()) for name in ("earlier", "again"))
    assert {key for key in again if again[key] != earlier[key]} == {"run", "reused"}
    assert again["run"]["commit"] == "f" * 40
    assert again["reused"] == {
        "commit": COMMIT,
        "run_url": "https://github.com/octo-org/colours/actions/runs/42",
        "finished": earlier["run"]["finished"],
        "reason": again["reused"]["reason"],
    }
    assert "default branch" in again["reused"]["reason"]
    (report,) = read_untrusted(Path("again.json").read_text())
    for form in ("terminal", "markdown", "html"):
        assert COMMIT[:7] in rendered(report, form), form


def test_a_repeated_report_names_the_first_run(project, monkeypatch):
    on_branch(monkeypatch, project, "refs/heads/main", commit="e" * 40)
    invoke("run", "--reuse", "earlier.json", "--json", "second.json")
    on_branch(monkeypatch, project, "refs/pull/8/merge", commit="f" * 40)
    invoke("run", "--reuse", "second.json", "--json", "third.json")
    assert json.loads(Path("third.json").read_text())["reused"]["commit"] == COMMIT


def test_of_several_reports_that_of_the_name_is_taken(project):
    content = json.loads(Path("earlier.json").read_text())
    several = {"schema": "privacy-gate.reports/1", "missing": [], "reports": [content]}
    several["reports"].append({**content, "name": "other"})
    Path("earlier.json").write_text(json.dumps(several))
    assert "reused from" in invoke("run", "--reuse", "earlier.json").stderr
    several["reports"].append(content)
    Path("earlier.json").write_text(json.dumps(several))
    assert "have 2 of this name" in ran()


# -------------------------------------------------------------------------------- what has changed


def another_model(folder):
    save_onnx(folder / "model.onnx", bias=[0.0, 0.0, 0.0, 0.1])


def other_fixtures(folder):
    shutil.rmtree(folder / "data")
    write_fixtures(folder, provenance="elsewhere")


def append(name, text):
    return lambda folder: (folder / name).write_text((folder / name).read_text() + text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (another_model, "the model differs"),
        (other_fixtures, "the fixtures differ"),
        (append("privacy_gate.yaml", "# more\n"), "the configuration, the code"),
        (append("policy.yaml", "# more\n"), "the policy differs"),
        (append("reused_code.py", "# more\n"), "the configuration, the code"),
        (append("reused_helper.py", "# more\n"), "the configuration, the code"),
    ],
)
def test_a_change_of_what_the_verdict_rests_on_means_a_run(project, change, words):
    change(project)
    assert words in ran()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(name="other"), "have 0 of this name"),
        (lambda c: c["run"].update(ref="refs/pull/3/merge"), "not of the default branch"),
        (lambda c: c["run"].update(ref="refs/heads/other"), "not of the default branch"),
        (lambda c: c["run"].update(ref="refs/tags/main"), "not of the default branch"),
        (lambda c: c["run"].update(ref=None), "not of the default branch"),
        (lambda c: c["run"].update(repository="fork/colours"), "another repository"),
        (lambda c: c["run"].update(tool_version="0.0.1"), "another version of the tool"),
        (lambda c: c["config"].pop("code_sha256"), "the configuration, the code"),
        (lambda c: c["config"].update(path="other.yaml"), "the configuration, the code"),
        (lambda c: c.update(verdict="inconclusive", complete=False), "not a complete pass"),
        (lambda c: c.update(verdict="fail"), "not a complete pass"),
        (lambda c: c["checks"].pop(), "not a complete pass"),
        (
            lambda c: c["checks"][0]["counts"].update(at_or_above_k_lo=0, true_positives=0),
            "not a complete pass",
        ),
        (lambda c: c.update(schema="privacy-gate.report/2"), "nothing is reused"),
        (lambda c: c["checks"][0].update(high=0.99), "nothing is reused"),
    ],
)
def test_a_report_that_is_not_such_a_pass_means_a_run(project, change, words):
    edit(change)
    assert words in ran()


def test_other_options_mean_a_run(project):
    assert "other options" in ran("--device", "cpu")


def test_the_default_branch_has_to_be_known(project, monkeypatch):
    monkeypatch.delenv("GITHUB_EVENT_PATH")
    assert "give --default-branch" in ran()
    assert "not of the default branch" in ran("--default-branch", "trunk")
    arguments = ("run", "--reuse", "earlier.json", "--default-branch", "main")
    assert "reused from" in invoke(*arguments).stderr


def test_no_report_yet_is_a_normal_state(project):
    Path("earlier.json").unlink()
    assert "nothing is reused" in ran()
    Path("earlier.json").write_text("{")
    assert "is not JSON" in ran()


def test_terms_that_differ_from_those_of_the_base_branch_mean_a_run(project):
    config = yaml.safe_load(Path("privacy_gate.yaml").read_text())
    write_config(project, **{**config, "budgets": [{"metric": "auc", "max": 0.6}]})
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "base"]):
        subprocess.run(["git", *GIT, *command], check=True, env={**os.environ, **NOWHERE})
    write_config(project, **config)
    arguments = ("run", "--reuse", "earlier.json", "--policy-ref", "HEAD")
    assert "the terms differ" in invoke(*arguments, code=1).stderr


def test_a_budget_that_the_earlier_numbers_exceed_means_a_run(project):
    config = yaml.safe_load(Path("privacy_gate.yaml").read_text())
    write_config(project, **{**config, "budgets": [{"metric": "auc", "max": 0.501}]})
    edit(lambda c: c["config"].update(load_facts(project)))
    assert "not a complete pass by the present terms" in ran()


def load_facts(folder):
    config = load_config(folder / "privacy_gate.yaml")
    code = code_sha256(config.settings, config.python_path)
    return {"sha256": config.sha256, "code_sha256": code}


def test_a_damaged_model_is_an_error(project):
    (project / "model.onnx").unlink()
    invoke("run", "--reuse", "earlier.json", code=2)


def test_fixtures_are_verified_even_so(project):
    with (project / "data" / "members.npz").open("ab") as file:
        file.write(b"x")
    result = invoke("run", "--reuse", "earlier.json", code=2)
    assert "reused from" not in result.stderr


# ------------------------------------------------------------------------------- the code's digest


def digest(folder, **changes):
    settings = load_config(write_config(folder, **changes)).settings
    return code_sha256(settings, (folder,))


def test_the_digest_covers_packages_and_what_they_import(tmp_path):
    package = tmp_path / "own_package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "deep.py").write_text("def f(x):\n    return x\n")
    (tmp_path / "own_other.py").write_text("VALUE = 1\n")
    (package / "code.py").write_text(
        "from own_other import VALUE\n\n\ndef ready(x):\n    return x\n"
    )
    model = {"preprocess": "own_package.code:ready"}
    before = digest(tmp_path, model=model)
    assert digest(tmp_path, model=model) == before
    seen = {before}
    for path in (package / "inner" / "deep.py", tmp_path / "own_other.py", package / "__init__.py"):
        path.write_text(path.read_text() + "# more\n")
        seen.add(digest(tmp_path, model=model))
    (package / "new.py").write_text("")
    seen.add(digest(tmp_path, model=model))
    (package / "new.py").rename(package / "renamed.py")
    seen.add(digest(tmp_path, model=model))
    assert len(seen) == 6
    (tmp_path / "unrelated.py").write_text("")
    (package / "notes.txt").write_text("")
    (package / "broken.py").write_text("def (\n")
    last = digest(tmp_path, model=model)
    assert last not in seen
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "broken.pyc").write_text("")
    assert digest(tmp_path, model=model) == last


def test_the_digest_covers_functions_of_installed_packages_and_absent_ones(tmp_path):
    found = {
        digest(tmp_path, model={"preprocess": target})
        for target in ("json:loads", "yaml:safe_load", "absent_module:f", "other_absent:f")
    }
    assert len(found | {digest(tmp_path)}) == 5
