"""The overconfidence audit (Hintersdorf, Struppek & Kersting, IJCAI 2022).

A confident model calls many records members that nobody trained on, so that a single verdict of an
attack is no evidence. The audit fixes each threshold on calibration non-members and counts false
alarms: on evaluation non-members, on transforms of them, on generated records and on the ood sets
of the fixtures. It is informational: no verdict depends on it unless a budget says so.
"""

from privacy_gate.overconfidence.answers import Asker
from privacy_gate.overconfidence.audit import Audit, audit
from privacy_gate.overconfidence.counts import SetCalls

__all__ = ["Asker", "Audit", "SetCalls", "audit"]
