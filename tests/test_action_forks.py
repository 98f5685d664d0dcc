"""A pull request from a fork: measured without any right, then judged and posted by a job that
checks out nothing; both actions from end to end, with the artifact between them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from action_project import NAME, ActionProject, leaky
from fake_artifacts import WithArtifacts, storage, zipped, zipped_directory

NO_BACKENDS = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "onnxruntime", "onnx", "safetensors"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture
def project(tmp_path):
    with storage() as store, WithArtifacts(store, [], NAME) as github:
        yield ActionProject(tmp_path, github)


def measured(project, **options):
    """The run of measure.yml; its report becomes an artifact of run 77."""

    def keep(inputs):
        archive = zipped_directory(project.workspace / inputs["path"])
        project.github.artifacts.append((900, inputs["name"], archive))
        return {}

    stand_ins = {"actions/upload-artifact": keep}
    options = {"fork": True, "comment": "never", "check_run": "false", **options}
    return project.run(stand_ins=stand_ins, **options)


def test_a_fork_that_passes(project, tmp_path):
    """The reporting half needs neither the repository's files nor torch nor ONNX Runtime."""
    project.head()
    first = measured(project)
    assert first.outcome == "success"
    assert first.outputs["verdict"] == "pass"
    assert project.github.writes == []
    assert "colours" in first.summary

    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "sitecustomize.py").write_text(NO_BACKENDS)
    second = project.report(comment="always", environ={"PYTHONPATH": str(tmp_path / "blocked")})
    assert second.outcome == "success", second.log
    assert (second.outputs["verdict"], second.outputs["complete"]) == ("pass", "true")
    assert project.conclusions == ["success"]
    assert "colours" in project.comment
    assert list(project.elsewhere.iterdir()) == []
    assert second.used["actions/upload-artifact"].inputs["name"] == "judged-privacy-gate-report"


def test_a_comment_that_a_fork_may_not_write_changes_nothing(project):
    project.head()
    run = project.run(fork=True, comment="always")
    assert run.outcome == "success"
    assert run.outputs["verdict"] == "pass"
    assert project.repository.issue_comments == []
    assert project.conclusions == []
    assert "no comment" in run.log


def test_a_fork_that_fails_is_told_why(project):
    leaky(project.workspace)
    project.base()
    project.head()
    assert measured(project).outcome == "failure"
    run = project.report()
    assert run.outcome == "failure"
    assert run.outputs["verdict"] == "fail"
    assert project.conclusions == ["failure"]
    assert "loss/auc" in project.comment


def test_a_fork_that_raises_a_budget_and_sends_a_report_that_passes(project):
    """The report is complete, consistent and a pass by the terms it states; those are not the base
    branch's."""
    leaky(project.workspace)
    project.base(budgets=[{"metric": "auc", "max": 0.65}])
    project.head(budgets=[{"metric": "auc", "max": 0.99}])
    sent = []

    def take(outputs):
        sent.append((Path(outputs["reports"]) / "report.json").read_bytes())

    project.run(fork=True, comment="never", check_run="false", after={"measure": take})
    assert json.loads(sent[0])["verdict"] == "pass"
    archive = zipped([("report.json", sent[0])])
    project.github.artifacts.append((900, "privacy-gate-report", archive))
    run = project.report()
    assert run.outcome == "failure"
    assert run.outputs["verdict"] == "fail"
    assert project.conclusions == ["failure"]
    assert "0.65" in project.comment
    assert "0.99" in project.comment


def test_a_fork_without_a_report_has_to_be_approved(project):
    project.head()
    project.open_pull_request(fork=True)
    run = project.report(reports="none-yet")
    assert run.outcome == "failure"
    assert (run.outputs["verdict"], run.outputs["complete"]) == ("fail", "false")
    assert project.conclusions == ["action_required"]
    assert "approve" in project.comment


def test_a_merge_queue_gets_the_check_run_that_is_required(project):
    project.head()
    assert measured(project, fork=False, event="push").outcome == "success"
    run = project.report(event="merge_group")
    assert run.outcome == "success"
    assert project.conclusions == ["success"]
    assert project.repository.issue_comments == []


def test_private_fixtures_are_measured_on_the_default_branch_after_approval(project):
    """The root action where a stranger's commit is checked out and the event is workflow_run."""
    (project.workspace / ".git" / "info" / "exclude").write_text("private\n")
    shutil.move(project.workspace / "data", project.workspace / "private")
    project.base(fixtures="private")
    project.head()
    run = project.run(fork=True, event="workflow_run", comment="never", check_run="false")
    assert run.outcome == "success", run.log
    assert run.outputs["verdict"] == "pass"
    assert project.github.writes == []
    facts = json.loads(Path(run.outputs["report_json"]).read_text())["run"]
    assert (facts["commit"], facts["ref"]) == (project.head_sha, "topic")


def test_a_report_of_an_older_commit_is_not_posted(project):
    project.head()
    measured_sha, project.head_sha = project.head_sha, project.commit()
    project.open_pull_request(fork=True)
    run = project.report(head_sha=measured_sha)
    assert run.outcome == "failure"
    assert run.outputs["verdict"] == "error"
    assert project.github.writes == []
    assert "newer commit" in run.log


def test_an_artifact_that_cannot_be_fetched_is_a_missing_report(project):
    project.head()
    project.open_pull_request(fork=True)
    project.github.fail("GET", "artifacts", 403, "Resource not accessible by integration")
    run = project.report()
    assert run.outcome == "failure"
    assert run.outputs["verdict"] == "fail"
    assert "actions: read" in run.log
    assert "success" not in project.conclusions
