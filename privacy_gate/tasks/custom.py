"""Custom: the signals come from a function of the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Float, Outputs
from privacy_gate.errors import SignalError, shown_cause


class Custom:
    """Calls ``function(outputs, labels)`` per batch.

    ``outputs``: the model's chosen output as an array (b, …), unchanged; ``labels`` (b,) as stored
    in the fixtures. The function returns name -> (b,) real numbers, higher means member.
    """

    def __init__(self, function: Callable[[NDArray[Any], NDArray[Any]], Mapping[str, Any]]) -> None:
        self._function = function

    def predicted(self, outputs: Outputs) -> None:
        """Nothing is known about classes."""

    def signals(self, outputs: Outputs, labels: NDArray[Any]) -> dict[str, Float]:
        """Name -> (b,) float64. Raises ``SignalError`` when the function breaks its contract."""
        try:
            returned = self._function(outputs.values, labels)
        except (Exception, SystemExit) as error:
            raise SignalError(
                f"The function named in signals raised {type(error).__name__}.",
                hint="It is called with the model's output (b, …) and the labels (b,).",
            ) from shown_cause(error)
        if not isinstance(returned, Mapping) or not returned:
            raise SignalError(
                f"The function named in signals returned {type(returned).__name__}, not a mapping.",
                hint="Return {name: numbers of shape (records,)}.",
            )
        return {
            str(name): _column(str(name), values, len(labels)) for name, values in returned.items()
        }


def _column(name: str, values: Any, records: int) -> Float:
    column = np.asarray(values)
    if column.dtype.kind not in "iuf" or column.shape != (records,):
        raise SignalError(
            f"The signal {name!r} has the type {column.dtype} and the shape {column.shape}.",
            hint=f"Return real numbers of shape ({records},), one per record of the batch.",
        )
    return column.astype(np.float64)
