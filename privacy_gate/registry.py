"""Names -> ``module:attribute``, resolved on first use, so that naming a thing imports nothing.

Third parties add attacks through the entry-point group ``privacy_gate.attacks``.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

MODELS = {
    "torch": "privacy_gate.models.torch_model:open_torch",
    "torchscript": "privacy_gate.models.torch_model:open_torchscript",
    "exported": "privacy_gate.models.torch_model:open_exported",
    "onnx": "privacy_gate.models.onnx_model:open_onnx",
}

TASKS = {
    "classification": "privacy_gate.tasks.classification:Classification",
    "custom": "privacy_gate.tasks.custom:Custom",
}

ATTACKS = {
    "loss": "privacy_gate.attacks.threshold:LOSS",
    "confidence": "privacy_gate.attacks.threshold:CONFIDENCE",
    "entropy": "privacy_gate.attacks.threshold:ENTROPY",
    "modified-entropy": "privacy_gate.attacks.threshold:MODIFIED_ENTROPY",
    "margin": "privacy_gate.attacks.threshold:MARGIN",
    "correctness": "privacy_gate.attacks.threshold:CORRECTNESS",
}

SUITES = {
    "threshold": ("loss", "confidence", "entropy", "modified-entropy", "margin", "correctness"),
}

RENDERERS = {
    "json": "privacy_gate.report.json_report:render",
    "terminal": "privacy_gate.report.terminal:render",
}


def resolve(target: str) -> Any:
    """Import ``module:attribute`` and return the attribute."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def attack_targets() -> dict[str, str]:
    """All attacks by name: ours, then those of installed packages (which cannot replace ours)."""
    third_party = {point.name: point.value for point in entry_points(group="privacy_gate.attacks")}
    return {**third_party, **ATTACKS}
