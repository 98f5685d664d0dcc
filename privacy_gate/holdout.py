"""For training code: which records to leave out, and a receipt of what was trained on.

    holdout = Holdout(rate=0.2)
    receipt = Receipt()
    train = [record for record in records if not holdout.is_left_out(record.name)]
    ...
    receipt.saw([record.name for record in train])
    receipt.write("models/receipt.safetensors", model="models/candidate.safetensors")

A record is left out by a keyed coin of its identifier alone. That needs no list, gives the same
answer on every machine, and does not change when data are added: membership is randomised, which is
what makes the gate's numbers mean something. ``fixtures build --from`` flips the same coins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privacy_gate.domain import Boolean
from privacy_gate.errors import FixtureError, UsageError
from privacy_gate.fixtures.columns import values_of
from privacy_gate.fixtures.identity import Digests, content_digests, value_digests
from privacy_gate.fixtures.key import KEY_BYTES, current_key, fingerprint, project_root
from privacy_gate.fixtures.receipt import TrainingReceipt, hashes, write_receipt
from privacy_gate.fixtures.split import flip

Identifiers = Sequence[str] | Sequence[int] | NDArray[Any]


class Holdout:
    """Leaves each record out of training with probability ``rate``, strictly between 0 and 1.

    The key is ``key`` (32 bytes), else ``PRIVACY_GATE_KEY``, else ``.privacy_gate/key`` below
    ``root`` (default: the git top level above the working directory, as for the commands), which
    is created if there is none.
    """

    def __init__(
        self,
        rate: float,
        *,
        key: bytes | None = None,
        root: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        if not 0 < rate < 1:
            raise UsageError("The rate of records left out must lie strictly between 0 and 1.")
        self.rate = rate
        self._key = _key(key, root, environment)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the key."""
        return fingerprint(self._key)

    def left_out(self, identifiers: Identifiers, *, groups: bool = False) -> Boolean:
        """(N,) whether training must leave each record out.

        ``identifiers``: N integers or texts, as in the fixtures' identifier column; with
        ``groups``, those of the group column, so that a group is never divided. Raises
        ``FixtureError`` for anything else than integers or texts.
        """
        digests = value_digests(_column(identifiers), "group" if groups else "identifier")
        return flip(self._key, "membership", digests, self.rate)

    def is_left_out(self, identifier: str | int, *, group: bool = False) -> bool:
        """The same for one record."""
        return bool(self.left_out([identifier], groups=group)[0])  # type: ignore[arg-type]


class Receipt:
    """Collects what training saw; ``write`` binds it to the model. The key as for ``Holdout``."""

    def __init__(
        self,
        *,
        key: bytes | None = None,
        root: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._key = _key(key, root, environment)
        self._seen: set[bytes] = set()
        self._identified_by: str | None = None

    def saw(self, identifiers: Identifiers) -> None:
        """Note records by identifier; call it once or for every batch, repeats do no harm."""
        self._add("identifier", value_digests(_column(identifiers), "identifier"))

    def saw_contents(self, **inputs: ArrayLike) -> None:
        """Note records by content, where fixtures have no identifiers: the raw input columns
        (N, …) by the names and types they have in the fixtures, such as ``x=images``."""
        columns = {name: np.asarray(values) for name, values in inputs.items()}
        self._add("content", content_digests(columns, "what training saw"))

    def write(
        self, path: str | os.PathLike[str], *, model: str | os.PathLike[str]
    ) -> TrainingReceipt:
        """Write the receipt of the model file ``model``, which must exist already."""
        if self._identified_by is None:
            raise UsageError(
                "The receipt is empty: nothing was noted.", hint="Call saw() for what was trained."
            )
        receipt = TrainingReceipt(
            seen=frozenset(self._seen),
            model_sha256=_model_digest(Path(model)),
            key=fingerprint(self._key),
            identified_by=self._identified_by,
        )
        write_receipt(Path(path), receipt)
        return receipt

    def _add(self, identified_by: str, digests: Digests) -> None:
        if self._identified_by not in (None, identified_by):
            raise UsageError("A receipt names records by identifier or by content, not both.")
        self._identified_by = identified_by
        self._seen |= hashes(self._key, digests)


def _column(identifiers: Identifiers) -> NDArray[Any]:
    column = np.asarray(identifiers)
    if column.ndim != 1 or column.dtype.kind not in "iuUS":
        raise FixtureError(
            f"Identifiers must be integers or texts, one per record, not {column.dtype} of shape"
            f" {column.shape}.",
            hint="Convert them: numpy turns a mixture of numbers and None into objects.",
        )
    return values_of(column, "identifiers", "what was given")


def _model_digest(path: Path) -> str:
    """The digest as the gate computes it, external data and shards included."""
    from privacy_gate.models.model_file import check_model_path, model_sha256

    model_format = "onnx" if path.suffix == ".onnx" else "torch"
    check_model_path(path, model_format, None)
    return model_sha256(path, model_format)


def _key(
    key: bytes | None, root: str | os.PathLike[str] | None, environment: Mapping[str, str]
) -> bytes:
    if key is None:
        place = project_root(Path.cwd()) if root is None else Path(root)
        return current_key(place, environment)
    if len(key) != KEY_BYTES:
        raise UsageError(f"A split key has {KEY_BYTES} bytes, not {len(key)}.")
    return key
