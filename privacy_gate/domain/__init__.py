"""The core types, all frozen. Data flows one way: fixtures, signals, scores, checks, report.

Sign convention, everywhere: **a higher score means "more likely a member"**.
"""

from privacy_gate.domain.numbers import (
    Boolean,
    Float,
    Integer,
    Measurement,
    Method,
    Metric,
    Sizes,
    decimal,
    keyed_hash,
    random_generator,
)
from privacy_gate.domain.outcome import ReportSet, exit_code
from privacy_gate.domain.pipeline import (
    Evidence,
    Fixtures,
    Outputs,
    ReceiptFacts,
    Records,
    Scores,
    Signals,
    Split,
    Tuning,
)
from privacy_gate.domain.report import (
    AttackResult,
    Change,
    Characteristic,
    Check,
    Comparison,
    FixtureCheck,
    Interval,
    Outcome,
    Report,
    Verdict,
    check_to_dict,
)

__all__ = [
    "AttackResult",
    "Boolean",
    "Change",
    "Characteristic",
    "Check",
    "Comparison",
    "Evidence",
    "FixtureCheck",
    "Fixtures",
    "Float",
    "Integer",
    "Interval",
    "Measurement",
    "Method",
    "Metric",
    "Outcome",
    "Outputs",
    "ReceiptFacts",
    "Records",
    "Report",
    "ReportSet",
    "Scores",
    "Signals",
    "Sizes",
    "Split",
    "Tuning",
    "Verdict",
    "check_to_dict",
    "decimal",
    "exit_code",
    "keyed_hash",
    "random_generator",
]
