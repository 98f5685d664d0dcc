"""Budgets: a metric, its argument, and the largest value or increase that is tolerated."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Tag
from pydantic_core import PydanticCustomError

from privacy_gate.config.values import Maximum, Rate, Section, SetName, Texts, wrong
from privacy_gate.domain import Metric


class BudgetBase(Section):
    """What all budgets have in common."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": ["max"]}, {"required": ["max_increase"]}],
            "dependentRequired": {"warn_at": ["max"]},
        }
    )

    max: Maximum | None = None
    """Largest value that is tolerated."""
    max_increase: Maximum | None = None
    """Largest increase over the baseline that is tolerated."""
    warn_at: Rate | None = None
    """An estimate above it is reported, the verdict unchanged; needs max."""
    attacks: Texts | None = None
    """Attacks or suites the budget is for; default: all."""
    informational: bool | None = None
    """Whether it is shown only and decides nothing; default: no, but for ood_fpr and ece."""

    @property
    def metric_key(self) -> Metric:
        """The metric with its argument."""
        name: str = getattr(self, "metric")  # noqa: B009  declared by every subclass
        argument = Metric.ARGUMENTS[name]
        return Metric(name, None if argument is None else getattr(self, argument))

    @property
    def decides(self) -> bool:
        """Whether the verdict of the run depends on it."""
        return not (self.metric_key.audited if self.informational is None else self.informational)

    @property
    def limits(self) -> dict[str, float]:
        """The largest value by the ending of the check's id: none, or ``:increase``."""
        both = {"": self.max, ":increase": self.max_increase}
        return {ending: limit for ending, limit in both.items() if limit is not None}


class TprBudget(BudgetBase):
    """True-positive rate of an attack at a fixed false-positive rate."""

    metric: Literal["tpr_at_fpr"]
    fpr: Rate
    """False-positive rate."""


class TnrBudget(BudgetBase):
    """True-negative rate of an attack at a fixed false-negative rate."""

    metric: Literal["tnr_at_fnr"]
    fnr: Rate
    """False-negative rate."""


class LogMiaBudget(BudgetBase):
    """Log-MIA, the mean over episodes."""

    metric: Literal["log_mia"]
    regime: Literal["a", "b"]
    """Non-members an attacker may mistake: a, none; b, the logarithm of an episode's records."""


class AucBudget(BudgetBase):
    """Area under the ROC curve."""

    metric: Literal["auc"]


class AdvantageBudget(BudgetBase):
    """Largest difference of true-positive and false-positive rate."""

    metric: Literal["advantage"]


class OodFprBudget(BudgetBase):
    """Share of a set of records, none of them a member, that an attack calls members."""

    metric: Literal["ood_fpr"]
    set: SetName
    """Set of records: nonmembers, generated, a transform, or an ood set of the fixtures."""


class EceBudget(BudgetBase):
    """Expected calibration error of the model on evaluation non-members."""

    metric: Literal["ece"]


def _metric_tag(value: Any) -> str:
    metric = value["metric"] if isinstance(value, dict) else value.metric
    return f"<{metric}>"


def _known_metric(value: Any) -> Any:
    if isinstance(value, BudgetBase):
        return value
    if not isinstance(value, dict):
        raise wrong("expected a mapping such as {metric: tpr_at_fpr, fpr: 0.01, max: 0.1}")
    if "metric" not in value:
        raise PydanticCustomError("missing_metric", "is required")
    if value["metric"] not in tuple(Metric.ARGUMENTS):
        raise PydanticCustomError("unknown_metric", "unknown metric")
    return value


Budget = Annotated[
    Annotated[TprBudget, Tag("<tpr_at_fpr>")]
    | Annotated[TnrBudget, Tag("<tnr_at_fnr>")]
    | Annotated[LogMiaBudget, Tag("<log_mia>")]
    | Annotated[AucBudget, Tag("<auc>")]
    | Annotated[AdvantageBudget, Tag("<advantage>")]
    | Annotated[OodFprBudget, Tag("<ood_fpr>")]
    | Annotated[EceBudget, Tag("<ece>")],
    Discriminator(_metric_tag),
    BeforeValidator(_known_metric),
]
