"""A score attack on another surface of the model than the one that is shown."""

from __future__ import annotations

from dataclasses import dataclass

from privacy_gate.domain import Evidence, Scores
from privacy_gate.protocols import Attack


@dataclass(frozen=True, slots=True)
class OnSurface:
    """``attack`` on the ``surface`` ``raw`` (the scores behind the output) or ``averaged`` (the
    mean of repeated answers); the evidence it is given holds the signals of that surface."""

    attack: Attack
    surface: str

    @property
    def name(self) -> str:
        """``loss@raw``."""
        return f"{self.attack.name}@{self.surface}"

    @property
    def family(self) -> str:
        """That of the attack."""
        return self.attack.family

    @property
    def access(self) -> str:
        """``raw-scores`` or ``averaged-scores``."""
        return f"{self.surface}-{self.attack.access}"

    @property
    def queries_per_record(self) -> int:
        """That of the attack, on its surface."""
        return self.attack.queries_per_record

    @property
    def reads(self) -> frozenset[str]:
        """What the attack reads."""
        return self.attack.reads

    def score(self, evidence: Evidence) -> Scores:
        """The scores of the attack."""
        return self.attack.score(evidence)
