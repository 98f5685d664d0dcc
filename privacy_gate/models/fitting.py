"""Which arguments of a factory build exactly the weights of a file: tried on the meta device, where
tensors have shapes but no memory."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from privacy_gate.models.factory import build_module

if TYPE_CHECKING:
    from privacy_gate.config import Config

Shapes = Mapping[str, tuple[int, ...]]
"""Name of a weight -> its shape."""

_MOST_TRIES = 200


def fitting_arguments(
    config: Config, names: Sequence[str], shapes: Shapes
) -> dict[str, int] | None:
    """Whole numbers for the arguments ``names`` of ``model.factory`` with which it builds every
    weight of ``shapes``, tried among the sizes that occur in them; ``None`` unless exactly one
    choice fits. The other arguments are those of ``model.kwargs``."""
    sizes = sorted({size for shape in shapes.values() for size in shape})
    fitting = []
    if len(sizes) ** len(names) > _MOST_TRIES:
        return None
    for values in itertools.product(sizes, repeat=len(names)):
        arguments = dict(zip(names, values, strict=True))
        if _fits(config, arguments, shapes):
            fitting.append(arguments)
    return fitting[0] if len(fitting) == 1 else None


def _fits(config: Config, arguments: Mapping[str, Any], shapes: Shapes) -> bool:
    import torch

    kwargs = {**config.model.kwargs, **arguments}
    model = config.model.model_copy(update={"kwargs": kwargs})
    settings = config.settings.model_copy(update={"model": model})
    try:
        with torch.device("meta"), torch.random.fork_rng():
            module = build_module(replace(config, settings=settings))
    except Exception:  # whatever a wrong argument leads to
        return False
    own = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    return all(own.get(name) == shape for name, shape in shapes.items())
