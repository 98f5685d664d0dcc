"""Read a file of weights without running anything it holds, and load it strictly."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privacy_gate.errors import ModelError
from privacy_gate.models.loaded import short
from privacy_gate.models.model_file import weight_files
from privacy_gate.models.selection import listing

if TYPE_CHECKING:
    import torch

PICKLED = (".pt", ".pth", ".bin", ".ckpt")
FORCED = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
SAVE_HINT = (
    "Save the state_dict alone: "
    "safetensors.torch.save_file(model.state_dict(), 'model.safetensors')."
)


def read_weights(
    path: Path,
    *,
    trusted: bool = False,
    weights_key: str | None = None,
    strip_prefix: str | None = None,
    location: Callable[..., str | None] = lambda *_: None,
) -> dict[str, torch.Tensor]:
    """The state dict in a ``.safetensors``, ``.pt``, ``.pth``, ``.bin`` or ``.ckpt`` file, or in
    all ``.safetensors`` files of a directory (shards of one model).

    ``weights_key`` picks a nested dict, ``strip_prefix`` is cut off every name. ``trusted`` admits
    torch 2.6 to 2.9 for pickled files. ``ModelError`` for a file that is damaged, holds anything
    but named tensors, could run code, or holds NaN.
    """
    where = location("model", "path")
    if path.is_dir():
        content: Any = _read_shards(path, where)
    elif path.suffix == ".safetensors":
        content = _read_safetensors(path, where)
    elif path.suffix in PICKLED:
        content = _read_pickled(path, trusted, where)
    else:
        raise ModelError(
            f"Weights are not read from files called *{path.suffix}.",
            hint=f"Use .safetensors, or one of {', '.join(PICKLED)}.",
            location=where,
        )
    if weights_key is not None:
        content = _nested(content, weights_key, location("model", "weights_key"))
    state = _state_dict(content, where)
    if strip_prefix:
        state = _stripped(state, strip_prefix, location("model", "strip_prefix"))
    _check_numbers(state, where)
    return state


def read_beside(path: Path, key: str) -> Mapping[str, Any]:
    """The dict that a pickled file holds under ``key`` beside its weights, by name; empty where
    there is none, or the file cannot be read."""
    try:
        content = _read_pickled(path, False, None)
    except ModelError:
        return {}
    found = content.get(key) if isinstance(content, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _read_shards(directory: Path, location: str | None) -> Any:
    content: dict[str, Any] = {}
    for shard in weight_files(directory):
        tensors = _read_safetensors(shard, location)
        twice = sorted(set(tensors) & set(content))
        if twice:
            raise ModelError(
                f"{twice[0]} is in two files of {directory.name}: they are no shards of one model.",
                hint="Point model.path at one of the files.",
                location=location,
            )
        content.update(tensors)
    return content


def _read_safetensors(path: Path, location: str | None) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path.name} is no complete safetensors file ({short(error)}).",
            hint="Save the model again; the writing step may have been interrupted.",
            location=location,
        ) from error


def _read_pickled(path: Path, trusted: bool, location: str | None) -> Any:
    import torch

    _check_torch(torch.__version__, trusted, location)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:GLOBAL |class )([\w.]+)", str(error))
        holds = f" (it names {found[1]})" if found else ""
        raise ModelError(
            f"{path.name} can run code when it is loaded{holds}, or is damaged, and is refused.",
            hint=SAVE_HINT,
            location=location,
        ) from error
    except Exception as error:
        if "TorchScript" in str(error):
            raise ModelError(
                f"{path.name} is a TorchScript program, not a file of weights.",
                hint="Save the state_dict, or set model.format: torchscript and trust: code.",
                location=location,
            ) from error
        raise ModelError(
            f"{path.name} is no complete file of torch weights ({short(error)}).",
            hint="Save the model again; the writing step may have been interrupted.",
            location=location,
        ) from error


def _check_torch(version: str, trusted: bool, location: str | None) -> None:
    if os.environ.get(FORCED):
        raise ModelError(
            f"{FORCED} is set, which switches off the protection against code in weights.",
            hint="Unset it.",
            location=location,
        )
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < (2, 6) or (numbers < (2, 10) and not trusted):
        raise ModelError(
            f"Reading pickled weights with torch {version} is unsafe.",
            hint="Use .safetensors, or torch 2.10 or later.",
            location=location,
        )


def _nested(content: Any, key: str, location: str | None) -> Any:
    if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
        return content[key]
    names = list(content) if isinstance(content, Mapping) else ["(none)"]
    raise ModelError(
        f"The file holds no dict of weights under {key!r}; its names are {listing(names)}.",
        location=location,
    )


def _is_state_dict(content: Any) -> bool:
    import torch

    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(name, str) for name in content)
        and all(isinstance(value, torch.Tensor) for value in content.values())
    )


def _state_dict(content: Any, location: str | None) -> dict[str, torch.Tensor]:
    if _is_state_dict(content):
        return dict(content)
    if not isinstance(content, Mapping):
        raise ModelError(
            f"The file holds a {type(content).__name__}, not a state_dict.",
            hint=SAVE_HINT,
            location=location,
        )
    nested = [str(key) for key, value in content.items() if _is_state_dict(value)]
    raise ModelError(
        f"The file holds a dict that is not a state_dict; its names are {listing([*content])}.",
        hint=f"Set model.weights_key: {nested[0]}" if nested else SAVE_HINT,
        location=location,
    )


def _stripped(
    state: dict[str, torch.Tensor], prefix: str, location: str | None
) -> dict[str, torch.Tensor]:
    if not any(name.startswith(prefix) for name in state):
        raise ModelError(
            f"No weight is called {prefix}…; the first are {listing([*state][:3])}.",
            hint="Remove or correct model.strip_prefix.",
            location=location,
        )
    stripped = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    if len(stripped) != len(state):
        raise ModelError(
            f"Without {prefix!r}, two weights would have the same name.", location=location
        )
    return stripped


def _check_numbers(state: dict[str, torch.Tensor], location: str | None) -> None:
    broken = [
        name
        for name, tensor in state.items()
        if tensor.is_floating_point() and bool(tensor.isnan().any())
    ]
    if broken:
        raise ModelError(
            f"{len(broken)} of {len(state)} weights hold NaN: {listing(broken[:3])}.",
            hint="The training run diverged or the file is damaged.",
            location=location,
        )
