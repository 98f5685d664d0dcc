"""Load a state dict into a module, all of it and nothing else, and say what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from privacy_gate.errors import ModelError
from privacy_gate.models.factory import build_module
from privacy_gate.models.loaded import short

if TYPE_CHECKING:
    import torch
    from torch import nn

    from privacy_gate.config import Config


def load_strictly(
    module: nn.Module, state: Mapping[str, torch.Tensor], location: str | None = None
) -> None:
    """Copy ``state`` into ``module``.

    ``ModelError`` when a name is missing or unexpected or a shape differs. A missing name is fine
    only if its tensor is the same memory as one that was loaded (tied weights, which safetensors
    stores once).
    """
    _check_shapes(module, state, location)
    try:
        result = module.load_state_dict(state, strict=False)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"The weights do not fit the model ({short(error)}).", location=location
        ) from error
    missing = _untied(module, state, result.missing_keys)
    if missing or result.unexpected_keys:
        raise ModelError(
            f"The weights do not fit the model: {_few('missing', missing)}, "
            f"{_few('unexpected', result.unexpected_keys)}.",
            hint=_hint(set(module.state_dict()), set(state)),
            location=location,
        )


LARGE_BYTES = 64 << 20
"""Weights from here on are worth building the module without memory of its own."""


def adopt(config: Config, state: Mapping[str, torch.Tensor]) -> nn.Module | None:
    """The factory's module with ``state`` itself as its weights, so that large weights are in
    memory once instead of twice; ``None`` where that is not possible.

    The factory runs on the meta device, where tensors have no memory. It is not possible for small
    weights (not worth it), when the factory needs real numbers, or when the file does not hold
    every tensor of the module in the module's own type: then the usual way loads it, or says what
    is wrong.
    """
    import torch

    if sum(tensor.nbytes for tensor in state.values()) < LARGE_BYTES:
        return None
    try:
        with torch.device("meta"), torch.random.fork_rng():
            module = build_module(config)
        wanted = {name: (t.shape, t.dtype) for name, t in module.state_dict().items()}
        if wanted != {name: (t.shape, t.dtype) for name, t in state.items()}:
            return None
        module.load_state_dict(state, assign=True)
    except Exception:  # whatever it is, the usual way reports it
        return None
    tensors = (*module.parameters(), *module.buffers())
    return None if any(tensor.is_meta for tensor in tensors) else module


def _check_shapes(
    module: nn.Module, state: Mapping[str, torch.Tensor], location: str | None
) -> None:
    from torch.nn.parameter import is_lazy

    for name, expected in module.state_dict().items():
        if name not in state or is_lazy(expected):
            continue
        found = state[name]
        if found.shape != expected.shape:
            raise ModelError(
                f"{name} has the shape {tuple(found.shape)} in the file but "
                f"{tuple(expected.shape)} in the model.",
                hint="Check model.kwargs, for example the number of classes, and model.factory.",
                location=location,
            )
        if found.is_floating_point() != expected.is_floating_point():
            raise ModelError(
                f"{name} holds {found.dtype} in the file but {expected.dtype} in the model.",
                hint="Quantised weights need the factory that builds the quantised model, or ONNX.",
                location=location,
            )


def _untied(
    module: nn.Module, state: Mapping[str, torch.Tensor], missing: Iterable[str]
) -> list[str]:
    own = module.state_dict()
    loaded = {(own[name].data_ptr(), own[name].shape) for name in state if name in own}
    return [
        name
        for name in missing
        if name not in own or (own[name].data_ptr(), own[name].shape) not in loaded
    ]


def _few(what: str, names: list[str]) -> str:
    shown = f" ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})" if names else ""
    return f"{len(names)} {what}{shown}"


def _hint(expected: set[str], found: set[str]) -> str:
    first = min(found)
    for name in expected:
        prefix = first.removesuffix(name)
        if prefix == first or not prefix:
            continue
        if {key.removeprefix(prefix) for key in found if key.startswith(prefix)} == expected:
            return f'Set model.strip_prefix: "{prefix}"'
    return "Check model.factory and model.kwargs: they must build the model that was trained."
