"""``privacy-gate advise``: what can be done about a leak, with numbers where there are any.

What changes scores on their way out is tried at once, on the calibration split, so that evaluation
records decide verdicts only. Every remedy is shown with what attackers get who need no scores, so
that nobody mistakes hiding a leak for removing it. What needs training again is listed, not tried.
"""
