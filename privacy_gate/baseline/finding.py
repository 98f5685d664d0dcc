"""Which baseline a run is compared with, and whether it can be, before any model is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from privacy_gate.baseline.file import UPDATE, BaselineFile, read_baseline
from privacy_gate.baseline.scores import scores_path
from privacy_gate.config import Config
from privacy_gate.config.paths import shown_path
from privacy_gate.config.pinned import pinned
from privacy_gate.errors import ConfigError
from privacy_gate.terms import number

_MEASURING = ("task", "signals", "splits", "statistics.", "fixtures.label", "attacks.")
"""Settings that decide what is measured; the model's own may differ from the baseline's."""

NONE_YET = "No baseline yet: increases are not judged; `privacy-gate baseline update` makes one."

_ASSUMED = "The fixtures' members are taken to be members of both models."


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the candidate is compared with: a ``model`` file, the ``aggregates`` of ``file``, or
    ``none`` where there is no such file yet."""

    kind: Literal["model", "aggregates", "none"]
    path: Path
    shown: str
    file: BaselineFile | None = None
    scores: Path | None = None
    """File of the baseline's own scores, if it is there."""

    @property
    def paired(self) -> bool:
        """Whether models are compared record by record."""
        return self.kind == "model" or self.scores is not None

    def facts(self, candidate: str | None = None) -> dict[str, Any]:
        """``Report.baseline``; ``candidate`` is the digest of the model that is judged."""
        file = self.file
        return {
            "kind": self.kind,
            "path": self.shown,
            "model_sha256": None if file is None else file.model.sha256,
            "judged": None if file is None else len(set(file.judged) - {candidate}),
            "message": self._message(candidate),
        }

    def _message(self, candidate: str | None) -> str:
        if self.kind == "none":
            return NONE_YET
        if self.file is None:
            return f"Compared with {self.shown}, record by record. {_ASSUMED}"
        found = f"Compared with {self.shown} of {self.file.date[:10]}"
        if candidate == self.file.model.sha256:
            return f"{found}: that is this very model."
        others = len(set(self.file.judged) - {candidate})
        how = (
            "record by record, with its stored scores."
            if self.paired
            else "aggregates only, so the intervals of both models are subtracted."
        )
        return (
            f"{found}: {how}"
            f" {others} other model{'s' if others != 1 else ''} judged on these fixtures so far."
            f" {_ASSUMED}"
        )


def find_baseline(config: Config, fixtures_sha256: str) -> Baseline | None:
    """The baseline of a configuration, ``None`` if it names none.

    Raises ``ConfigError`` for a baseline file that is damaged, or that was made on other fixtures,
    at another confidence or with other settings: its numbers say nothing about this run then.
    """
    if config.baseline_model is not None:
        path = config.baseline_model
        return Baseline("model", path, shown_path(path, config.root))
    if config.baseline_path is None:
        return None
    path, shown = config.baseline_path, shown_path(config.baseline_path, config.root)
    if not path.exists():
        return Baseline("none", path, shown)
    file = read_baseline(path, shown)
    _refuse_other_terms(file, config, fixtures_sha256, shown)
    scores = scores_path(path)
    kept = file.scores_sha256 is not None and scores.exists()
    return Baseline("aggregates", path, shown, file, scores if kept else None)


def measuring_settings(config: Config) -> dict[str, str]:
    """The settings that decide what is measured, as text."""
    every = pinned(config.settings, None)
    return {key: text for key, text in every.items() if key.startswith(_MEASURING)}


def _refuse_other_terms(
    file: BaselineFile, config: Config, fixtures_sha256: str, shown: str
) -> None:
    if file.fixtures_sha256 != fixtures_sha256:
        raise ConfigError(
            f"The baseline was made on other fixtures ({file.fixtures_sha256[:12]}, not"
            f" {fixtures_sha256[:12]}).",
            hint=UPDATE,
            location=shown,
        )
    confidence = config.statistics.confidence
    if file.confidence != confidence:
        raise ConfigError(
            f"The baseline was made at confidence {number(file.confidence)}, not"
            f" {number(confidence)}.",
            hint=UPDATE,
            location=shown,
        )
    here = measuring_settings(config)
    for key, text in file.settings.items():
        if key in here and here[key] != text:
            raise ConfigError(
                f"The baseline was made with another setting of {key}.",
                hint=UPDATE,
                location=shown,
            )
