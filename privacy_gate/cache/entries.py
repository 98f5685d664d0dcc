"""The entries of a cache: found, made, authenticated, evicted."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.cache.naming import canonical
from privacy_gate.cache.ownership import open_own
from privacy_gate.domain import keyed_hash

LIMIT = 1 << 30
"""Bytes that a cache directory holds at most; what was not used for longest goes first."""

Arrays = Mapping[str, NDArray[Any]]

_ENDING = ".entry"
_MAC_BYTES = 32
_CHUNK_BYTES = 1 << 20
_ABANDONED_SECONDS = 24 * 3600
_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What was kept: named ``arrays`` in C order, and ``facts`` of JSON values."""

    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Cache:
    """The entries in one ``directory``; without one nothing is kept, and nothing found.

    ``secret`` names and authenticates entries, ``limit`` in bytes. ``made`` holds the names of the
    entries that this run kept, ``used`` the kinds of those that it found from earlier ones.
    Processes may share a directory: an entry appears whole or not at all.
    """

    directory: Path | None = None
    secret: bytes = field(default=b"", repr=False)
    limit: int = LIMIT
    made: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def get_or_make(
        self, kind: str, parts: Mapping[str, Any], make: Callable[[], Arrays]
    ) -> dict[str, NDArray[Any]]:
        """The arrays of the entry; made, and kept, if there is none. Either way they are the same
        bit for bit, and in C order."""
        found = self.get(kind, parts)
        if found is not None:
            return found.arrays
        made = {name: np.asarray(array, order="C") for name, array in make().items()}
        self.put(kind, parts, made)
        return made

    def get(self, kind: str, parts: Mapping[str, Any]) -> Entry | None:
        """The entry, ``None`` if there is none that can be trusted."""
        if self.directory is None:
            return None
        path = self._path(self.directory, kind, parts)
        try:
            with open_own(path) as stream:
                entry = self._read(stream, path.name)
                os.utime(stream.fileno())  # others go before it
        except _DAMAGE:
            return None
        if path.name not in self.made:
            self.used.add(kind)
        return entry

    def put(
        self,
        kind: str,
        parts: Mapping[str, Any],
        arrays: Arrays,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep ``arrays`` of numbers or text, and ``facts``; a full disk is no error."""
        if self.directory is None:
            return
        path = self._path(self.directory, kind, parts)
        temporary: str | None = None
        try:
            handle, temporary = tempfile.mkstemp(dir=self.directory)  # mode 0600
            with os.fdopen(handle, "w+b") as stream:
                self._write(stream, path.name, arrays, facts or {})
                size = stream.seek(0, os.SEEK_END)
            if size <= self.limit:
                os.replace(temporary, path)
                self.made.add(path.name)
            self._evict(self.directory)
        except OSError:
            pass
        finally:
            if temporary is not None:
                _remove(Path(temporary))

    def _path(self, directory: Path, kind: str, parts: Mapping[str, Any]) -> Path:
        name = keyed_hash(self.secret, "cache-name", canonical(kind, parts)).hex()
        return directory / f"{kind}-{name}{_ENDING}"

    def _write(
        self, stream: IO[bytes], name: str, arrays: Arrays, facts: Mapping[str, Any]
    ) -> None:
        if any(array.dtype.hasobject for array in arrays.values()):
            raise TypeError("Python objects cannot be kept")
        about = json.dumps({"names": list(arrays), "facts": facts}, allow_nan=False).encode()
        numbered = {f"array{place}": array for place, array in enumerate(arrays.values())}
        stream.write(bytes(_MAC_BYTES))
        np.savez(stream, about=np.frombuffer(about, np.uint8), **numbered)  # type: ignore[arg-type]
        code = self._authentication(stream, name)
        stream.seek(0)
        stream.write(code)

    def _read(self, stream: IO[bytes], name: str) -> Entry:
        """Raises what ``_DAMAGE`` lists for anything but what ``_write`` wrote under this name."""
        code = stream.read(_MAC_BYTES)
        if not hmac.compare_digest(code, self._authentication(stream, name)):
            raise ValueError("not an entry of this cache")
        stream.seek(_MAC_BYTES)
        with np.load(stream, allow_pickle=False) as archive:
            about = json.loads(archive["about"].tobytes())
            arrays = {array: archive[f"array{at}"] for at, array in enumerate(about["names"])}
        return Entry(arrays, about["facts"])

    def _authentication(self, stream: IO[bytes], name: str) -> bytes:
        """The code over the entry's name and all that follows the place of the code itself."""
        found = hmac.new(self.secret, b"cache-content\0" + name.encode(), hashlib.sha256)
        stream.seek(_MAC_BYTES)
        while chunk := stream.read(_CHUNK_BYTES):
            found.update(chunk)
        return found.digest()

    def _evict(self, directory: Path) -> None:
        """Remove what was not used for longest until the rest is within the limit, and what a
        killed process left unfinished."""
        entries, oldest = [], time.time() - _ABANDONED_SECONDS
        for path in directory.iterdir():
            with suppress(OSError):  # another process may have removed it
                status = path.lstat()
                if path.suffix == _ENDING:
                    entries.append((status.st_mtime_ns, status.st_size, path))
                elif status.st_mtime < oldest and path.name.startswith(tempfile.gettempprefix()):
                    _remove(path)
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit:
                break
            _remove(path)
            total -= size


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
