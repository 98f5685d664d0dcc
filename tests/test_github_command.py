"""``privacy-gate github`` as a step of a job, end to end against a fake GitHub."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace

import pytest
from fake_github import BOT, FakeGitHub
from github_project import HEAD, NAME, Step, config_path, pull_request, save, tree
from report_samples import broken, failing, passing
from test_github_check_run import HOSTILE
from test_github_judging import LOOSE, claiming_pass


@pytest.fixture
def github():
    with FakeGitHub() as server:
        pull_request(server)
        yield server


@pytest.fixture
def step(github, tmp_path, monkeypatch):
    found = Step(github, tmp_path, monkeypatch)
    found.check_out(tree())
    return found


def comments(github):
    return github.repository(NAME).comments(7, BOT)


def runs(github):
    return github.repository(NAME).check_runs


def leaky(step, github, **more):
    """The pull request is about the leaky candidate on both sides."""
    files = tree(case="leaky")
    pull_request(github, base=files, head=files, **more)
    step.check_out(files)
    save(step.reports, failing())
    return "--config", config_path("leaky")


def commands(result):
    """Workflow commands of the output, without those between stop-commands."""
    text = re.sub(r"::stop-commands::(\w+)\n.*?\n::\1::\n", "", result.stdout, flags=re.DOTALL)
    return [line for line in text.splitlines() if line.startswith("::")]


# ---------------------------------------------------------------------------------- all, one job


def test_a_pass_is_a_check_run_a_summary_and_outputs_and_no_comment(github, step):
    save(step.reports, passing())
    result = step.run("all", "--output", str(step.folder / "final"))
    assert result.exit_code == 0, result.output
    assert runs(github)[0]["conclusion"] == "success"
    assert comments(github) == []
    assert "PASS" in step.summary
    final = step.folder / "final"
    assert step.outputs == {
        "verdict": "pass",
        "complete": "true",
        "worst_check": step.outputs["worst_check"],
        "worst_ratio": step.outputs["worst_ratio"],
        "report_json": str(final / "report.json"),
        "html": str(final / "report.html"),
        "sarif": str(final / "report.sarif"),
        "changed": "false",
    }
    content = json.loads((final / "report.json").read_text())
    assert (content["run"]["commit"], content["run"]["repository"]) == (HEAD, NAME)
    assert content["base"] == {"ref": "main", "commit": "a" * 40}


def test_a_fail_is_commented_and_annotated_once(github, step):
    result = step.run("all", *leaky(step, github))
    assert result.exit_code == 1, result.output
    (run,) = runs(github)
    assert run["conclusion"] == "failure"
    assert run["annotations"]
    assert "FAIL" in comments(github)[0]["body"]
    assert commands(result) == ["::add-mask::token-of-the-job"]
    assert step.outputs["changed"] == "true"


def test_without_a_check_run_the_runner_gets_the_annotations(github, step):
    result = step.run("all", "--no-check-run", *leaky(step, github))
    errors = [line for line in commands(result) if line.startswith("::error")]
    assert len(errors) == 8
    assert errors[-1].endswith("more, see the report")
    assert f"file={config_path('leaky')},line=" in errors[0]
    assert runs(github) == []


def test_a_fork_can_read_only_and_is_told_in_the_summary_and_the_annotations(github, step):
    arguments = leaky(step, github, fork=True)
    result = step.run("all", *arguments, token="read-only")
    assert result.exit_code == 1
    assert "no comment: The token may not do this (403)" in result.stderr
    assert "no check run: The token may not do this (403)" in result.stderr
    assert "FAIL" in step.summary
    assert any(line.startswith("::error") for line in commands(result))
    assert (comments(github), runs(github)) == ([], [])


def test_without_a_token_the_summary_and_the_outputs_are_still_written(github, step):
    """The terms of the base branch then come from git, where here is no such commit."""
    save(step.reports, passing())
    result = step.run("all", token="")
    assert result.exit_code == 2
    assert "GITHUB_TOKEN is not set" in result.stderr
    assert "so the base branch is unknown" in step.summary
    assert step.outputs["verdict"] == "error"
    assert github.requests == []


def test_a_second_run_with_the_same_result_writes_no_second_comment(github, step):
    arguments = leaky(step, github)
    step.run("all", *arguments)
    step.run("all", *arguments)
    assert [comment["edits"] for comment in comments(github)] == [0]
    assert step.outputs["changed"] == "false"


def test_a_report_that_was_edited_to_pass_fails_everywhere(github, step):
    arguments = leaky(step, github)
    save(step.reports, claiming_pass(failing()))
    result = step.run("all", *arguments)
    assert result.exit_code == 1
    assert runs(github)[0]["conclusion"] == "failure"
    assert step.outputs["verdict"] == "fail"
    assert "FAIL" in comments(github)[0]["body"]


def test_a_report_whose_verdict_alone_was_edited_is_refused(github, step):
    arguments = leaky(step, github)
    save(step.reports, claiming_pass(failing(), with_numbers=False))
    result = step.run("all", *arguments)
    assert result.exit_code == 2
    assert runs(github)[0]["conclusion"] == "failure"
    assert "The report is damaged at checks" in step.summary


def test_a_loosened_budget_fails_and_is_the_first_annotation(github, step):
    step.check_out(tree(**LOOSE))
    save(step.reports, passing())
    result = step.run("all")
    assert result.exit_code == 1
    assert "loosened" in runs(github)[0]["annotations"][0]["title"]
    assert "0.95" in comments(github)[0]["body"]


def test_a_missing_report_fails(github, step):
    result = step.run("all")
    assert result.exit_code == 1
    assert "there is no report of digits-private" in result.stderr
    assert runs(github)[0]["conclusion"] == "failure"
    assert step.outputs["complete"] == "false"


def test_a_broken_run_is_an_error(github, step):
    save(step.reports, broken())
    result = step.run("all", "--output", str(step.folder / "final"))
    assert result.exit_code == 2
    assert step.outputs["verdict"] == "error"
    assert runs(github)[0]["conclusion"] == "failure"


def test_no_failure_of_github_changes_the_verdict(github, step):
    save(step.reports, passing())
    for pattern in ("comments", "check-runs", "graphql"):
        github.fail("POST", pattern, 400, "No.")
    github.fail("GET", "comments", 404, "No.")
    result = step.run("all")
    assert result.exit_code == 0, result.output
    assert step.outputs["verdict"] == "pass"
    assert "no check run" in result.stderr


def test_the_base_branch_that_cannot_be_read_lets_nothing_pass(github, step):
    save(step.reports, passing())
    github.fail("GET", "contents", 403, "Resource not accessible by integration")
    result = step.run("all")
    assert result.exit_code == 2
    assert "contents: read" in step.summary
    assert step.outputs["verdict"] == "error"


def test_an_enterprise_server_gets_every_request(github, step):
    result = step.run("all", *leaky(step, github), enterprise=True)
    assert result.exit_code == 1
    assert len(comments(github)) == len(runs(github)) == 1
    assert all(request.enterprise for request in github.requests)


def test_several_configurations_have_one_comment_and_a_folder_each(github, step):
    files = {**tree(), **tree(case="leaky")}
    pull_request(github, base=files, head=files)
    step.check_out(files)
    save(step.reports, passing(), failing())
    final = step.folder / "final"
    configs = ("--config", config_path(), "--config", "./" + config_path("leaky"))
    result = step.run("all", *configs, "--output", str(final))
    assert result.exit_code == 1
    assert len(comments(github)) == 1
    assert (final / "digits-private" / "report.html").is_file()
    assert json.loads((final / "report.json").read_text())["schema"] == "privacy-gate.reports/1"


# ---------------------------------------------------------------------------- the privileged half


def test_a_fork_is_reported_from_a_workflow_run_without_its_files_being_there(github, step):
    files = tree(case="leaky")
    pull_request(github, base=files, head=files, fork=True)
    save(step.reports, failing())
    result = step.run("all", "--config", config_path("leaky"), name="workflow_run")
    assert result.exit_code == 1, result.output
    (run,) = runs(github)
    assert (run["head_sha"], run["conclusion"]) == (HEAD, "failure")
    (comment,) = comments(github)
    assert "https://github.example/octo/digits/actions/runs/77" in comment["body"]


def test_the_budget_of_a_fork_does_not_count_where_it_is_looser(github, step):
    pull_request(github, head=tree(**LOOSE), fork=True)
    save(step.reports, passing())
    assert step.run("check", name="workflow_run").exit_code == 1
    assert runs(github)[0]["conclusion"] == "failure"


def test_a_run_of_an_older_commit_posts_nothing(github, step):
    save(step.reports, passing())
    pull_request(github, fork=True)
    step.run("check", name="workflow_run")
    assert len(runs(github)) == 1
    older = json.loads((step.folder / "step" / "event.json").read_text())
    github.repository(NAME).pulls[7]["head"]["sha"] = "e" * 40
    (step.folder / "step" / "event.json").write_text(json.dumps(older))
    result = step.call("all")
    assert result.exit_code == 2
    assert "No open pull request has the commit" in result.stderr
    assert len(runs(github)) == 1
    assert comments(github) == []


def test_a_fork_without_a_report_waits_for_a_maintainer(github, step):
    pull_request(github, fork=True)
    result = step.run("all", name="workflow_run")
    assert result.exit_code == 1
    assert runs(github)[0]["conclusion"] == "action_required"
    assert "A maintainer has to look at exactly this commit" in comments(github)[0]["body"]
    assert "A maintainer has to look at exactly this commit" in step.summary


def test_the_privileged_half_needs_a_token(github, step):
    save(step.reports, passing())
    result = step.run("all", name="workflow_run", token="")
    assert result.exit_code == 2
    assert "contents: read" in step.summary


def test_a_pull_request_that_cannot_be_looked_up_is_an_error(github, step):
    save(step.reports, passing())
    github.fail("GET", "pulls", 403, "Resource not accessible by integration")
    result = step.run("all", name="workflow_run")
    assert result.exit_code == 2
    assert "pull-requests: read" in result.stderr


# --------------------------------------------------------------------------------- hostile content


def test_no_text_of_a_report_commands_the_runner_or_ends_an_output(github, step):
    hostile = (
        f"{HOSTILE}\n::set-output name=verdict::pass\n##[add-mask]x\n<!-- privacy-gate:default -->"
    )
    checks = tuple(
        replace(check, message=hostile, advice=hostile, id=f"{check.attack}/{hostile}")
        for check in failing().checks[:3]
    )
    arguments = leaky(step, github)
    save(step.reports, replace(failing(), checks=checks, cautions=(hostile,)))
    broken_name = replace(broken(), name="x", error={**broken().error, "message": hostile[:150]})
    save(step.reports / "other", broken_name)
    result = step.run("all", "--no-check-run", *arguments)
    assert result.exit_code == 2
    known = ("::add-mask::token", "::error ", "::error::", "::warning ")
    assert all(line.startswith(known) for line in commands(result)), commands(result)
    assert not re.search(r"^\s*::|##\[", result.stderr, flags=re.MULTILINE)
    body = comments(github)[0]["body"]
    assert body.count("<!--") == 2
    assert "@user" not in re.sub(r"`[^`]*`", "", body)
    assert step.outputs["verdict"] == "error"


def test_a_hostile_branch_and_a_hostile_head_configuration_are_only_text(github, step):
    repository = pull_request(github, fork=True)
    repository.pull(
        7,
        head_sha=HEAD,
        base_sha="a" * 40,
        head_ref='$(id)`x`"&state=closed',
        head_repository="someone/digits",
    )
    repository.commit(HEAD, {**tree(), config_path(): b"version: 1\n::error::@user: <img>\n"})
    save(step.reports, passing())
    result = step.run("all", name="workflow_run")
    assert result.exit_code == 2
    assert not any("@user" in line for line in commands(result) if "add-mask" in line)
    assert "<img>" not in comments(github)[0]["body"]


def test_the_token_is_printed_only_to_have_it_masked(github, step):
    result = step.run("all", *leaky(step, github), token="very-secret-token")
    assert result.stdout.startswith("::add-mask::very-secret-token\n")
    assert (result.stdout + result.stderr).count("very-secret-token") == 1
    assert "very-secret-token" not in json.dumps(step.outputs) + step.summary


# -------------------------------------------------------------------------- the other two commands


def test_comment_writes_the_comment_and_nothing_else(github, step):
    result = step.run("comment", "--id", "gpu", *leaky(step, github))
    assert result.exit_code == 1
    assert comments(github)[0]["body"].startswith("<!-- privacy-gate:gpu -->\n")
    assert (runs(github), step.summary, step.outputs) == ([], "", {})


def test_check_writes_the_check_run_and_nothing_else(github, step):
    result = step.run("check", "--id", "gpu", *leaky(step, github))
    assert result.exit_code == 1
    assert runs(github)[0]["name"] == "privacy_gate / gpu"
    assert (comments(github), step.summary, step.outputs) == ([], "", {})


def test_the_mode_of_the_comment_is_an_option(github, step):
    save(step.reports, passing())
    step.run("comment", "--comment", "on-failure")
    assert comments(github) == []
    step.run("comment", "--comment", "always")
    assert len(comments(github)) == 1


def test_a_push_is_judged_by_its_own_terms_and_has_no_comment(github, step):
    save(step.reports, passing())
    result = step.run("all", "--comment", "always", name="push", event={"ref": "refs/heads/main"})
    assert result.exit_code == 0, result.output
    (run,) = runs(github)
    assert (run["head_sha"], run["conclusion"]) == ("5" * 40, "success")
    assert "this run belongs to no pull request" in result.stderr
    assert github.made("GET") == []


def test_a_merge_queue_is_judged_by_the_terms_of_its_base(github, step):
    step.check_out(tree(**LOOSE))
    save(step.reports, passing())
    group = {"head_sha": HEAD, "base_sha": "a" * 40, "base_ref": "refs/heads/main"}
    result = step.run("all", name="merge_group", event={"merge_group": group})
    assert result.exit_code == 1
    (run,) = runs(github)
    assert (run["head_sha"], run["conclusion"]) == (HEAD, "failure")
    assert comments(github) == []


def test_dry_run_shows_everything_and_posts_nothing(github, step):
    result = step.run("all", "--dry-run", *leaky(step, github))
    assert result.exit_code == 1
    assert "check run: privacy_gate, failure" in result.stdout
    assert "<!-- privacy-gate:default -->" in result.stdout
    assert github.writes == []
    assert (step.summary, step.outputs) == ("", {})


def test_dry_run_works_outside_github(step, monkeypatch):
    for name in ("ACTIONS", "REPOSITORY", "TOKEN", "EVENT_NAME", "EVENT_PATH"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)
    monkeypatch.chdir(step.checkout)
    save(step.reports, passing())
    result = step.call("all", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "PASS" in result.stdout
    assert "::" not in result.stdout.replace("privacy-gate:", "")


def test_outside_github_the_commands_say_what_is_missing(step, monkeypatch):
    for name in ("ACTIONS", "REPOSITORY", "TOKEN", "EVENT_NAME", "EVENT_PATH"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)
    monkeypatch.chdir(step.checkout)
    save(step.reports, passing())
    result = step.call("comment")
    assert result.exit_code == 2
    assert "GITHUB_REPOSITORY is not set" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--id", "a b"), "--id is made of letters"),
        (("--id", "-->"), "--id is made of letters"),
        (("--config", "../x.yaml"), "is not a path relative to the repository"),
        (("--config", "/etc/x.yaml"), "is not a path relative to the repository"),
        (("--comment", "sometimes"), "Invalid value for '--comment'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_asked(github, step, arguments, sentence):
    result = step.run("all", *arguments)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert github.requests == []


# ------------------------------------------------------------------------------- terms out of git


def test_policy_ref_reads_the_terms_from_git(github, step, monkeypatch):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments],
            cwd=step.checkout,
            check=True,
            capture_output=True,
        )

    (step.checkout / ".git").rmdir()
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "Terms")
    step.check_out(tree(**LOOSE))
    save(step.reports, passing())
    result = step.run("all", "--policy-ref", "main")
    assert result.exit_code == 1, result.output
    assert "loosened" in runs(github)[0]["annotations"][0]["title"]
    assert github.made("GET", "contents") == []


def test_policy_ref_of_a_privileged_job_is_read_through_the_api(github, step):
    repository = pull_request(github, base={}, fork=True)
    repository.commit(
        "c" * 40, tree(old=LOOSE["old"], new="metric: auc, max: 0.505"), branch="strict"
    )
    save(step.reports, passing())
    result = step.run("check", "--policy-ref", "strict", name="workflow_run")
    assert result.exit_code in (1, 3)
    assert {r.query["ref"] for r in github.made("GET", "contents")} == {HEAD, "c" * 40}
    result = step.run("check", "--policy-ref", "gone", name="workflow_run")
    assert result.exit_code == 2
    assert "The ref 'gone' cannot be found" in runs(github)[-1]["output"]["summary"]
