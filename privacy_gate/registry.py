"""Names -> ``module:attribute``, resolved on first use, so that naming a thing imports nothing.

Third parties add attacks through the entry-point group ``privacy_gate.attacks``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    "noise-robustness": "privacy_gate.attacks.label_only.noise:NoiseRobustness",
    "augmentation-robustness": "privacy_gate.attacks.label_only.augment:AugmentationRobustness",
    "boundary-distance": "privacy_gate.attacks.label_only.boundary:BoundaryDistance",
}
"""Attacks by name; a target that is a class is called with the options."""

FAMILIES = {
    "anchored": "privacy_gate.attacks.few_shot.attack:anchored",
    "simple-shot": "privacy_gate.attacks.few_shot.attack:simple_shot",
    "laplacian-shot": "privacy_gate.attacks.few_shot.attack:laplacian_shot",
    "transductive": "privacy_gate.attacks.few_shot.transductive:TransductiveTuning",
}
"""Attacks named ``family-K`` for K shots; the target is called with K and the options."""

SUITES = {
    "few-shot": ("anchored-5", "simple-shot-5", "laplacian-shot-5"),
    "label-only": ("correctness", "noise-robustness", "augmentation-robustness"),
    "threshold": ("loss", "confidence", "entropy", "modified-entropy", "margin", "correctness"),
}

AUDITED_ATTACKS = ("loss", "confidence", "entropy", "modified-entropy", "margin")
"""Attacks whose false alarms the overconfidence audit counts: their score of a record depends on
this record alone, and not on whether the prediction is right."""

_ON_SURFACE = "privacy_gate.attacks.surfaces:OnSurface"

LABELS_ONLY = frozenset({*SUITES["label-only"], "boundary-distance"})
"""Attacks that see nothing but the label that the model answers."""

MODEL = "model"
"""Stands in the place of an attack in the id of a check of the model itself (``model/ece``)."""

MOST_SHOTS = 1000

_LEARNING = {"noise-robustness", "augmentation-robustness", "boundary-distance"}
"""Attacks outside of the families that are made from support and calibration records."""

RENDERERS = {
    "json": "privacy_gate.report.json_report:render",
    "markdown": "privacy_gate.report.markdown:render",
    "html": "privacy_gate.report.html:render",
    "sarif": "privacy_gate.report.sarif:render",
    "terminal": "privacy_gate.report.terminal:render",
}
"""Format -> what renders one report."""

SET_RENDERERS = {
    "json": "privacy_gate.report.json_report:render_set",
    "markdown": "privacy_gate.report.markdown:render_set",
    "html": "privacy_gate.report.html:render_set",
    "sarif": "privacy_gate.report.sarif:render_set",
}
"""Format -> what renders the reports of a matrix as one text."""


def resolve(target: str) -> Any:
    """Import ``module:attribute`` and return the attribute."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def split_family(name: str) -> tuple[str, int] | None:
    """``anchored-5`` -> ("anchored", 5); ``None`` for any other name."""
    family, _, shots = name.rpartition("-")
    known = family in FAMILIES and shots.isdecimal() and str(int(shots)) == shots
    return (family, int(shots)) if known and 1 <= int(shots) <= MOST_SHOTS else None


def learns(name: str) -> bool:
    """Whether the attack of this name is made from records of the support and calibration splits,
    so that the evaluation records are no random sample of what it could be tried on."""
    return name in _LEARNING or split_family(name) is not None


def on_surfaces(names: Iterable[str], surfaces: Iterable[str]) -> tuple[str, ...]:
    """Each attack of ``names``, followed by the same on every surface where it sees other scores:
    ``loss``, ``loss@raw``."""
    return tuple(
        name
        for base in names
        for name in (base, *(f"{base}@{s}" for s in surfaces if base in AUDITED_ATTACKS))
    )


def split_surface(name: str) -> tuple[str, str]:
    """``loss@raw`` -> ("loss", "raw"); the surface of any other name is empty."""
    base, _, surface = name.partition("@")
    return base, surface


def open_attack(name: str, options: Mapping[str, Any]) -> Any:
    """The attack of this name. Raises ``TypeError`` for options that it does not take."""
    base, surface = split_surface(name)
    if surface:
        return resolve(_ON_SURFACE)(open_attack(base, options), surface)
    family = split_family(name)
    if family is not None:
        return resolve(FAMILIES[family[0]])(family[1], **options)
    found = resolve(ATTACKS[name] if name in ATTACKS else attack_targets()[name])
    if isinstance(found, type):
        return found(**options)
    if options:
        raise TypeError(f"the attack {name!r} takes no options")
    return found


def attack_targets() -> dict[str, str]:
    """All attacks by name: ours, then those of installed packages (which cannot replace ours)."""
    third_party = {point.name: point.value for point in entry_points(group="privacy_gate.attacks")}
    return {**third_party, **ATTACKS}
