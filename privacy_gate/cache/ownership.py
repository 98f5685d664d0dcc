"""Files and directories that nobody else can have written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def is_private(status: os.stat_result) -> bool:
    """Whether nobody but this process's user can change the file or directory."""
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@contextmanager
def open_own(path: Path) -> Iterator[IO[bytes]]:
    """A regular file of this user, for reading. Raises ``OSError`` for anything else, a link to
    such a file included."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe must not be waited for
    with os.fdopen(os.open(path, flags), "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or not is_private(status):
            raise OSError("not a file of this user")
        yield stream
