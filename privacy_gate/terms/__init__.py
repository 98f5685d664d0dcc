"""The terms a model is judged by: checks, error rates, waivers, and what else must not change
unnoticed. They come from the configuration, the policy and the base branch; the strictest counts.
"""

from privacy_gate.terms.acceptance import CAN_BLOCK, blocking, held_back, held_verdicts
from privacy_gate.terms.differences import changes, number
from privacy_gate.terms.exceptions import waiver_cautions, waiver_facts
from privacy_gate.terms.merging import stricter
from privacy_gate.terms.types import TRUST, PlannedCheck, Terms, Waiver

__all__ = [
    "CAN_BLOCK",
    "TRUST",
    "PlannedCheck",
    "Terms",
    "Waiver",
    "blocking",
    "changes",
    "held_back",
    "held_verdicts",
    "number",
    "stricter",
    "waiver_cautions",
    "waiver_facts",
]
