"""Files of a commit, as data: through the API, or from the working directory. Nothing is run."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from privacy_gate.errors import PrivacyGateError, UsageError
from privacy_gate.github.failures import reason, status_of

if TYPE_CHECKING:
    from github.Repository import Repository

LARGEST = 100 * 1024**2
"""Bytes of a file that is still read. GitHub stores none that is larger; terms hold the digests of
manifests and baseline models, which can be long."""


class ApiFiles:
    """A ``Reader`` over the contents API at one commit."""

    def __init__(self, repository: Repository, ref: str) -> None:
        self._repository, self._ref = repository, ref
        self._commit_is_there = False

    def __call__(self, path: str) -> bytes | None:
        """The content, ``None`` if there is no such file. Raises ``UsageError`` if that cannot be
        known: no answer must never look like an absent file."""
        if not is_inside(path):
            return None
        try:
            found = self._repository.get_contents(path, ref=self._ref)
            if isinstance(found, list) or found.type != "file":
                return None
            if found.size > LARGEST:
                raise UsageError(f"{path} is larger than {LARGEST} bytes.")
            if found.encoding == "base64":
                return found.decoded_content
            blob = self._repository.get_git_blob(found.sha)  # the API inlines up to 1 MB only
            return base64.b64decode(blob.content)
        except UsageError:
            raise
        except Exception as error:
            if status_of(error) != 404:
                raise self._unreadable(path, error) from None
        self._require_commit()
        return None

    def _require_commit(self) -> None:
        """GitHub also says "not found" to a token that may not read at all."""
        if self._commit_is_there:
            return
        try:
            self._repository.get_contents("", ref=self._ref)
        except Exception as error:
            raise self._unreadable("The tree", error) from None
        self._commit_is_there = True

    def _unreadable(self, what: str, error: BaseException) -> UsageError:
        return UsageError(
            f"{what} of the commit {self._ref[:12]} cannot be read."
            f" {reason(error, 'contents: read')}"
        )


class LocalFiles:
    """A ``Reader`` over a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def __call__(self, path: str) -> bytes | None:
        """The content, ``None`` if there is no such file inside the directory."""
        if not is_inside(path):
            return None
        try:
            file = (self._root / path).resolve()
            return file.read_bytes() if file.is_relative_to(self._root) else None
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(f"{path} cannot be read ({type(error).__name__}).") from None


class NoFiles:
    """A ``Reader`` where there is nothing to read from: what is judged by it cannot pass."""

    def __init__(self, error: PrivacyGateError) -> None:
        self._error = error

    def __call__(self, path: str) -> bytes | None:
        """Raises why, whatever is asked for."""
        raise self._error


def commit_of(repository: Repository, ref: str) -> str:
    """The commit that a branch, tag or commit stands for, so that all files come from one."""
    try:
        return str(repository.get_commit(ref).raw_data["sha"])
    except Exception as error:
        raise UsageError(
            f"The ref {ref!r} cannot be found. {reason(error, 'contents: read')}"
        ) from None


def is_inside(path: str) -> bool:
    """Whether a path is relative and stays in its repository: ``a/b.yaml``, never ``../c``."""
    parts = path.split("/")
    return bool(path) and "\\" not in path and not {"", ".", ".."} & set(parts)
