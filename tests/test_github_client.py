"""The connection: which failures are waited out, which end in a sentence, which files are there."""

from __future__ import annotations

import pytest
from fake_github import FakeGitHub, job, pull_request_event

from privacy_gate.errors import UsageError
from privacy_gate.github import client
from privacy_gate.github.client import connect
from privacy_gate.github.event import read_job
from privacy_gate.github.failures import attempt, is_rate_limited, reason
from privacy_gate.github.files import ApiFiles, LocalFiles

BASE = "a" * 40


@pytest.fixture
def github():
    with FakeGitHub() as server:
        repository = server.repository("octo/digits")
        tree = {"gate/privacy_gate.yaml": "version: 1\n", "long.json": b"x" * 1_100_000}
        repository.commit(BASE, tree, branch="main")
        repository.pull(7, head_sha="b" * 40, base_sha=BASE)
        yield server


def connected(github, folder, *, url=None, token="t"):
    event = pull_request_event(github.repository("octo/digits"), 7)
    variables = job(folder, url or github.url, "octo/digits", "pull_request", event, token=token)
    return connect(read_job(variables), pause=0, backoff=0)


def comment(repository):
    return repository.get_issue(7).create_comment("text")


def refusal(action):
    with pytest.raises(Exception) as caught:
        action()
    return caught.value


# ------------------------------------------------------------------------------- what is repeated


def test_connecting_asks_for_nothing(github, tmp_path):
    connected(github, tmp_path)
    assert github.requests == []


def test_an_enterprise_address_is_used_for_everything(github, tmp_path):
    repository = connected(github, tmp_path, url=github.enterprise_url + "/")
    comment(repository).edit("other")
    repository.requester.graphql_query("query { viewer { login } }", {})
    assert [request.status for request in github.requests] == [201, 200, 200]
    assert all(request.enterprise for request in github.requests)


def test_a_read_that_fails_on_the_server_is_repeated(github, tmp_path):
    github.fail("GET", "comments", 502, times=2)
    assert list(connected(github, tmp_path).get_issue(7).get_comments()) == []
    assert [request.status for request in github.requests] == [502, 502, 200]


def test_a_write_that_fails_on_the_server_is_not_repeated_by_itself(github, tmp_path):
    """It may have been carried out: repeating it blindly would write two comments."""
    github.fail("POST", "comments", 502)
    error = refusal(lambda: comment(connected(github, tmp_path)))
    assert reason(error, "x: write") == "GitHub answered with status 502."
    assert len(github.requests) == 1


def test_a_short_rate_limit_is_waited_out_even_for_a_write(github, tmp_path):
    github.rate_limit("comments", seconds=-10, times=1)
    comment(connected(github, tmp_path))
    assert [request.status for request in github.requests] == [403, 201]


@pytest.mark.parametrize("status", [403, 429])
def test_a_short_secondary_rate_limit_is_waited_out(github, tmp_path, status):
    message = "You have exceeded a secondary rate limit."
    github.fail("POST", "comments", status, message, times=1, headers={"Retry-After": "0"})
    comment(connected(github, tmp_path))
    assert [request.status for request in github.requests] == [status, 201]


def test_a_long_rate_limit_is_not_waited_for(github, tmp_path):
    github.rate_limit(seconds=3000)
    error = refusal(lambda: comment(connected(github, tmp_path)))
    assert is_rate_limited(error)
    assert reason(error, "x: write").startswith("GitHub's rate limit is used up.")
    assert len(github.requests) == 1


@pytest.mark.parametrize("status", [403, 429])
def test_a_long_secondary_rate_limit_is_not_waited_for(github, tmp_path, status):
    github.fail("", "", status, "Slow down.", headers={"Retry-After": "3600"})
    error = refusal(lambda: comment(connected(github, tmp_path)))
    assert reason(error, "x: write").startswith("GitHub's rate limit is used up.")
    assert len(github.requests) == 1


def test_a_rate_limit_that_does_not_end_is_given_up(github, tmp_path):
    github.rate_limit(seconds=-10)
    github.fail("", "", 429, "Too many requests.", headers={"Retry-After": "0"})
    error = refusal(lambda: comment(connected(github, tmp_path)))
    assert is_rate_limited(error)
    assert len(github.requests) == 4


def test_a_server_that_does_not_answer_is_given_up(github, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "TIMEOUT", 1)
    github.fail("POST", "comments", 0, delay=1.5)
    error = refusal(lambda: comment(connected(github, tmp_path)))
    assert "could not be reached" in reason(error, "x: write")


def test_a_server_that_is_not_there_is_given_up(github, tmp_path):
    repository = connected(github, tmp_path, url="http://127.0.0.1:9")
    assert "could not be reached" in reason(refusal(lambda: comment(repository)), "x: write")


# ----------------------------------------------------------------------------------- the sentences


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("read-only", "The token may not do this (403). Give the job the permission x: write."),
        ("bad", "GitHub does not accept the token (401). Check GITHUB_TOKEN."),
    ],
)
def test_the_sentence_names_the_cause_and_the_cure(github, tmp_path, token, expected):
    error = refusal(lambda: comment(connected(github, tmp_path, token=token)))
    assert reason(error, "x: write").startswith(expected)
    assert len(github.requests) == 1


def test_the_sentence_repeats_nothing_that_the_server_said(github, tmp_path):
    github.fail("", "", 418, "::error::evil <script>")
    error = refusal(lambda: comment(connected(github, tmp_path)))
    assert reason(error, "x: write") == "GitHub answered with status 418."


def test_our_own_errors_keep_their_sentence():
    assert reason(UsageError("Broken.", hint="Mend it."), "x") == "Broken. Mend it."


def test_an_action_is_tried_again_only_if_it_may_have_failed_half_way():
    calls = []

    def fails(error):
        calls.append(1)
        raise error

    for error, expected in ((ConnectionError(), 2), (UsageError("no"), 1)):
        calls.clear()
        with pytest.raises(type(error)):
            attempt(lambda error=error: fails(error))
        assert len(calls) == expected


# ----------------------------------------------------------------------------------------- files


def test_files_of_a_commit_are_read_as_they_are(github, tmp_path):
    read = ApiFiles(connected(github, tmp_path), BASE)
    assert read("gate/privacy_gate.yaml") == b"version: 1\n"
    assert read("gate/other.yaml") is None
    assert read("gate") is None


def test_a_file_that_the_contents_api_does_not_inline_is_read_as_a_blob(github, tmp_path):
    assert ApiFiles(connected(github, tmp_path), BASE)("long.json") == b"x" * 1_100_000


def test_a_file_that_is_too_large_is_an_error(github, tmp_path, monkeypatch):
    monkeypatch.setattr("privacy_gate.github.files.LARGEST", 1000)
    with pytest.raises(UsageError, match=r"long\.json is larger"):
        ApiFiles(connected(github, tmp_path), BASE)("long.json")


def test_no_permission_never_looks_like_an_absent_file(github, tmp_path):
    """GitHub says "not found" for what a token may not see: then nothing is known of the terms."""
    github.fail("GET", "contents", 404, "Not Found")
    with pytest.raises(UsageError, match=r"cannot be read.*contents: read"):
        ApiFiles(connected(github, tmp_path), BASE)("privacy_gate.yaml")


def test_a_commit_that_is_not_there_is_an_error(github, tmp_path):
    with pytest.raises(UsageError, match="The tree of the commit cccccccccccc cannot be read"):
        ApiFiles(connected(github, tmp_path), "c" * 40)("privacy_gate.yaml")


def test_a_rate_limit_never_looks_like_an_absent_file(github, tmp_path):
    github.rate_limit(seconds=3000)
    with pytest.raises(UsageError, match="rate limit"):
        ApiFiles(connected(github, tmp_path), BASE)("gate/privacy_gate.yaml")


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\\..\\b", "a/.."]
)
def test_paths_that_leave_the_repository_are_never_asked_for(github, tmp_path, path):
    assert ApiFiles(connected(github, tmp_path), BASE)(path) is None
    assert LocalFiles(tmp_path)(path) is None
    assert github.requests == []


def test_local_files_stay_inside_their_directory(tmp_path):
    root = tmp_path / "work"
    root.mkdir()
    (tmp_path / "secret").write_text("no")
    (root / "a.yaml").write_text("yes")
    (root / "link").symlink_to(tmp_path / "secret")
    read = LocalFiles(root)
    assert read("a.yaml") == b"yes"
    assert [read(path) for path in ("link", "b.yaml", "a.yaml/c", ".git")] == [None] * 4
    (root / "folder").mkdir()
    assert read("folder") is None
