"""The threshold suite: one signal is the score, the threshold is all there is to learn."""

from __future__ import annotations

from dataclasses import dataclass

from privacy_gate.domain import Evidence, Scores
from privacy_gate.errors import SignalError


@dataclass(frozen=True, slots=True)
class ThresholdAttack:
    """Scores records by one signal column, one query per record."""

    name: str
    signal: str
    access: str = "scores"
    family: str = "threshold"
    queries_per_record: int = 1
    reads: frozenset[str] = frozenset()

    def score(self, evidence: Evidence) -> Scores:
        """The signal itself. Raises ``SignalError`` when it is missing."""
        columns = evidence.signals.columns
        if self.signal not in columns:
            raise SignalError(
                f"The attack {self.name!r} reads the signal {self.signal!r}, which is not there.",
                hint=f"There are: {', '.join(sorted(columns)) or 'none'}. If the model returns"
                " labels only, set model.output.kind: labels.",
            )
        return Scores(columns[self.signal])


LOSS = ThresholdAttack("loss", "loss")
CONFIDENCE = ThresholdAttack("confidence", "confidence")
ENTROPY = ThresholdAttack("entropy", "entropy")
MODIFIED_ENTROPY = ThresholdAttack("modified-entropy", "modified-entropy")
MARGIN = ThresholdAttack("margin", "margin")
CORRECTNESS = ThresholdAttack("correctness", "correctness", access="labels")
