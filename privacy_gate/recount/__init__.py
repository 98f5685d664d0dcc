"""A report judged again from its own numbers, by terms that its author did not choose.

The job that measures runs code of the pull request, so its report is a claim. What can be computed
again is: TPR and TNR from their counts; the correction for all checks; which attacks point the
wrong way; which checks are missing; waivers, tolerance and which fixture checks are accepted; every
sentence. Of AUC, Log-MIA, the advantage and increases a report holds the interval only, so another
budget can give a pass or leave them undecided, never a fail that the report did not have. What
contradicts itself is no pass and makes the report incomplete, so that no tolerance covers it.

Not seen from here: whether the counts are those of the model; whether the model guesses, answers at
random or misses its expected accuracy (the run refuses those, exit 2); what fixture checks found;
curves, histograms and operating points; cautions. Whoever controls the measuring job can invent
numbers that agree with each other: the report attested on the default branch is the record.
"""

from privacy_gate.recount.reports import recount

__all__ = ["recount"]
