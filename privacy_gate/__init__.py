"""A CI gate against privacy regressions in machine-learning models.

Importing this package loads nothing heavy: pytest imports it on every start, asked for or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from privacy_gate.config import load_config as load_config
    from privacy_gate.domain import Report as Report
    from privacy_gate.gate import run as run
    from privacy_gate.measurement import measure as measure

__version__ = "0.1.0"

_LAZY = {
    "Report": "privacy_gate.domain",
    "load_config": "privacy_gate.config",
    "measure": "privacy_gate.measurement",
    "run": "privacy_gate.gate",
}
__all__ = ["Report", "__version__", "load_config", "measure", "run"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'privacy_gate' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value  # later look-ups find it at once
    return value
