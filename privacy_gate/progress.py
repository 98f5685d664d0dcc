"""A progress bar for the command, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from privacy_gate.signals import Progress


@contextmanager
def bar() -> Iterator[Progress]:
    """A bar that shows records answered by the model and vanishes when it is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("records"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("records", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
