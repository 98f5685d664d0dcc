"""The connection to GitHub: PyGithub, patient with rate limits but never for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from privacy_gate.errors import UsageError, missing_extra
from privacy_gate.github.event import Job

if TYPE_CHECKING:
    from github.GithubRetry import GithubRetry
    from github.Repository import Repository

LONGEST_WAIT = 60
"""Seconds to wait for the end of a rate limit, at most; a job must not hang for an hour."""

TIMEOUT = 15
"""Seconds until a request that gets no answer is given up."""


def connect(job: Job, *, pause: float = 0.25, backoff: float = 0.5) -> Repository:
    """The repository of the job; no request is made yet.

    ``pause``: seconds between two writes. ``backoff``: factor of the pauses between the attempts of
    a request that is repeated. Raises ``UsageError`` without a token or without PyGithub.
    """
    try:
        import github
    except ImportError:
        raise missing_extra("Posting to GitHub", "github") from None
    if not job.repository:
        raise UsageError(
            "GITHUB_REPOSITORY is not set, so there is nothing to post to.",
            hint="Run this in a job of GitHub Actions; --dry-run shows what would be posted.",
        )
    if not job.token:
        raise UsageError(
            "GITHUB_TOKEN is not set.",
            hint="Pass the token of the job: env: GITHUB_TOKEN: ${{ github.token }}.",
        )
    api = github.Github(
        base_url=job.api_url,
        auth=github.Auth.Token(job.token),
        lazy=True,
        timeout=TIMEOUT,
        retry=_retry(backoff),
        seconds_between_requests=0,
        seconds_between_writes=pause,
        per_page=100,
    )
    return api.get_repo(job.repository)


def _retry(backoff: float) -> GithubRetry:
    from github import GithubException
    from github.GithubRetry import GithubRetry

    class Retry(GithubRetry):
        """Repeats what GitHub refused because of a rate limit. Of what failed otherwise only reads
        are repeated: a write may have been carried out before its answer got lost."""

        def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
            return status_code in (403, 429) or super().is_retry(
                method, status_code, has_retry_after
            )

        def increment(
            self, method: Any = None, url: Any = None, response: Any = None, *rest: Any, **more: Any
        ) -> Any:
            asked = self.get_retry_after(response) if response is not None else None
            if asked is not None and asked > LONGEST_WAIT:
                headers = {key.lower(): value for key, value in response.headers.items()}
                response.drain_conn()
                raise GithubException(response.status, {"message": "Rate limit."}, headers)
            return super().increment(method, url, response, *rest, **more)

    return Retry(
        total=3,
        backoff_factor=backoff,
        max_rate_limit_wait=LONGEST_WAIT,
        allowed_methods=frozenset({"GET"}),
        status_forcelist=[429, *range(500, 600)],
        raise_on_status=False,
    )
