"""Tasks: from raw model outputs to per-record signals."""
