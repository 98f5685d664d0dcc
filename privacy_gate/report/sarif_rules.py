"""The rules of the SARIF report: what each finding means and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """``precision`` and ``severity`` (0 to 10) as code scanning reads them."""

    id: str
    name: str
    title: str
    meaning: str
    cure: str
    precision: str
    severity: str

    def to_dict(self) -> dict[str, Any]:
        """A ``reportingDescriptor``."""
        return {
            "id": self.id,
            "name": self.name,
            "shortDescription": {"text": self.title},
            "fullDescription": {"text": self.meaning},
            "help": {
                "text": f"{self.meaning}\n\n{self.cure}",
                "markdown": f"{self.meaning}\n\n**What to do:** {self.cure}",
            },
            "defaultConfiguration": {"level": "error"},
            "properties": {
                "tags": ["security", "privacy", "machine-learning", "membership-inference"],
                "precision": self.precision,
                "security-severity": self.severity,
            },
        }


_TRAIN = (
    "Train with less memorisation: stop earlier, regularise, clean the labels, or train with"
    " differential privacy. If the result is inconclusive, add evaluation records or choose a"
    " budget that these records can certify."
)

RULES = (
    Rule(
        "PG001",
        "MembersRecognised",
        "An attack recognises training records at a low false positive rate",
        "TPR at FPR: the share of the training records that a membership inference attack"
        " recognises while it wrongly calls only a small share of outsiders members. The bound of"
        " its exact confidence interval is compared with the budget.",
        _TRAIN,
        "very-high",
        "7.5",
    ),
    Rule(
        "PG002",
        "NonmembersRecognised",
        "An attack identifies non-members at a low false negative rate",
        "TNR at FNR: the share of outsiders that an attack excludes while it misses only a small"
        " share of the training records. A model can hide its members well and still give away who"
        " was not in the data. The bound of the exact confidence interval is compared with the"
        " budget.",
        _TRAIN,
        "very-high",
        "7.0",
    ),
    Rule(
        "PG003",
        "LogMia",
        "Log-MIA is above its budget",
        "Log-MIA: how many members an attack finds before its first false positives, on a"
        " logarithmic scale from 0 to 1, as the mean over small episodes. Without any leakage it is"
        " not 0; the report shows that value beside it.",
        _TRAIN,
        "high",
        "6.5",
    ),
    Rule(
        "PG004",
        "AreaUnderCurve",
        "An attack tells members from non-members",
        "AUC: the chance that a random training record scores above a random outsider; 0.5 without"
        " leakage.",
        _TRAIN,
        "high",
        "6.0",
    ),
    Rule(
        "PG005",
        "Advantage",
        "The advantage of an attack is above its budget",
        "Advantage: the largest difference between the true and the false positive rate over all"
        " thresholds of an attack.",
        _TRAIN,
        "very-high",
        "6.0",
    ),
    Rule(
        "PG006",
        "IncreaseOverBaseline",
        "The model leaks more than its baseline",
        "The increase of a metric over the baseline model is not known to stay within the budget"
        " for it, though the metric itself may still be within its own.",
        "Find out what changed in the training since the baseline. If the increase is meant, have"
        " the baseline updated on the default branch.",
        "high",
        "6.0",
    ),
    Rule(
        "PG007",
        "TermsChanged",
        "The terms of the gate differ from the base branch",
        "A budget was loosened, a check dropped, the fixtures exchanged, or something else changed"
        " that a model is judged by. The stricter of both terms counts.",
        "Take the change back, or have it reviewed and merged on its own before the model.",
        "very-high",
        "8.0",
    ),
    Rule(
        "PG008",
        "GateError",
        "The gate could not run",
        "The run ended in an error, so nothing is known about the model. That is never a pass.",
        "Correct what the message names and run the gate again.",
        "very-high",
        "5.0",
    ),
    Rule(
        "PG009",
        "NoResult",
        "A configured model or check has no result",
        "A configured model has no report, or a configured check was not run. Nothing unmeasured"
        " ever passes.",
        "Run the gate for every configured model, with all of its checks.",
        "very-high",
        "5.0",
    ),
    Rule(
        "PG010",
        "FixtureCheck",
        "The fixtures may not carry the verdict",
        "A check of the fixtures themselves did not pass: members and non-members may differ in"
        " more than training, which can inflate or hide leakage.",
        "Build the fixtures again, best by coin flips before training.",
        "high",
        "5.0",
    ),
    Rule(
        "PG011",
        "OtherBudget",
        "A metric is not within its budget",
        "A metric that this version of the rules does not know is not within its budget.",
        "Read the message of the finding.",
        "medium",
        "5.0",
    ),
    Rule(
        "PG012",
        "FalseAlarms",
        "The model answers too surely where it knows nothing",
        "An attack calls too many records members that nobody trained on, or the calibration error"
        " of the model is too large: its scores are no measure of how sure it can be.",
        "Train the model to be less confident away from its training data, or calibrate it; see the"
        " audit of overconfidence in the report.",
        "high",
        "4.0",
    ),
)

PLACES: Mapping[str, int] = {rule.id: place for place, rule in enumerate(RULES)}
"""Rule -> its place in ``RULES``."""

OF_METRIC: Mapping[str, str] = {
    "tpr_at_fpr": "PG001",
    "tnr_at_fnr": "PG002",
    "log_mia": "PG003",
    "auc": "PG004",
    "advantage": "PG005",
    "ood_fpr": "PG012",
    "ece": "PG012",
}
"""Metric -> rule."""
