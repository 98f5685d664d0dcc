"""The pull request behind a ``workflow_run``, found through the API and verified."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from privacy_gate.errors import UsageError
from privacy_gate.github.event import Job, PullRequest, TriggeringRun
from privacy_gate.github.files import commit_of

if TYPE_CHECKING:
    from github.Repository import Repository

_TRIGGERS = ("pull_request", "pull_request_review", "pull_request_target")


def with_pull_request(job: Job, repository: Repository) -> Job:
    """The job with the open pull request whose head the triggering run has measured.

    The event does not name pull requests of forks, so they are looked up by owner and branch; as
    anybody can name a branch like another one, commit and repository must be the same, too. Raises
    ``UsageError`` if none is left: it was closed, or it has a newer commit with a run of its own.
    Any other event has no pull request; then the terms of the default branch count.
    """
    run, branch = job.triggering, job.default_branch
    if run is None:
        return job
    if run.event not in _TRIGGERS:
        if branch is None:
            raise UsageError("The event does not name the default branch, whose terms count.")
        return replace(job, base_sha=commit_of(repository, branch), base_ref=branch)
    if run.head_repository is None or not run.head_branch:
        raise _stale(run, "Its repository or branch does not exist any more.")
    head = f"{run.head_repository.partition('/')[0]}:{run.head_branch}"
    candidates = [_read(pull) for pull in repository.get_pulls(state="open", head=head)]
    found = [
        pull
        for pull in candidates
        if pull.head_sha == run.head_sha and pull.head_repository == run.head_repository
    ]
    if not found:
        newer = any(pull.head_repository == run.head_repository for pull in candidates)
        raise _stale(run, "It has a newer commit." if newer else "None is open.")
    pull = _chosen(found, job.default_branch)
    return replace(job, pull=pull, base_sha=pull.base_sha, base_ref=pull.base_ref)


def _chosen(found: list[PullRequest], default_branch: str | None) -> PullRequest:
    """One branch can be proposed to several others; the default branch has the terms to trust."""
    if len(found) == 1:
        return found[0]
    for pull in found:
        if pull.base_ref == default_branch:
            return pull
    numbers = ", ".join(f"#{pull.number}" for pull in found)
    raise UsageError(
        f"The commit is the head of several pull requests ({numbers}), none into the default"
        " branch, so it is unclear whose terms count.",
        hint="Close all but one of them.",
    )


def _read(pull: Any) -> PullRequest:
    head = pull.head.repo
    return PullRequest(
        number=pull.number,
        head_sha=pull.head.sha,
        head_repository=None if head is None else head.full_name,
        base_sha=pull.base.sha,
        base_ref=pull.base.ref,
    )


def _stale(run: TriggeringRun, why: str) -> UsageError:
    return UsageError(
        f"No open pull request has the commit {run.head_sha[:12]} as its head. {why}",
        hint="Nothing is posted; a newer commit has a run of its own.",
    )
