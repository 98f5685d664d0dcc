"""The four things that can be added: a model back-end, a task, an attack, a report format.

Each is one module plus one line in ``registry.py``; the conformance tests run over all registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from privacy_gate.domain import Evidence, Float, Integer, Outputs, Report, Scores


class Model(Protocol):
    """A loaded model that answers batches; opened, used from one thread, closed."""

    device: str
    """The device in use, for example ``cpu`` or ``cuda:0``."""

    def forward(self, inputs: Mapping[str, NDArray[Any]]) -> Outputs:
        """Answer one batch of preprocessed inputs, model input name -> (b, …).

        Raises ``MemoryError`` when the batch does not fit, so that the caller can halve it.
        """
        ...

    def close(self) -> None:
        """Free the device."""
        ...


class Task(Protocol):
    """Turns the outputs of a batch into per-record signals."""

    def signals(self, outputs: Outputs, labels: NDArray[Any]) -> dict[str, Float]:
        """Name -> (b,) float64, higher means more likely a member."""
        ...

    def predicted(self, outputs: Outputs) -> Integer | None:
        """(b,) predicted class positions, ``None`` where the task has no classes."""
        ...


class Attack(Protocol):
    """A small frozen object that scores records."""

    @property
    def name(self) -> str:
        """Its name in a configuration."""
        ...

    @property
    def family(self) -> str:
        """The suite it counts to."""
        ...

    @property
    def access(self) -> str:
        """What the attacker must see: ``labels``, ``scores``, ``features`` or ``gradients``."""
        ...

    @property
    def queries_per_record(self) -> int:
        """How often the model is asked about each record."""
        ...

    @property
    def reads(self) -> frozenset[str]:
        """What it reads beside the signals: ``features``, ``outputs``, ``queries`` (of changed
        records)."""
        ...

    def score(self, evidence: Evidence) -> Scores:
        """One score for every record, higher means more likely a member."""
        ...


class Renderer(Protocol):
    """A pure function from the report to a text."""

    def __call__(self, report: Report) -> str: ...
