"""What the audit says in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from privacy_gate.overconfidence.counts import DRIFT, Evidence
from privacy_gate.protocols import Attack
from privacy_gate.registry import split_family, split_surface


def sentence(
    target: float,
    calibration: int,
    rates: Sequence[tuple[str, Mapping[str, float]]],
    evidence: Evidence,
) -> str:
    """The flat sentence about one attack. ``rates``: set off the distribution -> its false alarm
    rate with an interval; empty together with too few ``calibration`` non-members."""
    if not rates:
        needed = math.ceil(1 / target) - 1
        if calibration < needed:
            return (
                f"No threshold can be set: a false positive rate of {target:g} takes at least"
                f" {needed} calibration non-members, and there are {calibration}."
            )
        return (
            "There is no out-of-distribution data, so whether a single verdict is evidence is open."
        )
    name, worst = max(rates, key=lambda item: (item[1]["estimate"], item[1]["high"]))
    start = (
        f"On out-of-distribution data this attack calls up to {_percent(worst['estimate'])} members"
        f" ({name}; {_percent(worst['low'])} to {_percent(worst['high'])}; target"
        f" {_percent(target)})"
    )
    if evidence == "no":
        return f"{start}, so a single verdict is not evidence."
    if evidence == "yes":
        return f"{start}, so a single verdict is evidence on data like these."
    return (
        f"{start}; there are too few records to tell whether it stays within {DRIFT:g} times the"
        " target, so a single verdict is not shown to be evidence."
    )


def left_out_reason(attack: Attack) -> str:
    """Why an attack is not tried on the sets."""
    if split_family(attack.name) is not None:
        return "it learns from labelled records and scores a record beside others"
    if attack.name == "correctness":
        return "it says whether a prediction is right, which means nothing without a true label"
    if split_surface(attack.name)[1]:
        return "it sees other scores than those that are shown"
    if attack.queries_per_record > 1:
        return "it asks about many changed copies of each record"
    return "only attacks that read one score of one record are tried"


def _percent(share: float) -> str:
    """A share in per cent, with a decimal where it is small."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"
