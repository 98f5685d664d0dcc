"""The one comment on a pull request: found by marker and author, edited in place, else quiet.

===========  ==========================================  =========================================
mode         no comment of ours yet: one is written      there is one: it is edited
===========  ==========================================  =========================================
always       after every run                             after every run
on-change    unless the run is a plain pass              when the result differs from what it says
on-failure   if the run does not exit with 0             when the result differs from what it says
never        no                                          no
===========  ==========================================  =========================================

A plain pass has every check passed, none of them above its ``warn_at``, and terms that are those of
the base branch. So an old failure never stands after a run that passed, except with ``never``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypeVar

from privacy_gate.domain import ReportSet
from privacy_gate.errors import ExitCode
from privacy_gate.github.event import Job
from privacy_gate.github.failures import attempt, is_rate_limited, is_too_long, status_of
from privacy_gate.report.markdown import fit

if TYPE_CHECKING:
    from github.IssueComment import IssueComment
    from github.PaginatedList import PaginatedList
    from github.Repository import Repository

T = TypeVar("T")
Mode = Literal["always", "on-change", "on-failure", "never"]
MODES: tuple[Mode, ...] = ("always", "on-change", "on-failure", "never")

PERMISSION = "pull-requests: write"
JOB_TOKEN_LOGIN = "github-actions[bot]"  # noqa: S105
LIMITS = (65_000, 30_000, 10_000)
"""Characters of the Markdown; GitHub takes 65,536 for everything. The next one where it refuses."""

_VOLATILE = ("run", "timing", "environment", "reused", "base")
_SUPERSEDED = "Out of date: the result is in an earlier comment."


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of the comment, in words; ``changed``: whether its result is a new one."""

    words: str
    changed: bool = False


@dataclass(frozen=True)
class Comment:
    """What the comment says. ``note``: a paragraph of our own above the reports, or empty;
    ``identifier`` tells the comments of several gates on one pull request apart."""

    reports: ReportSet
    mode: Mode
    identifier: str = ""
    note: str = ""

    @property
    def marker(self) -> str:
        """The first line. It counts there and nowhere else, so no report can hold one."""
        return f"<!-- privacy-gate:{self.identifier or 'default'} -->"

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the results, without what differs from run to run of the same model."""
        content = self.reports.to_dict()
        for report in content["reports"]:
            for key in _VOLATILE:
                report.pop(key)
            for attack in report["attacks"]:
                attack.pop("seconds")
        text = json.dumps([self.note, content], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def body(self, job: Job, characters: int) -> str:
        """The whole text, its Markdown within ``characters``."""
        markdown = fit(self.reports, characters=characters, server=job.server_url).strip()
        edited = "by every run" if self.mode == "always" else "when the result changes"
        footer = f"<sub>Commit {(job.head_sha or 'unknown')[:12]}. Edited {edited}.</sub>"
        parts = [self.note, markdown, footer]
        text = "\n\n".join(part for part in parts if part)
        return f"{self.marker}\n<!-- sha256:{self.digest} -->\n{text}\n"

    def says_the_same(self, body: str) -> bool:
        """Whether a comment of ours holds the same results already."""
        match = re.match(r"[^\n]*\n<!-- sha256:([0-9a-f]{64}) -->", body)
        return match is not None and match[1] == self.digest

    @property
    def is_plain_pass(self) -> bool:
        """Whether nobody needs to be told."""
        return self.reports.verdict == "pass" and not any(
            report.changes or any(check.warned for check in report.checks)
            for report in self.reports.reports
        )

    @property
    def begins(self) -> bool:
        """Whether this is worth the first comment on a pull request."""
        if self.mode == "on-change":
            return not self.is_plain_pass
        return self.mode == "always" or self.reports.exit_code != ExitCode.PASS


def post(repository: Repository, job: Job, comment: Comment) -> Posted:
    """Write or edit the comment of the job's pull request. Raises what PyGithub raises."""
    if job.pull is None:
        return Posted("no comment: this run belongs to no pull request")
    if comment.mode == "never":
        return Posted("no comment: it is switched off")
    number = job.pull.number
    return attempt(lambda: _update(repository, job, number, comment))


def _update(repository: Repository, job: Job, number: int, comment: Comment) -> Posted:
    """Harmless when done twice: it begins with what is there."""
    issue = repository.get_issue(number)
    ours = _ours(issue.get_comments(), own_login(repository), comment.marker)
    texts = (comment.body(job, limit) for limit in LIMITS)
    if not ours:
        if not comment.begins:
            return Posted("no comment: nothing to report")
        created = _shortened(texts, issue.create_comment)
        return Posted(f"comment written: {created.html_url}", changed=True)
    posted = _edit(ours[0], texts, comment)
    for superseded in ours[1:]:  # two runs at the same time can write one each
        superseded.edit(_SUPERSEDED)
    return posted


def _edit(own: IssueComment, texts: Iterator[str], comment: Comment) -> Posted:
    same = comment.says_the_same(own.body)
    if same and comment.mode != "always":
        return Posted(f"comment unchanged: {own.html_url}")
    text = next(texts)
    if text == own.body:
        return Posted(f"comment unchanged: {own.html_url}")
    _shortened(chain([text], texts), own.edit)
    return Posted(f"comment edited: {own.html_url}", changed=not same)


def _ours(comments: PaginatedList[IssueComment], login: str, marker: str) -> list[IssueComment]:
    """Our comments, oldest first: by marker **and** author, for anybody can write the marker."""
    return [
        comment
        for comment in comments
        if comment.user is not None  # the account is gone
        and comment.user.login == login
        and (comment.body or "").splitlines()[:1] == [marker]
    ]


def own_login(repository: Repository) -> str:
    """Who writes with this token. REST tells only users; GraphQL tells bots and apps, too."""
    try:
        _, answer = repository.requester.graphql_query("query { viewer { login } }", {})
    except Exception as error:
        status = status_of(error)
        if status is None or status >= 500 or status == 401 or is_rate_limited(error):
            raise  # guessing wrong here would write a second comment
        return JOB_TOKEN_LOGIN
    viewer = (answer.get("data") or {}).get("viewer") or {}
    return str(viewer.get("login") or JOB_TOKEN_LOGIN)


def _shortened(texts: Iterator[str], write: Callable[[str], T]) -> T:
    """The result for the first text that GitHub does not refuse as too long."""
    refused: Exception | None = None
    for text in texts:
        try:
            return write(text)
        except Exception as error:
            if not is_too_long(error):
                raise
            refused = error
    raise refused or ValueError("no text")
