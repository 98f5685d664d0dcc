"""Where features come from: a layer inside a torch module, or a further output of any model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from privacy_gate.errors import ModelError
from privacy_gate.models.selection import listing, nearest, select

if TYPE_CHECKING:
    from torch import nn

    from privacy_gate.config import Config

Features = Callable[[Any], Any]
"""What the model returned -> the features of the batch."""


def feature_name(config: Config) -> tuple[str, str | None]:
    """The configured layer or output and the place of its key; ``ModelError`` if there is none."""
    location: str | None = config.location("model", "features")
    if config.model.features is None:
        raise ModelError(
            "An attack needs features, and it is not said where the model has them.",
            hint="Set model.features: {name: a layer (torch) or an output (other formats)}.",
            location=location,
        )
    return config.model.features.name, location


def output_features(config: Config) -> Features:
    """Features from the output ``model.features.name``; digits are the position in a tuple."""
    name, location = feature_name(config)
    key = int(name) if name.isdecimal() else name
    return lambda returned: select(returned, key, location)


def wrapped_module(config: Config, module: nn.Module) -> tuple[nn.Module, str | None] | None:
    """The submodule named in ``model.output.raw``, whose answers a wrapper changes, and the part of
    them that is meant (``module:part``); ``None`` where none is named. ``ModelError`` when there is
    no such submodule."""
    if config.model.output.raw is None:
        return None
    name, _, part = config.model.output.raw.partition(":")
    found: dict[str, nn.Module] = {path: inner for path, inner in module.named_modules() if path}
    if name not in found:
        raise ModelError(
            f"The model has no submodule {name!r} to take raw scores from.",
            hint=nearest(name, [*found]) or f"Submodules: {listing([*found])}.",
            location=config.location("model", "output", "raw"),
        )
    return found[name], part or None


def layer_features(config: Config, module: nn.Module) -> Features:
    """Features from the submodule ``model.features.name``, caught by a hook as it runs.

    ``ModelError`` when there is no such layer, and later when it runs more or less than once per
    forward pass.
    """
    name, location = feature_name(config)
    layers = {layer: submodule for layer, submodule in module.named_modules() if layer}
    if name not in layers:
        raise ModelError(
            f"The model has no layer {name!r}.",
            hint=nearest(name, [*layers]) or f"Layers: {listing([*layers])}.",
            location=location,
        )
    caught: list[Any] = []

    def forget(*_: Any) -> None:  # what a failed pass may have left
        caught.clear()

    def catch(_layer: Any, _inputs: Any, output: Any) -> None:
        caught.append(output)

    def features(_returned: Any) -> Any:
        if len(caught) != 1:
            raise ModelError(
                f"The layer {name!r} ran {len(caught)} times in one forward pass, not once.",
                hint="Name a layer that runs once in model.features.name.",
                location=location,
            )
        return select(caught.pop(), None, location)

    module.register_forward_pre_hook(forget)
    layers[name].register_forward_hook(catch)
    return features
