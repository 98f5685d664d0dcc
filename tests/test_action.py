"""The action from end to end: its steps in real bash, a real repository, GitHub over real HTTP."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from action_project import ATTACKS, BUDGETS, ActionProject, leaky
from fake_github import FakeGitHub
from gate_project import bayes, colours, save_onnx, write_fixtures


@pytest.fixture
def project(tmp_path):
    with FakeGitHub() as github:
        yield ActionProject(tmp_path, github)


def final(project, run):
    """The report as the action published it."""
    return json.loads((project.workspace / run.outputs["report_json"]).read_text())


def verdict_line(run):
    *_, verdict = run.steps.values()
    return verdict.log.splitlines()[-1]


def edit_report(change):
    """What somebody does to the measured report before it is judged."""

    def edit(outputs):
        path = Path(outputs["reports"]) / "report.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return edit


# ----------------------------------------------------------------------------------------- verdicts


def test_a_model_that_passes(project):
    nothing_yet = {"reuse": "earlier-report/report.json"}
    run = project.run(comment="always", id="small", output="out/gate", sarif="true", **nothing_yet)
    assert run.outcome == "success", run.log
    assert verdict_line(run) == "privacy_gate: pass. Checks: 4 pass."
    assert (run.outputs["verdict"], run.outputs["complete"]) == ("pass", "true")
    assert run.outputs["worst_check"] in {check["id"] for check in final(project, run)["checks"]}
    assert 0 < float(run.outputs["worst_ratio"]) < 1
    assert run.outputs["changed"] == "true"
    assert "privacy-gate:small" in project.comment
    assert project.conclusions == ["success"]
    assert project.repository.check_runs[0]["name"] == "privacy_gate / small"
    assert "colours" in run.summary
    files = {path.name for path in (project.workspace / "out" / "gate").iterdir()}
    assert files == {"report.json", "report.md", "report.html", "report.sarif"}
    kept = run.used["actions/upload-artifact"].inputs
    assert (kept["name"], kept["path"]) == ("privacy-gate-report-small", "out/gate")
    uploaded = run.used["github/codeql-action/upload-sarif"].inputs
    assert uploaded["sarif_file"] == "out/gate/report.sarif"


def test_a_model_that_leaks(project):
    leaky(project.workspace)
    project.base()
    run = project.run()
    assert run.outcome == "failure"
    assert run.outputs["verdict"] == "fail"
    assert run.outputs["complete"] == "true"
    assert float(run.outputs["worst_ratio"]) > 1
    assert verdict_line(run).startswith("privacy_gate: fail. Checks: ")
    assert project.conclusions == ["failure"]
    assert "loss/auc" in project.comment


def test_records_that_cannot_decide(project):
    project.base(budgets=[{"metric": "auc", "max": 0.52}])
    run = project.run()
    assert run.outcome == "failure"
    assert run.outputs["verdict"] == "inconclusive"
    assert run.steps["publish"].outputs["code"] == "3"
    assert project.conclusions == ["failure"]
    assert verdict_line(run).startswith("privacy_gate: inconclusive.")


def test_a_configuration_that_is_broken(project):
    project.head(bugdets=BUDGETS)
    run = project.run()
    assert run.outcome == "failure"
    assert (run.outputs["verdict"], run.outputs["complete"]) == ("error", "false")
    assert project.conclusions == ["failure"]
    assert "bugdets" in project.comment
    assert verdict_line(run) == "privacy_gate: error. Checks: none has a verdict."


def test_an_installation_that_fails_leaves_no_verdict(project):
    run = project.run(comment="sometimes")
    assert run.outcome == "failure"
    assert (run.outputs["verdict"], run.outputs["complete"]) == ("error", "false")
    assert [step.outcome for step in run.steps.values()] == ["failure"] + ["skipped"] * 5
    assert project.github.requests == []


# ------------------------------------------------------------------------ terms of the base branch


def test_a_budget_that_the_pull_request_raises(project):
    project.head(budgets=[BUDGETS[0], {"metric": "auc", "max": 0.99}])
    run = project.run()
    assert run.steps["measure"].outputs["code"] == "0"
    assert run.outcome == "failure"
    assert run.outputs["verdict"] == "fail"
    assert "0.65" in project.comment
    assert "0.99" in project.comment
    budgets = {check["id"]: check["budget"] for check in final(project, run)["checks"]}
    assert budgets["loss/auc"] == 0.65
    assert project.conclusions == ["failure"]


def test_a_check_that_the_pull_request_drops(project):
    project.head(budgets=BUDGETS[:1])
    run = project.run()
    assert run.steps["measure"].outputs["code"] == "0"
    assert run.outcome == "failure"
    assert (run.outputs["verdict"], run.outputs["complete"]) == ("fail", "false")
    missing = [c for c in final(project, run)["checks"] if c["verdict"] == "not_run"]
    assert {check["id"] for check in missing} == {f"{attack}/auc" for attack in ATTACKS}


def test_fixtures_that_the_pull_request_exchanges(project):
    shutil.rmtree(project.workspace / "data")
    write_fixtures(project.workspace, members=colours(700, 5), nonmembers=colours(700, 6))
    project.head()
    run = project.run()
    assert run.steps["measure"].outputs["code"] == "0"
    assert run.outcome == "failure"
    assert run.outputs["verdict"] == "fail"
    assert "fixtures" in project.comment


def test_a_stricter_ref_than_the_base_branch(project):
    project.git("checkout", "-q", "-b", "strict")
    project.configure(budgets=[BUDGETS[0], {"metric": "auc", "max": 0.6}])
    project.commit()
    project.git("checkout", "-q", "topic")
    run = project.run(policy_ref="strict")
    assert run.outcome == "failure"
    assert "0.6" in project.comment
    assert {check["budget"] for check in final(project, run)["checks"]} == {0.2, 0.6}


def test_a_baseline_that_is_not_there_yet_is_a_normal_state(project):
    budgets = [BUDGETS[0], {"metric": "auc", "max": 0.65, "max_increase": 0.1}]
    project.base(budgets=budgets, baseline=".privacy_gate/baseline.json")
    run = project.run()
    assert run.outcome == "success", run.log
    assert (run.outputs["verdict"], run.outputs["complete"]) == ("pass", "true")
    assert "No baseline yet" in final(project, run)["baseline"]["message"]


def test_a_report_of_the_default_branch_is_repeated_until_the_model_changes(project):
    before = project.run(event="push")  # it has no base branch and no pull request
    assert (before.outcome, before.outputs["verdict"]) == ("success", "pass")
    assert project.repository.issue_comments == []
    (project.workspace / "earlier").mkdir()
    shutil.copy(before.outputs["report_json"], project.workspace / "earlier" / "report.json")
    run = project.run(reuse="earlier/report.json")
    assert run.outcome == "success", run.log
    assert (run.outputs["verdict"], run.outputs["complete"]) == ("pass", "true")
    assert final(project, run)["reused"]["commit"] == project.base_sha
    assert final(project, before)["reused"] is None
    weight, bias = bayes()
    save_onnx(project.workspace / "model.onnx", weight * 0.99, bias)
    run = project.run(reuse="earlier/report.json")
    assert run.outcome == "success", run.log
    assert final(project, run)["reused"] is None
    assert "not reused: the model differs" in run.log


# ------------------------------------------------------------------------- between run and report


def test_a_verdict_that_is_edited_by_hand(project):
    leaky(project.workspace)
    project.base()

    def forge(content):
        content["verdict"] = "pass"
        for check in content["checks"]:
            check["verdict"] = "pass"

    run = project.run(after={"measure": edit_report(forge)})
    assert run.outcome == "failure"
    assert run.outputs["verdict"] in ("fail", "error")
    assert project.conclusions == ["failure"]


def test_counts_that_are_edited_by_hand(project):
    """They then say pass, as those of another run do; but the run that was made did not."""
    harmless = project.run(comment="never", check_run="false")
    good = final(project, harmless)
    leaky(project.workspace)
    project.base()

    def forge(content):
        content.update({**good, "fixtures": content["fixtures"]})

    run = project.run(after={"measure": edit_report(forge)})
    assert run.steps["publish"].outputs["code"] == "0"
    assert run.outcome == "failure"
    assert "Measuring and judging ended differently" in run.log


def test_a_check_that_is_cut_out_of_the_report(project):
    def cut(content):
        content["checks"] = [c for c in content["checks"] if c["id"] != "loss/auc"]

    run = project.run(after={"measure": edit_report(cut)})
    assert run.outcome == "failure"
    assert run.outputs["complete"] == "false"


def test_a_report_that_disappears(project):
    project.add_config("second.yaml", "second")
    project.base()

    def lose(outputs):
        shutil.rmtree(Path(outputs["reports"]) / "second")

    run = project.run(config="privacy_gate.yaml\nsecond.yaml\n", after={"measure": lose})
    assert run.outcome == "failure"
    assert (run.outputs["verdict"], run.outputs["complete"]) == ("fail", "false")
    assert final(project, run)["missing"] == ["second"]
    assert "second" in project.comment


# ----------------------------------------------------------------------------------------- matrices


def test_a_matrix_is_reported_as_one_and_a_lost_model_fails(project, tmp_path):
    project.add_config("second.yaml", "second")
    project.base()
    jobs = {"first": "privacy_gate.yaml", "second": "second.yaml"}

    def measured(key, config):
        def keep(inputs):
            shutil.copytree(inputs["path"], tmp_path / "reports" / inputs["name"])
            return {}

        silent = {"id": key, "config": config, "comment": "never", "check_run": "false"}
        return project.run(stand_ins={"actions/upload-artifact": keep}, **silent)

    assert [measured(*job).outcome for job in jobs.items()] == ["success", "success"]
    together = {"config": "\n".join(jobs.values()), "reports": str(tmp_path / "reports")}
    run = project.report_matrix(**together)
    assert run.outcome == "success", run.log
    assert verdict_line(run) == "privacy_gate: pass. Checks: 8 pass."
    shutil.rmtree(tmp_path / "reports" / "privacy-gate-report-second")
    run = project.report_matrix(**together)
    assert run.outcome == "failure"
    assert run.outputs["verdict"] == "fail"
    assert project.conclusions == ["success", "failure"]
    assert "second" in project.comment


# --------------------------------------------------------------------------- what does not matter


def test_neither_a_refused_comment_nor_a_failed_upload_changes_the_verdict(project):
    def full(inputs):
        raise RuntimeError("the storage is full")

    project.github.fail("POST", "comments", 403, "Resource not accessible by integration")
    project.github.fail("POST", "check-runs", 403, "Resource not accessible by integration")
    uploads = ("actions/upload-artifact", "github/codeql-action/upload-sarif")
    run = project.run(comment="always", sarif="true", stand_ins=dict.fromkeys(uploads, full))
    assert run.outcome == "success"
    assert run.outputs["verdict"] == "pass"
    assert "pull-requests: write" in run.log
    assert [run.steps[f"step-{n}"].outcome for n in (3, 4)] == ["failure", "failure"]


# ------------------------------------------------------------------------- what the candidate sees

SPY = """
import json, os, pathlib, sys
print("::error::forged by the candidate")
print("::add-mask::a")
pathlib.Path(os.environ["SPY"]).write_text(json.dumps([dict(os.environ), sys.path]))

def plain(images):
    return images.astype("float32").transpose(0, 3, 1, 2) / 255
"""


def test_the_candidate_gets_no_token_and_no_voice(project, tmp_path):
    (project.workspace / "spy.py").write_text(SPY)
    (project.workspace / "yaml.py").write_text("raise SystemExit(0)\n")
    model = {
        "format": "onnx",
        "path": "model.onnx",
        "output": {"name": "logits", "kind": "logits"},
        "preprocess": "spy:plain",
    }
    project.base(model=model)
    secrets = {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t", "GH_TOKEN": "t", "KEPT": "yes"}
    run = project.run(environ={"SPY": str(tmp_path / "spy.json"), **secrets})
    assert run.outputs["verdict"] == "pass", run.log
    environ, path = json.loads((tmp_path / "spy.json").read_text())
    assert environ["KEPT"] == "yes"
    assert "token-of-the-job" not in environ.values()
    assert not {"GH_TOKEN", "GITHUB_TOKEN", "GITHUB_ENV", "GITHUB_OUTPUT"} & set(environ)
    assert not [name for name in environ if name.startswith(("ACTIONS_", "INPUT_"))]
    assert "" not in path
    assert "forged by the candidate" in run.log
    assert run.commands("error") == []
    assert len(run.commands("add-mask")) == 1  # ours, of the token


def test_a_value_that_looks_like_an_option_is_none(project):
    run = project.run(model="--device=cuda")
    assert run.outputs["verdict"] == "error"
    assert "--device=cuda" in "".join(run.log.split())  # a long path may be wrapped


def test_a_base_branch_that_cannot_be_read_is_an_error(project):
    project.github.fail("GET", "contents", 403, "Resource not accessible by integration")
    run = project.run()
    assert run.steps["measure"].outputs["code"] == "0"
    assert run.outcome == "failure"
    assert run.outputs["verdict"] == "error"
    assert "contents: read" in run.log


def test_what_was_measured_is_kept_where_it_could_not_be_judged(project):
    project.github.fail("GET", "pulls", 403, "Resource not accessible by integration")
    run = project.run(event="workflow_run")
    assert run.outcome == "failure"
    assert (run.outputs["verdict"], run.outputs["complete"]) == ("error", "false")
    assert "pull-requests: read" in run.log
    kept = Path(run.used["actions/upload-artifact"].inputs["path"])
    assert json.loads((kept / "measured" / "report.json").read_text())["name"] == "colours"
    assert "no report was published" in verdict_line(run)
