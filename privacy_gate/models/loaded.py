"""What all loaded models have in common: attributes for the report, and one way to fail."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from privacy_gate.errors import ModelError, PrivacyGateError, shown_cause
from privacy_gate.models.outputs import OutputReader, Seen, feature_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from privacy_gate.config import Config
    from privacy_gate.domain import Outputs
    from privacy_gate.models.surfaces import Surface

MESSAGE_LENGTH = 200


def short(error: BaseException) -> str:
    """Type and message of an exception from foreign code, on one line, at most 200 characters."""
    message = " ".join(str(error).split())
    if len(message) > MESSAGE_LENGTH:
        message = message[: MESSAGE_LENGTH - 1] + "…"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


_STRUCTURE = re.compile(r"shape|size|dimension|dtype|scalar type|channel|rank|argument|expected")


def without_values(error: BaseException) -> str:
    """An exception raised over records: its text only where it is about shapes and types, which is
    what helps; any other text might quote a record."""
    text = short(error)
    return text if _STRUCTURE.search(text) else type(error).__name__


class LoadedModel(ABC):
    """A model ready to answer batches; implements ``protocols.Model``.

    ``input_names``: the inputs it needs, in order. ``input_types``: the numpy type an input must
    have, where the file declares one. ``precision``: ``float32``, ``bfloat16``, ``float16``.
    ``providers``: the ONNX Runtime providers in use. ``sha256``: see ``model_file.model_sha256``.
    """

    sha256 = ""
    providers: tuple[str, ...] = ()

    def __init__(
        self,
        config: Config,
        *,
        device: str,
        precision: str,
        input_names: tuple[str, ...],
        input_types: Mapping[str, np.dtype[Any]] | None = None,
    ) -> None:
        self.format: str = config.model.format
        self.device = device
        self.precision = precision
        self.input_names = input_names
        self.input_types: Mapping[str, np.dtype[Any]] = input_types or {}
        half = precision != "float32"
        self._reader = OutputReader(config, half_precision=half)
        self._raw_reader = OutputReader(config, half_precision=half, kind="auto")
        self.surface: Surface | None = None
        """How the answers are looked at; ``None``: as the model gives them."""
        self._location: str | None = config.location("model")

    def forward(self, inputs: Mapping[str, NDArray[Any]]) -> Outputs:
        """Answer one batch of preprocessed inputs, model input name -> (b, …).

        ``values`` are float64 (b, classes) or int64 (b,); ``features`` float32 (b, d) if asked for.
        ``MemoryError`` when the batch does not fit on the device; ``ModelError`` when the model
        fails or answers something that cannot be judged.
        """
        return self._forward(inputs, finite=True)

    @property
    def seen(self) -> Seen:
        """What the batches so far have settled about the outputs."""
        return self._reader.seen

    @seen.setter
    def seen(self, seen: Seen) -> None:
        self._reader.seen = seen

    def forward_unchecked(self, inputs: Mapping[str, NDArray[Any]]) -> Outputs:
        """As ``forward``, for inputs that nobody would send: class scores that are not finite are
        rows of NaN, and there are no ``features``."""
        return self._forward(inputs, finite=False)

    def _forward(self, inputs: Mapping[str, NDArray[Any]], *, finite: bool) -> Outputs:
        def answer(inputs: Mapping[str, NDArray[Any]], *, raw: bool = False) -> Outputs:
            outputs = self._asked(inputs, finite=finite, raw=raw)
            if outputs.kind == "labels" and self.surface is not None:
                raise ModelError(
                    "The model answers labels, but model.output.transforms, raw and repeats are"
                    " about scores.",
                    hint="Choose an output with scores, or remove these keys.",
                    location=self._location,
                )
            return outputs

        return answer(inputs) if self.surface is None else self.surface(answer, inputs)

    def _asked(self, inputs: Mapping[str, NDArray[Any]], *, finite: bool, raw: bool) -> Outputs:
        rows = len(next(iter(inputs.values())))
        try:
            returned, features = self._answer_raw(inputs) if raw else self._answer(inputs)
        except (PrivacyGateError, MemoryError):
            raise
        except Exception as error:
            if self._is_out_of_memory(error):
                raise MemoryError(short(error)) from None
            raise self._failure(error, inputs) from shown_cause(error)
        matrix = None
        if features is not None and finite:
            matrix = feature_matrix(features, rows)
        reader = self._raw_reader if raw and self.has_raw else self._reader
        return reader.read(returned, rows, matrix, finite=finite)

    @property
    def has_raw(self) -> bool:
        """Whether the model itself has scores behind its output."""
        return False

    def _answer_raw(self, inputs: Mapping[str, NDArray[Any]]) -> tuple[Any, NDArray[Any] | None]:
        """The scores behind the output to judge, where there are any, else the output."""
        return self._answer(inputs)

    def seed(self, seed: int) -> None:  # noqa: B027  most models draw nothing
        """Begin the model's own randomness anew, as far as it can be."""

    @abstractmethod
    def _answer(self, inputs: Mapping[str, NDArray[Any]]) -> tuple[Any, NDArray[Any] | None]:
        """The raw output to judge and the raw features, both in main memory."""

    @abstractmethod
    def _is_out_of_memory(self, error: Exception) -> bool:
        """Whether a foreign exception says that memory did not suffice."""

    @abstractmethod
    def close(self) -> None:
        """Free the device; the model cannot be used afterwards."""

    def _failure(self, error: Exception, inputs: Mapping[str, NDArray[Any]]) -> ModelError:
        given = ", ".join(f"{name} {array.shape} {array.dtype}" for name, array in inputs.items())
        return ModelError(
            f"The model raised {without_values(error)} when given {given}.",
            hint=self._hint(inputs),
            location=self._location,
        )

    def _hint(self, inputs: Mapping[str, NDArray[Any]]) -> str:
        return (
            "If it expects other shapes or values, set model.preprocess "
            "(layout: NCHW, scale, or module:function) or model.inputs."
        )
