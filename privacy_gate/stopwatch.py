"""Seconds per step of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STEPS = ("load", "forward", "attacks", "overconfidence", "calibration", "statistics")


class Stopwatch:
    """Adds up wall-clock seconds by step; ``started`` on the clock of ``time.monotonic``."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.seconds = dict.fromkeys(STEPS, 0.0)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the body as part of a step."""
        clock = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] += time.monotonic() - clock

    def timing(self, forward_passes: int | None) -> dict[str, Any]:
        """The report's ``timing`` object; ``None`` passes where they were not counted."""
        return {
            "total": time.monotonic() - self.started,
            **self.seconds,
            "forward_passes_per_record": forward_passes,
        }
