"""The one comment on a pull request, through real PyGithub against a fake GitHub."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from fake_github import BOT, LONGEST_BODY, FakeGitHub
from github_project import connected, job_of, pull_request
from hypothesis import given
from hypothesis import strategies as st
from report_samples import ALL, compared, failing, inconclusive, loosened, passing, waived

from privacy_gate.domain import ReportSet
from privacy_gate.github import comment as module
from privacy_gate.github.comment import Comment, post
from privacy_gate.github.publish import Wanted, post_comment

FIRST = re.compile(r"<!-- privacy-gate:default -->\n<!-- sha256:[0-9a-f]{64} -->\n")


@pytest.fixture
def github():
    with FakeGitHub() as server:
        pull_request(server)
        yield server


@pytest.fixture
def written(github, tmp_path):
    """Post reports and return what became of the comment."""

    def write(*reports, mode="on-change", identifier="", note="", missing=(), **more):
        found = ReportSet(tuple(reports), tuple(missing))
        client, job = connected(github, tmp_path, **more), job_of(github, tmp_path, **more)
        return post(client, job, Comment(found, mode, identifier, note))

    return write


@pytest.fixture
def said(github, tmp_path):
    """Post reports as the command does; returns what it said and whether the result is new."""

    def write(*reports, mode="always", **more):
        lines = []
        client, job = connected(github, tmp_path, **more), job_of(github, tmp_path, **more)
        wanted = Wanted(mode, check_run=False)
        changed = post_comment(client, job, ReportSet(tuple(reports)), wanted, lines.append)
        return " ".join(lines), changed

    return write


def comments(github, author=BOT):
    return github.repository("octo/digits").comments(7, author)


def edited(report):
    """The same run with another result."""
    first, *rest = report.checks
    return replace(report, checks=(replace(first, estimate=0.123), *rest))


# ------------------------------------------------------------------------------ written and edited


def test_the_first_comment_is_written(github, written):
    posted = written(failing())
    (comment,) = comments(github)
    assert FIRST.match(comment["body"])
    assert "FAIL" in comment["body"]
    assert "bbbbbbbbbbbb" in comment["body"]
    assert posted.changed
    assert posted.words == (
        "comment written: https://github.example/octo/digits/pull/7#issuecomment-1000"
    )


def test_another_result_edits_the_same_comment(github, written):
    written(failing())
    assert written(passing()).changed
    (comment,) = comments(github)
    assert "PASS" in comment["body"]
    assert comment["edits"] == 1


def test_nothing_is_written_when_nothing_changed(github, written):
    written(failing())
    again = replace(
        failing(),
        run={**failing().run, "started": "2026-11-23T00:00:00+00:00", "commit": "e" * 40},
        timing={"total": 99.0},
        attacks=tuple(replace(attack, seconds=9.0) for attack in failing().attacks),
    )
    before = len(github.writes)
    posted = written(again)
    assert (posted.changed, posted.words.split(":")[0]) == (False, "comment unchanged")
    assert len(github.writes) == before


def test_our_comment_is_found_on_a_later_page(github, written):
    repository = github.repository("octo/digits")
    for number in range(130):
        repository.add_comment(7, f"Comment {number}", author="reader")
    written(failing())
    for number in range(130):
        repository.add_comment(7, f"Comment {number}", author="reader")
    written(passing())
    (comment,) = comments(github)
    assert comment["edits"] == 1
    assert len(github.made("GET", "comments")) == 2 + 3


def test_a_marker_of_another_author_is_left_alone(github, written):
    written(failing())
    forged = comments(github)[0]["body"]
    github.repository("octo/digits").issue_comments.clear()
    mine = github.repository("octo/digits").add_comment(7, forged, author="mallory")
    written(failing())
    assert mine["body"] == forged
    assert len(comments(github)) == 1


def test_a_marker_inside_a_comment_of_ours_is_none(github, written):
    """Another workflow of the same token may quote text that somebody else chose."""
    quoting = github.repository("octo/digits").add_comment(
        7, "> someone said\n<!-- privacy-gate:default -->\n"
    )
    written(failing())
    assert quoting["body"].startswith("> someone said")
    assert len(comments(github)) == 2


@given(text=st.text(max_size=60) | st.sampled_from(["<!-- privacy-gate:default -->", "\n<!--"]))
def test_no_name_in_a_report_writes_a_second_marker(text):
    report = replace(
        passing(),
        checks=(),
        attacks=(),
        name=f"{text}<!-- privacy-gate:other -->\n<!-- sha256:00 -->",
    )
    job = read_nothing()
    body = Comment(ReportSet((report,)), "always").body(job, 60_000)
    assert FIRST.match(body)
    assert body.count("<!--") == 2


def read_nothing():
    from privacy_gate.github.event import read_job

    return read_job({})


def test_a_token_of_an_app_or_a_user_finds_its_own_comment(github, written):
    """GitHub does not tell a bot its name over REST, so a wrong guess would write a new comment
    with every run."""
    for login in ("privacy-app[bot]", "octocat"):
        github.login = login
        written(failing())
        written(passing())
        (comment,) = comments(github, login)
        assert comment["edits"] == 1


def test_a_token_that_may_not_ask_who_it_is_is_that_of_the_job(github, written):
    github.login = None
    written(failing())
    written(passing())
    assert len(comments(github)) == 1


def test_several_gates_have_a_comment_each(github, written):
    written(failing(), identifier="cpu")
    written(failing(), identifier="cpu.2")
    written(passing(), identifier="cpu")
    bodies = [comment["body"].splitlines()[0] for comment in comments(github)]
    assert bodies == ["<!-- privacy-gate:cpu -->", "<!-- privacy-gate:cpu.2 -->"]
    assert [comment["edits"] for comment in comments(github)] == [1, 0]


def test_of_two_comments_of_ours_the_oldest_is_edited_and_the_other_says_it_is_old(github, written):
    """Two runs at the same time can write one each."""
    written(failing())
    github.repository("octo/digits").add_comment(7, comments(github)[0]["body"])
    written(passing())
    first, second = comments(github)
    assert "PASS" in first["body"]
    assert second["body"].startswith("Out of date")
    written(passing())
    assert [first["edits"], second["edits"]] == [1, 1]


def test_the_comment_of_an_enterprise_server_goes_there(github, written):
    written(failing(), enterprise=True)
    written(passing(), enterprise=True)
    assert comments(github)[0]["edits"] == 1
    assert all(request.enterprise for request in github.requests)


# ------------------------------------------------------------------------------------------- modes


def begins(mode, *reports, missing=()):
    return Comment(ReportSet(tuple(reports), tuple(missing)), mode).begins


@pytest.mark.parametrize("sample", ALL)
def test_on_change_a_first_comment_is_written_unless_all_is_well(sample):
    assert begins("on-change", sample()) == (sample not in (passing, compared))


@pytest.mark.parametrize("sample", ALL)
def test_on_failure_what_exits_with_0_begins_no_comment(sample):
    assert begins("on-failure", sample()) == (sample not in (passing, compared, waived))
    assert begins("always", sample())


def test_a_missing_report_and_a_warning_are_not_all_is_well():
    warned = replace(passing(), checks=(replace(passing().checks[0], warned=True),))
    assert begins("on-change", passing(), missing=["resnet"])
    assert begins("on-change", warned)
    assert begins("on-failure", passing(), missing=["resnet"])
    assert not begins("on-failure", warned)


@pytest.mark.parametrize("mode", ["on-change", "on-failure"])
def test_an_old_failure_does_not_stand_after_a_pass(github, written, mode):
    written(failing(), mode=mode)
    written(passing(), mode=mode)
    assert "PASS" in comments(github)[0]["body"]


@pytest.mark.parametrize("mode", ["on-change", "on-failure"])
def test_a_plain_pass_begins_no_comment(github, written, mode):
    posted = written(passing(), mode=mode)
    assert (posted.words, posted.changed) == ("no comment: nothing to report", False)
    assert github.writes == []


def test_always_edits_with_every_commit_and_says_whether_the_result_is_new(github, written):
    written(passing(), mode="always")
    github.repository("octo/digits").pulls[7]["head"]["sha"] = "d" * 40
    posted = written(passing(), mode="always")
    assert (posted.changed, posted.words.split(":")[0]) == (False, "comment edited")
    assert "dddddddddddd" in comments(github)[0]["body"]


def test_never_asks_for_nothing(github, written):
    written(failing(), mode="never")
    assert github.requests == []


def test_without_a_pull_request_there_is_no_comment(github, tmp_path):
    job = replace(job_of(github, tmp_path), pull=None)
    posted = post(connected(github, tmp_path), job, Comment(ReportSet((failing(),)), "always"))
    assert posted.words == "no comment: this run belongs to no pull request"
    assert github.requests == []


def test_a_new_result_is_one_that_a_reader_would_see():
    plain = Comment(ReportSet((passing(),)), "always")
    others = [edited(passing()), waived(), loosened(), inconclusive()]
    assert len({plain.digest} | {Comment(ReportSet((r,)), "always").digest for r in others}) == 5
    assert plain.digest != Comment(ReportSet((passing(),), ("resnet",)), "always").digest
    assert plain.digest != replace(plain, note="Approve it.").digest
    elsewhere = replace(passing(), environment={"python": "3.14"}, base={"commit": "f" * 40})
    assert plain.digest == Comment(ReportSet((elsewhere,)), "always").digest


# ---------------------------------------------------------------------------------------- failures


def test_a_token_that_can_only_read_is_a_notice_that_names_the_permission(github, said):
    words, changed = said(failing(), token="read-only-token")
    assert words.startswith("no comment: The token may not do this (403).")
    assert "pull-requests: write" in words
    assert "docs/github.md" in words
    assert not changed
    assert comments(github) == []


def test_a_text_that_is_too_long_for_github_is_shortened_until_it_is_not(
    github, written, monkeypatch
):
    """Nobody knows how GitHub counts what lies outside the basic plane."""
    monkeypatch.setattr("fake_github.LONGEST_BODY", 20_000)
    many = [replace(failing(), name=f"model-{number}") for number in range(12)]
    assert written(*many).changed
    (comment,) = comments(github)
    assert FIRST.match(comment["body"])
    assert "Left out for length" in comment["body"]
    assert [request.status for request in github.made("POST", "comments")] == [422, 422, 201]
    written(*many[:-1], edited(many[-1]))
    assert [request.status for request in github.made("PATCH")] == [422, 422, 200]


def test_a_text_that_is_refused_for_another_reason_is_not_tried_again(github, said):
    github.fail("POST", "comments", 422, "Validation Failed")
    assert said(failing())[0] == "no comment: GitHub refused the content (422)."
    assert len(github.made("POST", "comments")) == 1


def test_every_body_is_within_the_limit():
    reports = ReportSet(tuple(replace(failing(), name=f"model-{i}") for i in range(12)))
    comment = Comment(reports, "always", "x" * 64, "A note. " * 40)
    for limit in module.LIMITS:
        assert len(comment.body(read_nothing(), limit)) <= min(limit + 1000, LONGEST_BODY)


def test_a_comment_whose_answer_was_lost_is_not_written_twice(github, written, monkeypatch):
    import fake_github

    original, lost = fake_github._new_comment, []

    def lose_the_answer(*arguments, **more):
        answer = original(*arguments, **more)
        if lost:
            return answer
        lost.append(answer)
        return 502, {"message": "Bad gateway"}, {}

    routes = [
        (method, pattern, lose_the_answer if respond is original else respond)
        for method, pattern, respond in fake_github._ROUTES
    ]
    monkeypatch.setattr(fake_github, "_ROUTES", routes)
    written(failing())
    assert lost
    assert len(comments(github)) == 1


@pytest.mark.parametrize("status", [404, 410, 500, 502])
def test_no_answer_of_github_ends_in_an_exception(github, said, status):
    github.fail("", "comments", status, "No.")
    words, changed = said(failing())
    assert words.startswith("no comment: ")
    assert str(status) in words
    assert not changed


def test_a_rate_limit_is_a_notice(github, said):
    github.rate_limit(seconds=3000)
    words, _ = said(failing())
    assert words == "no comment: GitHub's rate limit is used up. Run the job again later."


def test_no_second_comment_is_risked_while_nobody_knows_who_we_are(github, said):
    github.fail("POST", "graphql", 502)
    words, _ = said(failing())
    assert words == "no comment: GitHub answered with status 502."
    assert comments(github) == []


def test_an_answer_that_is_none_of_github_is_a_notice(github, said):
    github.fail("POST", "graphql", 200, "hello")
    github.fail("GET", "comments", 200, "hello")
    words, _ = said(failing())
    assert words == "no comment: GitHub gave an answer that makes no sense here (TypeError)."
    assert github.writes == []
