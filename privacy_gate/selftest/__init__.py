"""``privacy-gate selftest``: does the gate cry wolf on these records and with this model?

Membership is permuted over whole records, in all splits, and everything that uses it is made
again: attacks learn again and verdicts are reached again. Whoever is called a member then was drawn
by lot, so there is nothing to find, and what the gate finds all the same it makes up. It says
nothing about a difference between the sides that was there before any training.
"""
