"""The baseline's own scores, kept beside its file where that was asked for, so that models can be
compared record by record without the baseline model. Unlike the file these say something about
single records: they stay out of git."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privacy_gate.baseline.file import UPDATE, BaselineFile
from privacy_gate.domain import Fixtures, Float, keyed_hash
from privacy_gate.errors import ConfigError, UsageError

_DIGEST_COLUMNS = 2


def scores_path(path: Path) -> Path:
    """``baseline.json`` -> ``baseline.scores.npy``."""
    return path.with_suffix(".scores.npy")


def write_scores(path: Path, ranks: Mapping[str, Float], data: Fixtures) -> str:
    """Write one row per record: a digest of it in two numbers, then its rank for each attack.
    Returns the SHA-256 of the file. Raises ``UsageError`` where it cannot be written."""
    columns = [_digests(data), *(values.astype(np.uint64)[:, None] for values in ranks.values())]
    table = np.hstack(columns)
    stream = io.BytesIO()
    np.save(stream, table[np.lexsort(table[:, :_DIGEST_COLUMNS].T)], allow_pickle=False)
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as target:
            target.write(stream.getvalue())
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise UsageError(f"The scores cannot be written: {error.strerror}.") from None
    return hashlib.sha256(stream.getvalue()).hexdigest()


def read_scores(path: Path, shown: str, file: BaselineFile, data: Fixtures) -> dict[str, Float]:
    """Attack -> (records,) its ranks, in the order of the fixtures.

    Raises ``ConfigError`` for a file that is not the one that was written with ``file``, or that is
    not of these records.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _broken(shown, f"cannot be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != file.scores_sha256:
        raise _broken(shown, "are not those that were written with it")
    try:
        table = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except ValueError:
        raise _broken(shown, "are no array") from None
    columns = _DIGEST_COLUMNS + len(file.attacks)
    if table.dtype != np.uint64 or table.shape != (data.is_member.size, columns):
        raise _broken(shown, "are not of these records and attacks")
    own = _digests(data)
    order = np.lexsort(own.T)
    if not np.array_equal(table[:, :_DIGEST_COLUMNS], own[order]):
        raise _broken(shown, "are of other records")
    ranks = np.empty((data.is_member.size, len(file.attacks)))
    ranks[order] = table[:, _DIGEST_COLUMNS:]
    if not (np.sort(ranks, axis=0) == np.arange(len(ranks))[:, None]).all():
        raise _broken(shown, "are no ranks")
    return {name: ranks[:, place].copy() for place, name in enumerate(file.attacks)}


def _digests(data: Fixtures) -> NDArray[np.uint64]:
    """(records, 2) a keyed hash per record."""
    key = data.sha256.encode()
    parts = (keyed_hash(key, "baseline-record", row.tobytes())[:16] for row in data.identifiers)
    found: NDArray[np.uint64] = np.frombuffer(b"".join(parts), dtype="<u8").reshape(-1, 2)
    return found


def _broken(shown: str, what: str) -> ConfigError:
    return ConfigError(f"The scores of the baseline {what}.", hint=UPDATE, location=shown)
