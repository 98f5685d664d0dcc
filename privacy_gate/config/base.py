"""The files of the base branch, read from git: a candidate cannot change them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from privacy_gate.errors import ConfigError, UsageError

_SECONDS = 60
_SYMLINK = b"120000"
_COMMIT = r"[0-9a-fA-F]{40,64}"


class GitFiles:
    """A ``Reader`` over the tree of a commit.

    ``root``: top level of the repository. ``ref``: a commit, branch or tag; a name means the branch
    of ``origin`` before anything else of that name, since that is where pull requests are merged.
    Raises ``UsageError`` if it is not in this clone, or git cannot read the repository.
    """

    def __init__(self, root: Path, ref: str) -> None:
        self.root = root
        self.ref = ref
        self.commit = self._resolve()

    def __call__(self, path: str) -> bytes | None:
        """The content of a file, ``None`` if there is none. Raises ``ConfigError`` for a symbolic
        link, which could lead anywhere."""
        entry = self._git("ls-tree", "-z", "--full-tree", self.commit, "--", path)
        if not entry:
            return None
        mode, kind, name = entry.partition(b"\t")[0].split()
        if mode == _SYMLINK:
            raise ConfigError(
                "This file is a symbolic link on the base branch, which is not followed.",
                hint="Replace the link by the file.",
                location=f"{self.ref}:{path}",
            )
        return self._git("cat-file", "blob", name.decode()) if kind == b"blob" else None

    def _resolve(self) -> str:
        if not self.ref.strip() or self.ref.startswith("-") or not self.ref.isprintable():
            raise UsageError(
                f"{self.ref!r} names no branch, tag or commit.",
                hint="Write, for example, --policy-ref origin/main.",
            )
        self._git("rev-parse", "--git-dir")
        for candidate in _candidates(self.ref):
            name = f"{candidate}^{{commit}}"
            try:
                found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", name)
            except UsageError:
                continue
            return found.decode().strip()
        raise UsageError(
            f"The ref {self.ref!r} is not in this clone.",
            hint="Fetch it; with actions/checkout, set fetch-depth: 0.",
        )

    def _git(self, *arguments: str) -> bytes:
        """What git prints. A failure is an error, never an absent file."""
        environment = {
            **os.environ,
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        try:
            done = subprocess.run(
                ["git", "-C", str(self.root), *arguments],
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                env=environment,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise self._unreadable(f"Running git raised {type(error).__name__}.") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").split("\n")[0]
            raise self._unreadable("".join(filter(str.isprintable, said)) or "git failed.")
        return done.stdout

    def _unreadable(self, reason: str) -> UsageError:
        return UsageError(
            f"git cannot read {self.ref!r} in {self.root}, so the base branch is unknown.",
            hint=reason,
        )


def _candidates(ref: str) -> Iterator[str]:
    """Names for git, the most trusted first: anyone who may push a tag could name it ``main``."""
    if not ref.startswith(("HEAD", "@", "refs/")) and not re.fullmatch(_COMMIT, ref):
        yield f"refs/remotes/origin/{ref}"
        yield f"refs/remotes/{ref}"
        yield f"refs/heads/{ref}"
    yield ref
