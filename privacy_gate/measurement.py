"""Statistics and budgets for scores from any framework: no model, no fixtures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from privacy_gate.domain import Check, Metric, Outcome, Sizes, check_to_dict
from privacy_gate.errors import ExitCode, UsageError
from privacy_gate.statistics.roc import ties
from privacy_gate.statistics.scores import SortedScores, as_scores
from privacy_gate.statistics.summary import summary
from privacy_gate.terms import PlannedCheck
from privacy_gate.verdict import judge, outcome, wrong_directions

DEFAULT_RATES = (0.001, 0.01, 0.05, 0.1)
_NAME = "scores"


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """What was measured; ``to_dict()`` is the JSON of ``privacy-gate measure --json``."""

    members: int
    nonmembers: int
    confidence: float
    summary: Mapping[str, Any]
    ties: Mapping[str, int]
    checks: tuple[Check, ...]
    verdict: Outcome | None
    cautions: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """0 without budgets or within them, 1 above one, 3 where the scores do not decide."""
        return {
            None: ExitCode.PASS,
            "pass": ExitCode.PASS,
            "fail": ExitCode.FAIL,
            "inconclusive": ExitCode.INCONCLUSIVE,
            "error": ExitCode.ERROR,
        }[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": "privacy-gate.measure/1",
            "members": self.members,
            "nonmembers": self.nonmembers,
            "confidence": self.confidence,
            **self.summary,
            "ties": dict(self.ties),
            "cautions": list(self.cautions),
            "verdict": self.verdict,
            "checks": [check_to_dict(check) for check in self.checks],
        }


def measure(
    members: Any,
    nonmembers: Any,
    *,
    fpr: Sequence[float] = DEFAULT_RATES,
    fnr: Sequence[float] | None = None,
    budgets: Sequence[str] = (),
    confidence: float = 0.95,
    episode_size: int = 15,
    lower_is_member: bool = False,
) -> MeasureResult:
    """All statistics of two sets of scores, and verdicts for budgets such as
    ``tpr_at_fpr[0.01]<=0.05``.

    ``members`` (n,) and ``nonmembers`` (m,): real, finite, at least 2 each, **higher means more
    likely a member** unless ``lower_is_member`` (losses). ``fpr`` and ``fnr`` (default: those of
    ``fpr``): rates strictly between 0 and 1. Ties never help the attacker in an estimate or a lower
    bound, always in an upper bound. Raises ``SignalError`` or ``UsageError``.
    """
    rates = _rates(fpr, "fpr")
    inverse_rates = rates if fnr is None else _rates(fnr, "fnr")
    if not _is_number(confidence) or not 0.5 <= confidence < 1.0:
        raise UsageError(f"confidence must lie in [0.5, 1), not {confidence!r}.")
    if not isinstance(episode_size, int | np.integer) or not 5 <= episode_size <= 300:
        raise UsageError(f"episode_size must be a whole number in 5..300, not {episode_size!r}.")
    planned = [_planned(budget) for budget in _several(budgets, "budgets")]
    _refuse_duplicates(planned)
    sign = -1.0 if lower_is_member else 1.0
    sides = [sign * as_scores(members, "members"), sign * as_scores(nonmembers, "nonmembers")]
    scores = SortedScores.of(*sides)
    sizes = Sizes(sides[0].size, sides[1].size)
    wrong = wrong_directions({_NAME: scores})
    checks: list[Check] = []
    if planned:
        checks = judge(
            planned,
            {_NAME: scores},
            sizes,
            confidence=confidence,
            episode_size=episode_size,
            wrong_direction=wrong,
        )
    level = (1 - confidence) / 2
    return MeasureResult(
        members=sizes.members,
        nonmembers=sizes.nonmembers,
        confidence=confidence,
        summary=summary(
            scores, sizes, fpr=rates, fnr=inverse_rates, level=level, episode_size=episode_size
        ),
        ties=ties(np.concatenate(sides)),
        checks=tuple(checks),
        verdict=outcome(checks) if planned else None,
        cautions=(_WRONG_WAY.format(_CURE[bool(lower_is_member)]),) if wrong else (),
    )


_WRONG_WAY = (
    "The scores point the wrong way: non-members look credibly more like members than members do."
    " {} Otherwise the sides may be exchanged. This is not a sign of safety."
)
_CURE = {
    False: "If the scores are losses, say so: --lower-is-member, in Python lower_is_member=True.",
    True: "If a higher score means member, leave out --lower-is-member.",
}


def _rates(rates: Sequence[float], name: str) -> tuple[float, ...]:
    chosen = _several(rates, name)
    for rate in chosen:
        if not _is_number(rate) or not 0.0 < rate < 1.0:
            raise UsageError(f"{name} must lie strictly between 0 and 1, not {rate!r}.")
    return tuple(dict.fromkeys(float(rate) for rate in chosen))


def _several(values: Any, name: str) -> tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"{name} must be a list, not {values!r}.", hint=f"Write [{values!r}].")
    return tuple(values)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


_EXAMPLE = "Write for example 'tpr_at_fpr[0.01]<=0.05'."


def parse_budget(text: str) -> tuple[Metric, float]:
    """Read ``metric<=value``, for example ``tpr_at_fpr[0.01]<=0.05``."""
    if not isinstance(text, str):
        raise UsageError(f"A budget is a text, not {text!r}.", hint=_EXAMPLE)
    name, separator, value = text.partition("<=")
    try:
        metric, limit = Metric.parse(name), float(value)
    except ValueError as error:
        detail = str(error) if separator and "metric" in str(error) else f"cannot read {text!r}"
        raise UsageError(f"Wrong budget: {detail}.", hint=_EXAMPLE) from None
    if metric.audited:
        raise UsageError(
            f"{metric} needs a model and sets of records, not scores.",
            hint="Put it into a configuration, under budgets.",
        )
    if not 0.0 < limit < 1.0:
        raise UsageError(f"The budget of {metric} must lie strictly between 0 and 1, not {value}.")
    return metric, limit


def _planned(text: str) -> PlannedCheck:
    metric, limit = parse_budget(text)
    return PlannedCheck(attack=_NAME, metric=metric, budget=limit)


def _refuse_duplicates(planned: Sequence[PlannedCheck]) -> None:
    seen: set[str] = set()
    for check in planned:
        if check.id in seen:
            raise UsageError(f"Two budgets for {check.metric}.", hint="Keep the stricter one.")
        seen.add(check.id)
