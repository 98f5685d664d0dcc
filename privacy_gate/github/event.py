"""What GitHub says about the running step: its environment and the event file, read once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from privacy_gate.errors import UsageError

API = "https://api.github.com"
SERVER = "https://github.com"
_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_FOREIGN_HEAD = ("workflow_run", "pull_request_target")
"""Events whose jobs run on the default branch and must not check out what they judge."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """An open pull request. ``head_repository`` is ``None`` if the fork was deleted."""

    number: int
    head_sha: str
    head_repository: str | None
    base_sha: str
    base_ref: str


@dataclass(frozen=True, slots=True)
class TriggeringRun:
    """The workflow run that a ``workflow_run`` event is about. Branch and repository are what its
    author chose; the commit is what GitHub ran."""

    number: int
    event: str
    conclusion: str
    head_sha: str
    head_branch: str
    head_repository: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """The step that runs. ``head_sha`` is the commit that is judged (never GitHub's merge commit);
    ``base_sha`` the commit whose terms count, ``None`` if the event has none. ``triggering`` is set
    for ``workflow_run`` only, whose pull request must be asked for. ``local_head``: whether the
    files of the working directory are those of the judged commit. ``repository`` is empty outside
    GitHub. ``token`` is never shown."""

    repository: str
    event: str
    head_sha: str | None
    base_sha: str | None
    base_ref: str | None
    default_branch: str | None
    pull: PullRequest | None
    triggering: TriggeringRun | None
    local_head: bool
    run: int | None
    server_url: str
    api_url: str
    in_actions: bool
    summary: Path | None
    output: Path | None
    token: str = field(repr=False)

    @property
    def run_url(self) -> str | None:
        """The page of this run."""
        return self._page(self.run)

    @property
    def measuring_runs(self) -> tuple[str, ...]:
        """Pages of the runs that can have measured, the likelier first: the one that triggered
        this one, and this one."""
        triggering = None if self.triggering is None else self._page(self.triggering.number)
        return tuple(page for page in (triggering, self.run_url) if page is not None)

    def _page(self, run: int | None) -> str | None:
        if run is None or not self.repository:
            return None
        return f"{self.server_url}/{self.repository}/actions/runs/{run}"

    @property
    def is_fork(self) -> bool:
        """Whether the judged commit comes from another repository (or from one that is gone)."""
        if self.pull is not None:
            return self.pull.head_repository != self.repository
        return self.triggering is not None and self.triggering.head_repository != self.repository


def read_job(environ: Mapping[str, str]) -> Job:
    """The job described by the variables of GitHub Actions.

    Outside GitHub there is no event: the result then has no repository and can only be shown.
    Raises ``UsageError`` for a variable or an event file that cannot be used.
    """
    repository = environ.get("GITHUB_REPOSITORY", "")
    if repository and not _REPOSITORY.fullmatch(repository):
        raise UsageError(
            "GITHUB_REPOSITORY does not have the form owner/name.", location="GITHUB_REPOSITORY"
        )
    name = environ.get("GITHUB_EVENT_NAME", "")
    event = _Event(_event_file(environ) if repository else {})
    pull = event.pull_request()
    triggering = event.triggering_run() if name == "workflow_run" else None
    run = environ.get("GITHUB_RUN_ID", "")
    return Job(
        repository=repository,
        event=name,
        head_sha=_head_sha(event, pull, triggering, environ.get("GITHUB_SHA")),
        base_sha=pull.base_sha if pull else event.text("merge_group", "base_sha"),
        base_ref=pull.base_ref if pull else event.text("merge_group", "base_ref"),
        default_branch=event.text("repository", "default_branch"),
        pull=pull,
        triggering=triggering,
        local_head=name not in _FOREIGN_HEAD,
        run=int(run) if run.isdecimal() else None,
        server_url=(environ.get("GITHUB_SERVER_URL") or SERVER).rstrip("/"),
        api_url=(environ.get("GITHUB_API_URL") or API).rstrip("/"),
        in_actions=environ.get("GITHUB_ACTIONS") == "true",
        summary=_path(environ, "GITHUB_STEP_SUMMARY"),
        output=_path(environ, "GITHUB_OUTPUT"),
        token=environ.get("GITHUB_TOKEN", "").strip(),
    )


def _head_sha(
    event: _Event, pull: PullRequest | None, triggering: TriggeringRun | None, sha: str | None
) -> str | None:
    if triggering is not None:
        return triggering.head_sha
    if pull is not None:
        return pull.head_sha
    return event.text("merge_group", "head_sha") or sha or None


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def _event_file(environ: Mapping[str, str]) -> Mapping[str, Any]:
    path = environ.get("GITHUB_EVENT_PATH")
    if not path:
        raise UsageError(
            "GITHUB_EVENT_PATH is not set, so the event is unknown.",
            hint="Run this in a job of GitHub Actions, or unset GITHUB_REPOSITORY.",
        )
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(
            f"The event file cannot be read: {error.strerror}.", location="GITHUB_EVENT_PATH"
        ) from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise UsageError("The event file holds no JSON object.", location="GITHUB_EVENT_PATH")
    return content


class _Event:
    """Typed look-ups in the event; what has another type than GitHub documents is refused."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    def value(self, *keys: str) -> Any:
        """The value at nested keys, ``None`` where one is absent or null."""
        found: Any = self._content
        for key in keys:
            if found is None:
                return None
            if not isinstance(found, Mapping):
                raise _unusable(keys)
            found = found.get(key)
        return found

    def text(self, *keys: str) -> str | None:
        """A text; one that must be a commit is checked to be one."""
        found = self.value(*keys)
        if found is None:
            return None
        if not isinstance(found, str) or not found:
            raise _unusable(keys)
        if keys[-1] in ("sha", "head_sha", "base_sha") and not _HASH.fullmatch(found):
            raise _unusable(keys)
        return found

    def needed(self, *keys: str) -> str:
        """The same, where it must be there."""
        found = self.text(*keys)
        if found is None:
            raise _unusable(keys)
        return found

    def positive(self, *keys: str) -> int:
        """A whole number above 0, which must be there."""
        found = self.value(*keys)
        if type(found) is not int or found < 1:
            raise _unusable(keys)
        return found

    def pull_request(self) -> PullRequest | None:
        """The pull request of the event itself."""
        if self.value("pull_request") is None:
            return None
        return PullRequest(
            number=self.positive("pull_request", "number"),
            head_sha=self.needed("pull_request", "head", "sha"),
            head_repository=self.text("pull_request", "head", "repo", "full_name"),
            base_sha=self.needed("pull_request", "base", "sha"),
            base_ref=self.needed("pull_request", "base", "ref"),
        )

    def triggering_run(self) -> TriggeringRun:
        """The run that ended."""
        return TriggeringRun(
            number=self.positive("workflow_run", "id"),
            event=self.needed("workflow_run", "event"),
            conclusion=self.text("workflow_run", "conclusion") or "",
            head_sha=self.needed("workflow_run", "head_sha"),
            head_branch=self.text("workflow_run", "head_branch") or "",
            head_repository=self.text("workflow_run", "head_repository", "full_name"),
        )


def _unusable(keys: tuple[str, ...]) -> UsageError:
    return UsageError(
        f"The event file has no usable {'.'.join(keys)}.",
        hint="Run this on pull_request, workflow_run, merge_group or push.",
        location="GITHUB_EVENT_PATH",
    )
