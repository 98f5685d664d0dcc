"""Evaluation records a side that one budget needs: ``python benchmarks/records_needed.py``.

A model that leaks nothing passes the check with probability 0.95, at 95 % confidence; exact, from
the formulas, rounded up to two digits.
"""

from __future__ import annotations

from privacy_gate.domain import Metric
from privacy_gate.statistics.planning import Target, records_needed, round_up

BUDGETS = {0.01: (0.10, 0.05, 0.03, 0.02), 0.001: (0.02, 0.01, 0.005)}


def main() -> None:
    """Print a Markdown table."""
    print("| FPR | budget | records a side |\n| --- | --- | --- |")
    for fpr, budgets in BUDGETS.items():
        for budget in budgets:
            records = records_needed(Target(Metric("tpr_at_fpr", fpr), budget), level=0.025)
            print(f"| {fpr:g} | {budget:g} | {round_up(records or 0):,.0f} |")


if __name__ == "__main__":
    main()
