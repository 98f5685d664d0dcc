"""Open the configured model: check the file, check the pin, hand over to the back-end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from privacy_gate.errors import ModelError
from privacy_gate.models.model_file import check_model_path, model_sha256
from privacy_gate.registry import MODELS, resolve

if TYPE_CHECKING:
    from privacy_gate.config import Config
    from privacy_gate.models.loaded import LoadedModel


def open_model(config: Config, *, features: bool = False) -> LoadedModel:
    """The model, ready for ``forward``; with ``features`` it also answers ``Outputs.features``.

    ``ModelError``: the file is missing, empty or a Git LFS pointer; its digest differs from
    ``model.sha256`` (decided before a back-end sees the file); its format can run code and
    ``model.trust`` is not ``code``; or the back-end cannot load it. The digest ends up in the
    ``sha256`` attribute.
    """
    settings = config.model
    path = config.model_path
    check_model_path(path, settings.format, config.location("model", "path"))
    if settings.format not in MODELS:
        raise ModelError(
            f"No model format is called {settings.format!r}.",
            hint=f"Formats: {', '.join(MODELS)}.",
            location=config.location("model", "format"),
        )
    digest = model_sha256(path, settings.format, config.location("model", "path"))
    if settings.sha256 and settings.sha256.lower() != digest:
        raise ModelError(
            f"The model file {path} has the SHA-256 {digest}, not the one it is pinned to.",
            hint="If the model was meant to change, update model.sha256.",
            location=config.location("model", "sha256"),
        )
    model: LoadedModel = resolve(MODELS[settings.format])(config, features)
    model.sha256 = digest
    return model
