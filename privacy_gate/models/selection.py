"""Pick one value from whatever a model returned: a tensor, a tuple, a dict, an object."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.errors import ModelError

SHOWN = 10


def as_array(value: Any) -> NDArray[Any]:
    """A tensor, array or list of numbers as an array in main memory, any shape.

    Tensors of less than 32 bits become float32. ``ModelError`` for anything that is no array.
    """
    if hasattr(value, "detach"):
        value = value.detach()
        if value.is_floating_point() and value.element_size() < 4:
            value = value.float()
        value = value.cpu().numpy()
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "biufUS":
        raise ModelError(
            f"The model returned a {type(value).__name__}, which is not an array of numbers.",
            hint="Let model.output.name pick a tensor from what the model returns.",
        )
    return array


def parts(returned: Any) -> dict[Any, Any] | None:
    """Name or position -> part of a result, without absent parts; ``None`` for a single array."""
    if hasattr(returned, "detach") or isinstance(returned, np.ndarray):
        return None
    if isinstance(returned, Mapping):
        named = dict(returned)
    elif hasattr(returned, "_fields"):
        named = dict(zip(returned._fields, returned, strict=True))
    elif isinstance(returned, list | tuple):
        named = dict(enumerate(returned))
    elif hasattr(returned, "__dict__"):
        named = {name: part for name, part in vars(returned).items() if not name.startswith("_")}
    else:
        return None
    return {name: part for name, part in named.items() if part is not None}


def select(returned: Any, name: str | int | None, location: str | None = None) -> Any:
    """The part called ``name`` (key, field, attribute) or at position ``name``.

    Without a name the result must be one array, or hold exactly one; ``ModelError`` lists the
    names.
    """
    available = parts(returned)
    if available is None:
        if name in (None, 0):
            return returned
        raise ModelError(
            f"The model returns one unnamed output, so output {name!r} does not exist.",
            hint="Remove the name.",
            location=location,
        )
    if not available:
        raise ModelError("The model returned nothing.", location=location)
    if name is None:
        if len(available) == 1:
            return next(iter(available.values()))
        raise ambiguous_output(list(available), location)
    if name in available:
        return available[name]
    if isinstance(name, int) and 0 <= name < len(available):
        return list(available.values())[name]
    raise unknown_output(name, list(available), location)


def ambiguous_output(names: list[Any], location: str | None) -> ModelError:
    """The error for a model with several outputs and no ``model.output.name``."""
    return ModelError(
        f"The model has {len(names)} outputs ({listing(names)}) and it is not said which to judge.",
        hint="Set model.output.name to one of them.",
        location=location,
    )


def unknown_output(name: str | int, names: list[Any], location: str | None) -> ModelError:
    """The error for an output that the model does not have."""
    return ModelError(
        f"The model has no output {name!r}; it has {listing(names)}.",
        hint=nearest(name, names),
        location=location,
    )


def listing(names: list[Any]) -> str:
    """The first ten names, separated by commas."""
    more = f", … ({len(names)} in all)" if len(names) > SHOWN else ""
    return ", ".join(str(name) for name in names[:SHOWN]) + more


def nearest(name: str | int, names: list[Any]) -> str | None:
    """A hint with up to three names spelled like ``name``, or ``None``."""
    close = get_close_matches(str(name), [str(candidate) for candidate in names], 3)
    return f"Nearest: {', '.join(close)}." if close else None
