"""What a job knows: its variables, the event file, and the pull request behind a workflow_run."""

from __future__ import annotations

import pytest
from fake_github import FakeGitHub, job, pull_request_event, workflow_run_event

from privacy_gate.errors import UsageError
from privacy_gate.github.client import connect
from privacy_gate.github.event import read_job
from privacy_gate.github.lookup import with_pull_request

BASE, HEAD, OTHER = "a" * 40, "b" * 40, "c" * 40


@pytest.fixture
def github():
    with FakeGitHub() as server:
        repository = server.repository("octo/digits")
        repository.commit(BASE, {"privacy_gate.yaml": "version: 1\n"}, branch="main")
        repository.pull(7, head_sha=HEAD, base_sha=BASE, head_repository="someone/digits")
        yield server


def environment(github, folder, name="pull_request", event=None, **more):
    repository = github.repository("octo/digits")
    event = pull_request_event(repository, 7) if event is None else event
    return job(folder, github.url, "octo/digits", name, event, **more)


def found(github, folder, event, **more):
    """The job after its pull request was looked up."""
    read = read_job(environment(github, folder, "workflow_run", event, **more))
    return with_pull_request(read, connect(read, pause=0, backoff=0))


# ------------------------------------------------------------------------------------- variables


def test_the_judged_commit_is_the_head_of_the_pull_request_and_not_the_merge_commit(
    github, tmp_path
):
    read = read_job(environment(github, tmp_path))
    assert (read.head_sha, read.base_sha, read.base_ref) == (HEAD, BASE, "main")
    assert (read.pull.number, read.is_fork, read.local_head) == (7, True, True)
    assert read.run_url == "https://github.example/octo/digits/actions/runs/42"


def test_a_pull_request_of_the_repository_itself_is_no_fork(github, tmp_path):
    github.repository("octo/digits").pull(7, head_sha=HEAD, base_sha=BASE)
    assert not read_job(environment(github, tmp_path)).is_fork


def test_a_pull_request_of_a_deleted_repository_counts_as_a_fork(github, tmp_path):
    repository = github.repository("octo/digits")
    repository.pull(7, head_sha=HEAD, base_sha=BASE, head_repository=None)
    assert read_job(environment(github, tmp_path)).is_fork


def test_a_merge_queue_has_a_base_and_no_pull_request(github, tmp_path):
    group = {"head_sha": HEAD, "base_sha": BASE, "base_ref": "refs/heads/main"}
    read = read_job(environment(github, tmp_path, "merge_group", {"merge_group": group}))
    assert (read.head_sha, read.base_sha, read.pull) == (HEAD, BASE, None)


def test_a_push_has_neither(github, tmp_path):
    event = {"ref": "refs/heads/main", "before": OTHER, "after": HEAD}
    read = read_job(environment(github, tmp_path, "push", event, GITHUB_SHA=HEAD))
    assert (read.head_sha, read.base_sha, read.pull) == (HEAD, None, None)


def test_the_files_of_a_privileged_job_are_not_those_of_the_pull_request(github, tmp_path):
    event = pull_request_event(github.repository("octo/digits"), 7)
    read = read_job(environment(github, tmp_path, "pull_request_target", event))
    assert not read.local_head


def test_the_token_is_in_no_text_of_the_job(github, tmp_path):
    read = read_job(environment(github, tmp_path, token="very-secret"))
    assert read.token == "very-secret"
    assert "very-secret" not in repr(read) + str(read)


def test_outside_github_there_is_nothing_to_post_to(github):
    read = read_job({"GITHUB_TOKEN": "t"})
    assert (read.repository, read.pull, read.in_actions) == ("", None, False)
    with pytest.raises(UsageError, match=r"GITHUB_REPOSITORY is not set.*--dry-run"):
        connect(read)


def test_without_a_token_the_message_says_how_to_pass_it(github, tmp_path):
    with pytest.raises(UsageError, match=r"GITHUB_TOKEN is not set.*github\.token"):
        connect(read_job(environment(github, tmp_path, token="")))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "The event file holds no JSON object."),
        ("[]", "The event file holds no JSON object."),
        ("\x00", "The event file holds no JSON object."),
        ("[" * 100_000, "The event file holds no JSON object."),
        ('{"pull_request": 3}', "The event file has no usable pull_request.number."),
        ('{"pull_request": {"number": "7"}}', "The event file has no usable pull_request.number."),
        ('{"pull_request": {"number": true}}', "The event file has no usable pull_request.number."),
        (
            '{"pull_request": {"number": 7, "head": {"sha": "main"}}}',
            "The event file has no usable pull_request.head.sha.",
        ),
        (
            '{"repository": {"default_branch": ["main"]}}',
            "The event file has no usable repository.default_branch.",
        ),
    ],
)
def test_an_event_file_that_cannot_be_used_is_one_sentence(github, tmp_path, content, sentence):
    with pytest.raises(UsageError) as caught:
        read_job(environment(github, tmp_path, event=content))
    assert caught.value.message == sentence


def test_a_missing_event_file_is_one_sentence(github, tmp_path):
    variables = environment(github, tmp_path)
    (tmp_path / "event.json").unlink()
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_job(variables)
    del variables["GITHUB_EVENT_PATH"]
    with pytest.raises(UsageError, match="GITHUB_EVENT_PATH is not set"):
        read_job(variables)


def test_a_workflow_run_without_its_commit_is_refused(github, tmp_path):
    event = workflow_run_event(github.repository("octo/digits"), 7)
    del event["workflow_run"]["head_sha"]
    with pytest.raises(UsageError, match=r"no usable workflow_run\.head_sha"):
        read_job(environment(github, tmp_path, "workflow_run", event))


def test_a_repository_that_is_no_name_is_refused(github, tmp_path):
    with pytest.raises(UsageError, match="owner/name"):
        read_job(environment(github, tmp_path, GITHUB_REPOSITORY="octo/digits/../other"))


# ----------------------------------------------------------------------- the pull request of a run


def test_the_pull_request_of_a_fork_is_found_by_branch_and_commit(github, tmp_path):
    repository = github.repository("octo/digits")
    repository.pull(6, head_sha=OTHER, base_sha=OTHER, head_ref="else")
    read = found(github, tmp_path, workflow_run_event(repository, 7, conclusion="failure"))
    assert (read.pull.number, read.head_sha, read.base_sha) == (7, HEAD, BASE)
    assert read.is_fork
    assert not read.local_head


def test_a_run_of_an_older_commit_is_refused(github, tmp_path):
    event = workflow_run_event(github.repository("octo/digits"), 7, head_sha=OTHER)
    with pytest.raises(UsageError, match=f"has the commit {OTHER[:12]}.*newer commit"):
        found(github, tmp_path, event)


def test_a_closed_pull_request_is_refused(github, tmp_path):
    repository = github.repository("octo/digits")
    repository.pulls[7]["state"] = "closed"
    with pytest.raises(UsageError, match="None is open"):
        found(github, tmp_path, workflow_run_event(repository, 7))


def test_a_branch_of_the_same_name_and_commit_in_another_repository_is_not_taken(github, tmp_path):
    """Two forks of one owner can have the same branch; the event says which one ran."""
    repository = github.repository("octo/digits")
    event = workflow_run_event(repository, 7)
    repository.pull(
        8, head_sha=HEAD, base_sha=OTHER, head_repository="someone/other", base_ref="main"
    )
    assert found(github, tmp_path, event).pull.number == 7
    repository.pulls[7]["state"] = "closed"
    with pytest.raises(UsageError, match="None is open"):
        found(github, tmp_path, event)
    event["workflow_run"]["head_repository"] = None
    with pytest.raises(UsageError, match="does not exist any more"):
        found(github, tmp_path, event)


def test_of_several_pull_requests_the_one_into_the_default_branch_counts(github, tmp_path):
    repository = github.repository("octo/digits")
    event = workflow_run_event(repository, 7)
    repository.pull(
        5, head_sha=HEAD, base_sha=OTHER, head_repository="someone/digits", base_ref="lax"
    )
    assert found(github, tmp_path, event).pull.number == 7
    repository.pulls[7]["base"]["ref"] = "old"
    with pytest.raises(UsageError, match="several pull requests"):
        found(github, tmp_path, event)


@pytest.mark.parametrize("event", ["push", "merge_group", "schedule"])
def test_a_run_without_a_pull_request_is_judged_by_the_default_branch(github, tmp_path, event):
    content = workflow_run_event(github.repository("octo/digits"), 7, event=event)
    read = found(github, tmp_path, content)
    assert (read.pull, read.head_sha) == (None, HEAD)
    assert (read.base_sha, read.base_ref) == (BASE, "main")
    content["repository"] = {}
    with pytest.raises(UsageError, match="default branch"):
        found(github, tmp_path, content)
