"""Attacks: from signals to one score per record, higher means more likely a member."""
