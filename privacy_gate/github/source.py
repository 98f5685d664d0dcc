"""Which files the terms are read from: those of the base branch, and those that are judged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from privacy_gate.config.base import GitFiles
from privacy_gate.config.terms_reader import Reader
from privacy_gate.errors import PrivacyGateError, UsageError
from privacy_gate.github.event import Job
from privacy_gate.github.files import ApiFiles, LocalFiles, NoFiles, commit_of
from privacy_gate.github.judging import Source

if TYPE_CHECKING:
    from github.Repository import Repository


def find_source(
    job: Job, repository: Repository | None, root: Path, policy_ref: str | None
) -> Source:
    """The files of both sides for this job.

    ``root``: the working copy. ``policy_ref`` takes the place of the base branch. What is judged is
    never checked out in a job that can write: its files are then read through the API, as data.
    Where a side cannot be read, the result says so when it is asked, so that no report passes.
    """
    run = {"repository": job.repository, "commit": job.head_sha} if job.repository else {}
    pages = job.measuring_runs
    head = LocalFiles(root) if job.local_head else _of_commit(job, repository, job.head_sha)
    if policy_ref:
        base, facts = _of_ref(job, repository, root, policy_ref)
        return Source(base, head, facts, run, pages)
    if job.base_sha is None:
        return Source(None, head, None, run, pages)
    facts = {"ref": job.base_ref, "commit": job.base_sha}
    if repository is not None or not job.local_head:
        return Source(_of_commit(job, repository, job.base_sha), head, facts, run, pages)
    base, _ = _of_git(root, job.base_sha)
    return Source(base, head, facts, run, pages)


def _of_ref(
    job: Job, repository: Repository | None, root: Path, ref: str
) -> tuple[Reader, Mapping[str, str | None]]:
    if job.local_head:
        return _of_git(root, ref)
    if repository is None:
        return _of_commit(job, None, None), {"ref": ref, "commit": None}
    try:
        commit = commit_of(repository, ref)
    except PrivacyGateError as error:
        return NoFiles(error), {"ref": ref, "commit": None}
    return ApiFiles(repository, commit), {"ref": ref, "commit": commit}


def _of_git(root: Path, ref: str) -> tuple[Reader, Mapping[str, str | None]]:
    try:
        files = GitFiles(root, ref)
    except PrivacyGateError as error:
        return NoFiles(error), {"ref": ref, "commit": None}
    return files, {"ref": ref, "commit": files.commit}


def _of_commit(job: Job, repository: Repository | None, sha: str | None) -> Reader:
    if repository is not None and sha is not None:
        return ApiFiles(repository, sha)
    error = UsageError(
        f"The terms of a {job.event} run can only be read through GitHub.",
        hint="Set GITHUB_TOKEN, with the permission contents: read.",
    )
    return NoFiles(error)
