"""How often sound fixtures may be called faulty."""

from privacy_gate.verdict import DIRECTION_LEVEL

FAMILY = 0.05 / 20
"""A false alarm anywhere in 20 sound fixture sets has a chance of 5 %: so much for each set."""

BY_CHANCE = ("blind-baseline", "duplicates", "groups", "label-shift", "accuracy")
"""The checks that compare the sides by a test, beside ``direction``."""

LEVEL = round((FAMILY - DIRECTION_LEVEL) / len(BY_CHANCE), 9)
"""What each of them may be wrong with: 0.0003. That is below the 0.01/C over C checks, and below
the 0.001 under randomised assignment, that statistics.md (section 8) allows at most."""
