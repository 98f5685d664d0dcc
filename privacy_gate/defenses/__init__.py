"""Training and deploying with HAMP, a defence against membership inference (Chen & Pattabiraman,
NDSS 2024, arXiv 2307.01610). For training code: the gate itself never imports it.

``HampLoss`` trains towards uncertain predictions, ``HampOutput`` lets the deployed model show the
order of its outputs and nothing else. Names load torch when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from privacy_gate.defenses.loss import HampLoss as HampLoss
    from privacy_gate.defenses.output import HampOutput as HampOutput
    from privacy_gate.defenses.output import rank_matched as rank_matched
    from privacy_gate.defenses.samplers import bernoulli as bernoulli
    from privacy_gate.defenses.samplers import like as like
    from privacy_gate.defenses.samplers import uniform as uniform
    from privacy_gate.defenses.targets import label_smoothing as label_smoothing
    from privacy_gate.defenses.targets import soft_labels as soft_labels
    from privacy_gate.defenses.targets import top_probability as top_probability

_LAZY = {
    "HampLoss": "loss",
    "HampOutput": "output",
    "bernoulli": "samplers",
    "label_smoothing": "targets",
    "like": "samplers",
    "rank_matched": "output",
    "soft_labels": "targets",
    "top_probability": "targets",
    "uniform": "samplers",
}
__all__ = [
    "HampLoss",
    "HampOutput",
    "bernoulli",
    "label_smoothing",
    "like",
    "rank_matched",
    "soft_labels",
    "top_probability",
    "uniform",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'privacy_gate.defenses' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"privacy_gate.defenses.{_LAZY[name]}"), name)
    globals()[name] = value  # later look-ups find it at once
    return value
