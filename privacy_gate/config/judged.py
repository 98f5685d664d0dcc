"""The terms that count: those of the candidate, and those of its base branch where one is named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from privacy_gate.config.base import GitFiles
from privacy_gate.config.paths import find_root
from privacy_gate.config.schema import Settings, WarnUntil
from privacy_gate.config.source import Source
from privacy_gate.config.terms_reader import read_terms
from privacy_gate.domain import Change
from privacy_gate.errors import ConfigError, UsageError
from privacy_gate.terms import TRUST, Terms, changes, stricter


@dataclass(frozen=True, slots=True)
class Judged:
    """The terms to judge by, how the candidate's own differ from those of the base branch, the
    ``ref`` and ``commit`` these were read from, and what a reader should know about it."""

    terms: Terms
    changes: tuple[Change, ...] = ()
    base: Mapping[str, str] | None = None
    cautions: tuple[str, ...] = ()


def judged(head: Terms, path: str | os.PathLike[str], ref: str | None) -> Judged:
    """The stricter of the candidate's terms and those of the file at the same place on ``ref``.

    Raises ``UsageError`` if ``ref`` cannot be read, ``ConfigError`` if the file there is broken.
    """
    if ref is None:
        return Judged(head)
    root, place = _in_repository(path)
    files = GitFiles(root, ref)
    base = read_terms(files, place, ref)
    where = f"{ref} ({files.commit[:7]})"
    if base is None:
        missing = f"There is no {place} on {where} yet, so no terms could be compared with it."
        return Judged(head, cautions=(missing,))
    unknown = (
        f"The digest of the fixtures is not known on {where}, so a change of them would go"
        " unnoticed: set fixtures.sha256."
    )
    return Judged(
        terms=stricter(base, head),
        changes=changes(base, head),
        base={"ref": ref, "commit": files.commit},
        cautions=() if base.fixtures_sha256 else (unknown,),
    )


def _in_repository(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """The top level, and the path as named: to follow a link would let a candidate choose which
    file of the base branch it is compared with."""
    named = Path(os.path.abspath(path))
    root = find_root(named.parent)
    if not (root / ".git").exists():
        raise UsageError(
            f"{named} is in no git repository, so it has no base branch.",
            hint="Leave out --policy-ref and PRIVACY_GATE_POLICY_REF, or run in the clone.",
        )
    return root, named.relative_to(root).as_posix()


def judged_settings(settings: Settings, terms: Terms, source: Source) -> Settings:
    """The settings with what the terms make stricter: confidence, tolerance and trust.

    Raises ``ConfigError`` where the model needs ``trust: code`` and the base branch forbids it.
    """
    tolerance = (
        "fail"
        if terms.warn_until is None
        else WarnUntil(warn_until=terms.warn_until, reason=terms.warn_reason)
    )
    statistics = {"confidence": terms.confidence, "on_inconclusive": tolerance}
    model = settings.model
    if model.trust == "code" and terms.pinned[TRUST] != "code":
        if model.format != "onnx":
            raise ConfigError(
                "The model may not run code: model.trust is weights on the base branch.",
                hint="Use safetensors or ONNX, or merge the change of model.trust first.",
                location=source.location(("model", "trust")),
            )
        model = model.model_copy(update={"trust": "weights"})
    return settings.model_copy(
        update={"statistics": settings.statistics.model_copy(update=statistics), "model": model}
    )
