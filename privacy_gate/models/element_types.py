"""Which numpy type a model input gets, and casts that never change a value silently."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.errors import ModelError
from privacy_gate.fixtures.columns import dtype_name


def cast(
    array: NDArray[Any], wanted: np.dtype[Any] | None, name: str, location: str | None = None
) -> NDArray[Any]:
    """``array`` as the type the model declares, or by default: numbers and small integers become
    float32; int32 and int64 stay (they are identifiers of tokens or categories); uint32 and uint64
    become int64. No copy is made when the type is right already.

    ``ModelError`` for texts, objects and complex numbers, for floats where the model wants
    integers, and for integers that do not fit.
    """
    target = wanted or _default(array.dtype, name, location)
    if target == array.dtype:
        return array
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and target.kind in "biu"):
        raise ModelError(
            f"Model input {name!r} takes {target}, but its values are {dtype_name(array.dtype)}.",
            hint="Convert them in model.preprocess: module:function.",
            location=location,
        )
    if target.kind in "iu" and not np.can_cast(array.dtype, target) and array.size:
        limits = np.iinfo(target)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise ModelError(
                f"Model input {name!r} takes {target}, and some {array.dtype} values do not fit.",
                hint="Convert them in model.preprocess: module:function.",
                location=location,
            )
    with np.errstate(over="ignore"):  # an overflow shows as outputs that are not finite
        return array.astype(target)


def _default(found: np.dtype[Any], name: str, location: str | None) -> np.dtype[Any]:
    if found.kind in "iu" and found.itemsize >= 4:
        return np.dtype(np.int32) if found == np.int32 else np.dtype(np.int64)
    if found.kind in "biuf":
        return np.dtype(np.float32)
    raise ModelError(
        f"The values for model input {name!r} are {dtype_name(found)}, not numbers.",
        hint="Convert them in model.preprocess: module:function.",
        location=location,
    )
