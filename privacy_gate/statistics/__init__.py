"""Every number of a report: pure functions of score arrays, numpy and ``scipy.special`` only.

``scores`` sorts once; ``rate_at_rate`` (TPR at FPR, TNR at FNR), ``log_mia``, ``auc`` and
``advantage`` measure; ``null`` holds the exact law without leakage; ``multiplicity`` and
``planning`` serve the verdicts; ``metrics`` maps a metric's name to its statistic; ``reported`` and
``plausible`` rebuild measurements from a report that nobody vouches for.
"""
