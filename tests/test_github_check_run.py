"""The check run on the judged commit and its annotations, through real PyGithub."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_github import FakeGitHub
from github_project import HEAD, connected, job_of, pull_request
from report_samples import (
    ALL,
    broken,
    compared,
    failing,
    inconclusive,
    loosened,
    passing,
    waived,
)

from privacy_gate.domain import ReportSet
from privacy_gate.github import check_run
from privacy_gate.github.annotations import annotate
from privacy_gate.github.publish import Wanted, post_check_run

CONFIG = "gate/privacy_gate.yaml"
HOSTILE = "a::b,c%0A\r\n::error::x\u202e\x1b[31m\U0001f600 | <b> @user #1 `"


@pytest.fixture
def github():
    with FakeGitHub() as server:
        pull_request(server)
        yield server


@pytest.fixture
def wrote(github, tmp_path):
    """Write a check run as the command does; returns whether it was, and what was said."""

    def write(*reports, missing=(), identifier="", event="pull_request", **more):
        found, lines = ReportSet(tuple(reports), tuple(missing)), []
        client = connected(github, tmp_path, name=event, **more)
        done = post_check_run(
            client,
            job_of(github, tmp_path, event, **more),
            found,
            annotate(found, {report.name: CONFIG for report in reports}),
            Wanted(None, check_run=True, identifier=identifier),
            lines.append,
        )
        return done, " ".join(lines)

    return write


def runs(github):
    return github.repository("octo/digits").check_runs


def with_failures(count):
    """A report with so many failed checks."""
    failed = next(check for check in failing().checks if check.verdict == "fail")
    checks = tuple(
        replace(failed, id=f"loss/auc-{number:03}", low=0.7 + number / 1000)
        for number in range(count)
    )
    return replace(failing(), checks=checks)


def tolerated(report):
    return replace(report, tolerated=True)


# -------------------------------------------------------------------------------------- conclusion


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (passing, "success"),
        (compared, "success"),
        (failing, "failure"),
        (inconclusive, "failure"),
        (lambda: tolerated(inconclusive()), "neutral"),
        (waived, "neutral"),
        (broken, "failure"),
        (loosened, "failure"),
        (lambda: replace(passing(), complete=False), "failure"),
        (lambda: replace(waived(), complete=False), "failure"),
    ],
)
def test_only_a_complete_pass_is_a_success(github, wrote, report, expected):
    assert wrote(report())[0]
    (run,) = runs(github)
    assert run["conclusion"] == expected
    assert (run["name"], run["head_sha"], run["status"]) == ("privacy_gate", HEAD, "completed")
    assert run["details_url"].endswith("/actions/runs/42")


def test_a_missing_report_is_a_failure_beside_a_pass(github, wrote):
    wrote(passing(), missing=["resnet"])
    (run,) = runs(github)
    assert run["conclusion"] == "failure"
    assert "1 missing" in run["output"]["title"]
    assert "resnet" in run["output"]["summary"]
    assert [one["title"] for one in run["annotations"]] == ["resnet: no report"]


def test_a_fork_without_any_report_needs_a_maintainer_and_is_told_why(github, wrote):
    pull_request(github, fork=True)
    wrote(missing=["digits-private"])
    (run,) = runs(github)
    assert run["conclusion"] == "action_required"
    assert run["output"]["title"] == "A maintainer has to approve the run for this fork"
    assert run["output"]["summary"].startswith("No report came from this pull request of a fork.")


def test_a_fork_with_a_report_is_judged_like_any_other(github, wrote):
    pull_request(github, fork=True)
    wrote(failing())
    wrote(passing(), missing=["resnet"])
    assert [run["conclusion"] for run in runs(github)] == ["failure", "failure"]


def test_without_a_report_a_branch_of_the_repository_fails(github, wrote):
    wrote(missing=["digits-private"])
    assert runs(github)[0]["conclusion"] == "failure"


def test_the_name_tells_several_gates_apart(github, wrote):
    wrote(passing(), identifier="resnet")
    assert runs(github)[0]["name"] == "privacy_gate / resnet"


@pytest.mark.parametrize("sample", ALL)
def test_the_title_begins_with_the_verdict(github, wrote, sample):
    wrote(sample())
    title = runs(github)[0]["output"]["title"]
    assert title.lower().startswith(sample().verdict)
    assert len(title) <= 200


# ------------------------------------------------------------------------------------- annotations


def test_more_than_fifty_annotations_are_sent_in_batches(github, wrote):
    done, said = wrote(with_failures(120))
    assert (done, said.split(":")[0]) == (True, "check run written")
    (run,) = runs(github)
    assert len(run["annotations"]) == 120
    sent = [r for r in github.requests if "check-runs" in r.path]
    assert [r.method for r in sent] == ["POST", "PATCH", "PATCH"]
    assert [len(r.body["output"]["annotations"]) for r in sent] == [50, 50, 20]
    assert run["annotations"][0]["title"].endswith("loss/auc-119 fail"), "the worst comes first"
    assert run["conclusion"] == "failure"


def test_each_check_that_did_not_pass_has_one_on_the_line_of_its_budget(github, wrote):
    wrote(failing())
    (run,) = runs(github)
    wrong = [check for check in failing().checks if check.verdict != "pass"]
    assert len(run["annotations"]) == len(wrong) > 0
    lines = {one["title"].split(": ")[1].split(" ")[0]: one for one in run["annotations"]}
    for check in wrong:
        one = lines[check.id]
        assert (one["path"], one["start_line"], one["end_line"]) == (CONFIG, check.line, check.line)
        assert one["annotation_level"] == "failure"
        assert check.message in one["message"]


def test_a_budget_of_the_policy_is_annotated_there():
    check = replace(failing().checks[0], path="policies/privacy.yaml", line=7)
    (one,) = annotate(ReportSet((replace(failing(), checks=(check,)),)), {})
    assert (one.path, one.line) == ("policies/privacy.yaml", 7)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.yaml", "a/../../b", "C:\\x", ""])
def test_a_path_outside_the_repository_becomes_the_configuration(path):
    check = replace(failing().checks[0], path=path, line=None)
    report = replace(failing(), checks=(check,), config={"path": path})
    (one,) = annotate(ReportSet((report,)), {report.name: CONFIG})
    assert (one.path, one.line) == (CONFIG, 1)
    (one,) = annotate(ReportSet((report,)), {})
    assert one.path == "privacy_gate.yaml"


def test_what_is_tolerated_is_a_warning_and_stands_behind_the_failures():
    undecided = [check for check in inconclusive().checks if check.verdict == "inconclusive"]
    levels = [one.level for one in annotate(ReportSet((tolerated(inconclusive()),)), {})]
    assert levels == ["warning"] * len(undecided)
    assert {one.level for one in annotate(ReportSet((inconclusive(),)), {})} == {"failure"}
    assert [one.level for one in annotate(ReportSet((waived(),)), {})] == ["warning"]
    both = annotate(ReportSet((waived(), with_failures(2))), {})
    assert [one.level for one in both] == ["failure", "failure", "warning"]


def test_an_error_is_annotated_where_it_is():
    (one,) = annotate(ReportSet((broken(),)), {"digits": CONFIG})
    assert (one.path, one.line, one.title) == ("privacy_gate.yaml", 5, "digits: error")
    assert "safetensors" in one.message


def test_a_blocking_change_is_annotated_and_comes_before_the_checks():
    found = annotate(ReportSet((loosened(),)), {loosened().name: CONFIG})
    titles = [one.title.partition(": ")[2] for one in found]
    assert titles == ["budgets: loss/auc loosened", "budgets: margin/auc dropped"]
    assert [(one.path, one.line) for one in found] == [(CONFIG, 17), (CONFIG, 1)]


def test_hostile_text_is_one_plain_line(github, wrote):
    check = replace(failing().checks[0], id=HOSTILE * 20, message=HOSTILE * 900, path=HOSTILE)
    done, said = wrote(replace(failing(), name=HOSTILE, checks=(check,)))
    assert done, said
    (one,) = runs(github)[0]["annotations"]
    for text in (one["title"], one["message"], one["path"]):
        assert not set(text) & set("\r\n\u202e\x1b\U0001f600")
    assert len(one["title"]) <= 200
    assert len(one["message"]) <= 4000


# ---------------------------------------------------------------------------------------- failures


def test_a_token_that_may_not_write_is_a_notice_that_names_the_permission(github, wrote):
    done, said = wrote(failing(), token="read-only")
    assert not done
    assert said.startswith("no check run: The token may not do this (403).")
    assert "checks: write" in said


def test_a_summary_that_is_too_long_is_shortened(github, wrote, monkeypatch):
    monkeypatch.setattr("fake_github.LONGEST_OUTPUT", 25_000)
    many = [replace(failing(), name=f"model-{number}") for number in range(12)]
    assert wrote(*many)[0]
    assert [request.status for request in github.made("POST", "check-runs")] == [422, 201]


def test_a_summary_that_is_always_too_long_is_a_notice(github, wrote, monkeypatch):
    monkeypatch.setattr("fake_github.LONGEST_OUTPUT", 10)
    done, said = wrote(failing())
    assert (done, said) == (False, "no check run: GitHub refused the content (422).")


def test_annotations_that_get_lost_on_the_way_are_said_and_the_conclusion_stands(github, wrote):
    github.fail("PATCH", "check-runs", 502)
    done, said = wrote(with_failures(120))
    assert done
    assert "50 of 120 annotations" in said
    (run,) = runs(github)
    assert (run["conclusion"], len(run["annotations"])) == ("failure", 50)


def test_a_commit_that_is_unknown_gets_none(github, tmp_path):
    job = replace(job_of(github, tmp_path), head_sha=None)
    with pytest.raises(Exception, match="The commit to write a check run for is unknown"):
        check_run.write(connected(github, tmp_path), job, ReportSet((passing(),)), (), "")
    assert github.requests == []
