"""Raw fixture columns -> model inputs: by a mapping in the configuration or a user's function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from privacy_gate.errors import ModelError, PrivacyGateError, shown_cause
from privacy_gate.fixtures.columns import dtype_name
from privacy_gate.models.element_types import cast
from privacy_gate.models.loaded import LoadedModel
from privacy_gate.models.selection import as_array, listing

if TYPE_CHECKING:
    from privacy_gate.config import Config

Array = NDArray[Any]
CHANNELS = (1, 3, 4)
FUNCTION_HINT = "Use a function instead: model.preprocess: module:function."


@dataclass(frozen=True, slots=True, eq=False)
class Preprocess:
    """A function from columns (column -> (b, …), raw) to inputs (model input -> (b, …)).

    A float32 column that needs no change is passed on as it is, not copied.
    """

    inputs: Mapping[str, str]
    types: Mapping[str, np.dtype[Any]]
    names: tuple[str, ...]
    function: Callable[..., Any] | None = None
    arithmetic: Arithmetic | None = None
    location: str | None = None

    def __call__(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        """``ModelError`` when a column cannot become what the model takes."""
        if self.function is None:
            arrays = {name: columns[column] for name, column in self.inputs.items()}
        else:
            arrays = self._call(self.function, columns)
        if self.arithmetic is not None:
            arrays = {name: self.arithmetic(array) for name, array in arrays.items()}
        return {
            name: cast(array, self.types.get(name), name, self.location)
            for name, array in arrays.items()
        }

    def _call(self, function: Callable[..., Any], columns: Mapping[str, Array]) -> dict[str, Array]:
        rows = len(next(iter(columns.values())))
        argument = next(iter(columns.values())) if len(columns) == 1 else dict(columns)
        try:
            returned = function(argument)
        except PrivacyGateError:
            raise
        except (Exception, SystemExit) as error:
            raise ModelError(
                f"model.preprocess raised {type(error).__name__}.",
                hint="It is called with the raw columns of a batch; try it on a few records.",
                location=self.location,
            ) from shown_cause(error)
        if not isinstance(returned, Mapping):
            if len(self.names) != 1:
                raise self._wrong_names("one unnamed array")
            returned = {self.names[0]: returned}
        if set(returned) != set(self.names):
            raise self._wrong_names(listing(list(returned)))
        arrays = {name: as_array(array) for name, array in returned.items()}
        for array in arrays.values():
            if array.ndim == 0 or len(array) != rows:
                raise ModelError(
                    f"model.preprocess turned {rows} records into an array of shape {array.shape}.",
                    hint="It must return one row per record, in the same order.",
                    location=self.location,
                )
        return arrays

    def _wrong_names(self, returned: str) -> ModelError:
        return ModelError(
            f"model.preprocess returned {returned}, but the model takes {listing([*self.names])}.",
            hint="Return a dict from model input to array.",
            location=self.location,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Arithmetic:
    """``(x * scale - mean) / std`` in float32, after moving the channels to where the model wants
    them. ``mean`` and ``std`` are numbers, or lists with one number per channel (records (H, W),
    (H, W, C), (C, H, W)) or per feature (records (d,))."""

    scale: float = 1.0
    mean: Any = None
    std: Any = None
    layout: Literal["NCHW", "NHWC"] | None = None
    location: str | None = None

    def __call__(self, array: Array) -> Array:
        """(b, …) raw to (b, …); unchanged types where nothing but the layout is asked for."""
        if array.dtype.kind not in "biuf":
            raise self._error(
                f"Scaling needs numbers, and the column holds {dtype_name(array.dtype)}."
            )
        if self.layout is not None:
            array = self._arranged(array, self.layout)
        if self.scale == 1.0 and self.mean is None and self.std is None:
            return np.ascontiguousarray(array)
        result = array.astype(np.float32, order="C")
        if self.scale != 1.0:
            result *= np.float32(self.scale)
        if self.mean is not None:
            result -= self._per_channel(self.mean, result, "mean")
        if self.std is not None:
            result /= self._per_channel(self.std, result, "std")
        return result

    @property
    def last_step(self) -> str:
        """What a careless user leaves out: ``mean and std``, or without them ``scale``; empty if
        there is neither."""
        if self.mean is not None or self.std is not None:
            return "mean and std"
        return "" if self.scale == 1.0 else "scale"

    def without_last_step(self, array: Array) -> Array:
        """Preprocessed records (b, …), float, as they would be without ``last_step``."""
        result = array.copy()
        if self.std is not None:
            result *= self._per_channel(self.std, result, "std")
        if self.mean is not None:
            result += self._per_channel(self.mean, result, "mean")
        if self.last_step == "scale":
            result /= np.float32(self.scale)
        return result

    def _arranged(self, array: Array, layout: str) -> Array:
        first = layout == "NCHW"
        if array.ndim == 3:
            return array[:, np.newaxis] if first else array[..., np.newaxis]
        if array.ndim != 4:
            raise self._error(
                f"layout: {layout} needs records (H, W), (H, W, C) or (C, H, W), not "
                f"{array.shape[1:]}."
            )
        if (self._channel_axis(array) == 1) == first:
            return array
        return np.moveaxis(array, -1, 1) if first else np.moveaxis(array, 1, -1)

    def _channel_axis(self, array: Array) -> int:
        first, last = array.shape[1] in CHANNELS, array.shape[-1] in CHANNELS
        if first == last:
            why = "both its first and last axis" if first else "neither its first nor its last axis"
            raise self._error(
                f"Which axis of the records {array.shape[1:]} holds the channels is unclear: {why} "
                "can be 1, 3 or 4 channels long."
            )
        return 1 if first else array.ndim - 1

    def _per_channel(self, numbers: Any, array: Array, what: str) -> NDArray[np.float32]:
        values = np.asarray(numbers, dtype=np.float32)
        if what == "std" and np.any(values == 0):
            raise self._error("model.preprocess.std must not be 0.")
        if values.size == 1:
            return values.reshape(())
        if array.ndim == 2:
            axis = 1
        elif array.ndim == 4:
            arranged = {"NCHW": 1, "NHWC": 3}
            axis = arranged[self.layout] if self.layout else self._channel_axis(array)
        else:
            raise self._error(
                f"model.preprocess.{what} has {values.size} numbers, and records of shape "
                f"{array.shape[1:]} have no channels."
            )
        if array.shape[axis] != values.size:
            raise self._error(
                f"model.preprocess.{what} has {values.size} numbers, but the records have "
                f"{array.shape[axis]} channels or features."
            )
        shape = [1] * array.ndim
        shape[axis] = values.size
        return values.reshape(shape)

    def _error(self, message: str) -> ModelError:
        return ModelError(message, hint=FUNCTION_HINT, location=self.location)


def open_preprocess(config: Config, columns: tuple[str, ...], model: LoadedModel) -> Preprocess:
    """The preprocessing that ``model.inputs`` and ``model.preprocess`` describe.

    ``columns`` are the input columns of the fixtures. ``ModelError`` names both sides when columns
    and model inputs cannot be matched.
    """
    settings = config.model.preprocess
    location: str | None = config.location("model", "preprocess")
    names = model.input_names
    if isinstance(settings, str):
        function: Callable[..., Any] = config.load_callable(settings, "model", "preprocess")
        return Preprocess({}, model.input_types, names, function, location=location)
    inputs = _matched(config, columns, names)
    arithmetic = None
    if settings is not None:
        scale = 1.0 if settings.scale is None else float(settings.scale)
        arithmetic = Arithmetic(scale, settings.mean, settings.std, settings.layout, location)
        if len(inputs) > 1:
            raise ModelError(
                f"The model has {len(inputs)} inputs, and scale, mean, std and layout suit one.",
                hint=FUNCTION_HINT,
                location=location,
            )
    return Preprocess(inputs, model.input_types, names, arithmetic=arithmetic, location=location)


def _matched(config: Config, columns: tuple[str, ...], names: tuple[str, ...]) -> dict[str, str]:
    both = (
        f"the fixtures have the columns {listing([*columns])}, the model takes {listing([*names])}"
    )
    location: str | None = config.location("model", "inputs")
    inputs: dict[str, str] | None = config.model.inputs
    if not inputs:
        if len(columns) == 1 and len(names) == 1:
            return {names[0]: columns[0]}
        raise ModelError(
            f"It is not said which column feeds which model input: {both}.",
            hint="Set model.inputs: {model input: column}.",
            location=location,
        )
    absent = [column for column in inputs.values() if column not in columns]
    if absent:
        raise ModelError(
            f"model.inputs names the unknown column {absent[0]!r}: {both}.", location=location
        )
    if set(inputs) != set(names):
        raise ModelError(
            f"model.inputs fills {listing([*inputs])}: {both}.",
            hint="Fill exactly the inputs that the model takes.",
            location=location,
        )
    return dict(inputs)
