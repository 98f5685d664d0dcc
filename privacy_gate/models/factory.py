"""The module of a torch model, built by the user's own function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from privacy_gate.errors import ModelError, PrivacyGateError
from privacy_gate.models.loaded import short

if TYPE_CHECKING:
    from torch import nn

    from privacy_gate.config import Config


def build_module(config: Config) -> nn.Module:
    """What ``model.factory`` returns for ``model.kwargs``; ``ModelError`` if that is no module."""
    from torch import nn

    settings = config.model
    location = config.location("model", "factory")
    if settings.factory is None:
        raise ModelError(
            "A file of weights needs the code that builds the model.",
            hint="Set model.factory: my_package.models:build",
            location=location,
        )
    factory = config.load_callable(settings.factory, "model", "factory")
    try:
        module = factory(**settings.kwargs)
    except PrivacyGateError:
        raise
    except Exception as error:
        raise ModelError(
            f"model.factory {settings.factory} raised {short(error)}.",
            hint="Check model.kwargs.",
            location=location,
        ) from error
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"model.factory {settings.factory} returned a {type(module).__name__}, not a "
            "torch.nn.Module.",
            location=location,
        )
    return module
