"""pytest-xdist: a configuration goes to one worker, so that its model is loaded once."""

from __future__ import annotations

from typing import Any

import pytest

from privacy_gate.pytest_plugin import SUFFIXES

_ONE_WORKER_PER_FILE = ("load", "loadgroup", "loadfile", "loadscope")


def distribution(config: pytest.Config) -> str:
    """What is done about pytest-xdist, empty if it is not used.

    Raises ``UsageError`` for a distribution that would load the model in every worker.
    """
    option = config.option
    if not getattr(option, "tx", None) or hasattr(config, "workerinput"):
        return ""
    if option.dist not in _ONE_WORKER_PER_FILE:
        raise pytest.UsageError(
            f"privacy_gate: --dist {option.dist} would load the model in every worker;"
            " give --dist load."
        )
    return "one worker judges each configuration"


def scheduler(config: pytest.Config, log: Any) -> Any:
    """A scheduler that keeps the checks of a configuration together and spreads all else as
    ``--dist load`` and ``loadgroup`` do. ``None`` for the others, which never split a file."""
    if config.getoption("dist") not in ("load", "loadgroup"):
        return None
    from xdist.scheduler import LoadGroupScheduling

    class OneWorkerPerConfiguration(LoadGroupScheduling):  # type: ignore[misc]  # untyped
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file.endswith(SUFFIXES) else str(super()._split_scope(nodeid))

    return OneWorkerPerConfiguration(config, log)
