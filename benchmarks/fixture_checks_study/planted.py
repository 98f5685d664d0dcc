"""The planted faults: on which set, the check that is named after them, and what is alarmed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fixture_checks_study import faults
from fixture_checks_study.faults import Fault
from fixture_checks_study.judging import (
    alarms,
    exchanged,
    logits_of,
    with_model,
    without_model,
)
from fixture_checks_study.pools import PICTURES, Sides
from privacy_gate.domain import Signals
from privacy_gate.errors import PrivacyGateError
from privacy_gate.fixtures.columns import Roles
from privacy_gate.fixtures.identity import check_apart, identify
from privacy_gate.guards import refuse_constant

Alarming = Callable[[Sides, np.random.Generator], set[str]]
"""Sound sides that are to be spoilt -> the checks that raise an alarm then."""


def model_free(fault: Fault) -> Alarming:
    """A fault that the checks without a model have to find."""
    return lambda sides, generator: alarms(without_model(fault(sides, generator), generator))


def on_both_sides(sides: Sides, generator: np.random.Generator) -> set[str]:
    """What opening the fixtures refuses."""
    spoilt = faults.shared_patient(sides, generator)
    roles = Roles(labels=("y",), group="group")
    identities = []
    for member in (True, False):
        records = faults.part(spoilt, member)
        columns = {"x": records.inputs, "y": records.labels, "group": records.groups}
        identities.append(identify(columns, roles, "sides"))
    try:
        check_apart(*identities)
    except PrivacyGateError as error:
        return {error.check or ""} | alarms(without_model(sides, generator))
    return alarms(without_model(sides, generator))


def swapped(sides: Sides, generator: np.random.Generator) -> set[str]:
    """A model that knows its members by heart, and sides the wrong way round. The refusal names
    ``direction``; ``accuracy`` is part of what it rests on and no other alarm."""
    logits = logits_of(faults.part(sides, True), sides.records)
    rows = np.roll(np.arange(len(logits)), len(logits) - sides.members)
    sides, logits = faults.exchanged(sides, generator), logits[rows]
    found = alarms(without_model(sides, generator))
    labels, is_member = sides.records.labels, sides.is_member
    seen = alarms(with_model(logits, labels, is_member, generator))
    refused = exchanged(logits, labels, is_member, "direction" in seen)
    return found | {refused} | (seen - {"accuracy", "direction"}) if refused else found | seen


def constant(sides: Sides, generator: np.random.Generator) -> set[str]:
    """A signal of one's own that is the same for every record."""
    found = alarms(without_model(sides, generator))
    try:
        refuse_constant(Signals({"own": np.zeros(len(sides.records.labels))}))
    except PrivacyGateError as error:
        return found | {error.check or ""}
    return found


FAULTS: tuple[tuple[str, str, str, Alarming], ...] = (
    ("dates half a year later", "SMS", "blind-baseline", model_free(faults.later_dates)),
    ("years in the texts 3 later", "documents", "blind-baseline", model_free(faults.later_years)),
    *(
        (f"pictures brighter by {faults.BRIGHTER}/255", name, "blind-baseline",
         model_free(faults.brighter))
        for name in PICTURES[:4]
    ),
    *(
        ("2/3 of half the classes missing", name, "label-shift", model_free(faults.other_labels))
        for name in ("cifar10", "adult", "SMS")
    ),
    ("half of one class missing", "cifar10", "label-shift", model_free(faults.one_rarer_label)),
    *(
        ("5 near copies in 1 000", name, "duplicates", model_free(faults.near_copies))
        for name in ("cifar10", "mnist", "location30", "documents")
    ),
    ("a patient on both sides", "diabetes130", "groups", on_both_sides),
    ("sides exchanged", "location30", "direction", swapped),
    ("constant scores", "location30", "ties", constant),
)  # fmt: skip
"""Fault, set, the check that is named after it, and what is alarmed by it."""
