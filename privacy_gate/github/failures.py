"""Why GitHub did not do what was asked, in one sentence and with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from privacy_gate.errors import PrivacyGateError

T = TypeVar("T")

FORK = (
    "Pull requests from forks get a token that can only read: post from a workflow_run workflow,"
    " as docs/github.md shows, or read the summary of the job."
)


def status_of(error: BaseException) -> int | None:
    """The HTTP status of an answer, ``None`` if there was no answer."""
    status = getattr(error, "status", None)
    return status if isinstance(status, int) else None


def is_transient(error: BaseException) -> bool:
    """Whether it is unknown if the request was carried out, so that looking again is worth it."""
    status = status_of(error)
    return not isinstance(error, PrivacyGateError) and (status is None or status >= 500)


def is_too_long(error: BaseException) -> bool:
    """Whether GitHub refused a text because of its length."""
    text = str(getattr(error, "data", "")).lower()
    return status_of(error) == 422 and ("too long" in text or "characters" in text)


def is_rate_limited(error: BaseException) -> bool:
    """Whether GitHub refused because of too many requests."""
    headers: Mapping[str, Any] = getattr(error, "headers", None) or {}
    text = str(getattr(error, "data", "")).lower()
    return status_of(error) == 429 or (
        status_of(error) == 403
        and (
            "rate limit" in text
            or "retry-after" in headers
            or str(headers.get("x-ratelimit-remaining")) == "0"
        )
    )


def reason(error: BaseException, permission: str) -> str:
    """One or two sentences; ``permission`` is what the job needs, as ``pull-requests: write``.

    Nothing that GitHub or anybody else wrote is repeated.
    """
    status = status_of(error)
    if isinstance(error, PrivacyGateError):
        return str(error)
    if is_rate_limited(error):
        return "GitHub's rate limit is used up. Run the job again later."
    if status == 401:
        return "GitHub does not accept the token (401). Check GITHUB_TOKEN."
    if status in (403, 404):
        return (
            f"The token may not do this ({status}). Give the job the permission {permission}."
            f" {FORK}"
        )
    if status == 422:
        return "GitHub refused the content (422)."
    if status is not None:
        return f"GitHub answered with status {status}."
    if isinstance(error, OSError):  # as all of requests' errors
        return f"GitHub could not be reached ({type(error).__name__})."
    return f"GitHub gave an answer that makes no sense here ({type(error).__name__})."


def attempt(action: Callable[[], T], again: Callable[[BaseException], bool] = is_transient) -> T:
    """The result of ``action``, which must do no harm when it is done twice: it is tried once more
    if ``again`` says so of what it raised."""
    try:
        return action()
    except Exception as error:
        if not again(error):
            raise
    return action()
