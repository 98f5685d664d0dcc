"""Which directory a run keeps its entries in, if any."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from privacy_gate.cache.entries import Cache
from privacy_gate.cache.ownership import is_private
from privacy_gate.errors import UsageError
from privacy_gate.fixtures.key import DIRECTORY

VARIABLE = "PRIVACY_GATE_CACHE"

OFF = "off"
"""The word in the place of a directory where nothing is to be kept."""


def open_cache(
    wanted: str | os.PathLike[str] | None,
    root: Path,
    secret: bytes,
    environment: Mapping[str, str] = os.environ,
) -> Cache:
    """The cache in the directory ``wanted``, else in ``PRIVACY_GATE_CACHE``, else in
    ``.privacy_gate/cache`` below ``root``. The word ``off`` in its place turns caching off; so does
    the variable ``CI`` where nothing is said.

    The directory is made, mode 0700. Raises ``UsageError`` for one that others could write to, or
    that was asked for and cannot be made.
    """
    named = os.fspath(wanted) if wanted is not None else environment.get(VARIABLE, "").strip()
    if named == OFF or (not named and environment.get("CI")):
        return Cache()
    directory = Path(named).absolute() if named else root / DIRECTORY / "cache"
    if not hasattr(os, "geteuid"):
        if not named:
            return Cache()
        raise _refusal(directory, "has no owner on this system")
    for place in (directory,) if named else (directory.parent, directory):
        if place.is_symlink():
            raise _refusal(place, "is a symbolic link")
    try:
        _make(directory)
    except OSError as error:
        if not named:  # a checkout that cannot be written to has no cache
            return Cache()
        raise UsageError(
            f"The cache directory {directory} cannot be made: {error.strerror}."
        ) from None
    if not is_private(directory.lstat()):
        raise _refusal(directory, "belongs to somebody else, or others can write to it")
    return Cache(directory, secret)


def _make(directory: Path) -> None:
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    ignore = directory / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def _refusal(place: Path, why: str) -> UsageError:
    return UsageError(
        f"The cache directory {place} {why}, so its entries cannot be trusted.",
        hint=f"Remove it, name another one with --cache DIR, or set {VARIABLE}={OFF}.",
    )
