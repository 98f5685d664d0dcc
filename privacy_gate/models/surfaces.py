"""What of a model's answers is shown: as deployed, the raw scores behind, or the mean of many.

Transforms that a service applies to its scores (temperature, rounding, HAMP) change what an
attacker sees, not what the model remembers. So a declared transform is attacked both on and off,
and an answer that is random is attacked after averaging, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Float, Outputs
from privacy_gate.errors import ModelError, PrivacyGateError, shown_cause
from privacy_gate.models.loaded import without_values

Inputs = Mapping[str, NDArray[Any]]
"""Model input -> (b, …), preprocessed."""


class Answer(Protocol):
    """The open model: inputs -> outputs, those behind its own output transforms if ``raw``."""

    def __call__(self, inputs: Inputs, *, raw: bool = False) -> Outputs: ...


class Surface(Protocol):
    """One way to look at the answers of a model; its ``repr`` says all that they depend on."""

    def __call__(self, answer: Answer, inputs: Inputs) -> Outputs: ...


class Transform(Protocol):
    """A change of class scores. ``attempt`` numbers repeated questions about the same inputs."""

    def __call__(
        self, outputs: Outputs, answer: Answer, inputs: Inputs, attempt: int
    ) -> Outputs: ...


@dataclass(frozen=True, slots=True)
class Deployed:
    """The answers as a service gives them: ``transforms`` one after the other."""

    transforms: tuple[Transform, ...] = ()

    def __call__(self, answer: Answer, inputs: Inputs, attempt: int = 0) -> Outputs:
        """The transformed answers; features stay as they are."""
        outputs = answer(inputs)
        for transform in self.transforms:
            outputs = transform(outputs, answer, inputs, attempt)
        return outputs


@dataclass(frozen=True, slots=True)
class Raw:
    """The scores before any transform."""

    def __call__(self, answer: Answer, inputs: Inputs) -> Outputs:
        """The raw answers."""
        return answer(inputs, raw=True)


@dataclass(frozen=True, slots=True)
class Averaged:
    """The mean probabilities of ``repeats`` answers to the same question."""

    deployed: Deployed
    repeats: int

    def __call__(self, answer: Answer, inputs: Inputs) -> Outputs:
        """The mean answers."""
        answers = [self.deployed(answer, inputs, attempt) for attempt in range(self.repeats)]
        mean: Float = np.mean([probabilities(found) for found in answers], axis=0)
        return Outputs(mean, "probabilities", answers[0].features)


@dataclass(frozen=True, slots=True)
class Function:
    """A transform of the project: ``function`` maps probabilities (b, classes) float64 to scores
    of the same shape, at least 0, in the same order of classes."""

    function: Callable[[Float], Any] = field(repr=False)
    name: str
    location: str | None = field(repr=False)

    def __call__(self, outputs: Outputs, answer: Answer, inputs: Inputs, attempt: int) -> Outputs:
        """The transformed scores. ``ModelError`` for anything else than finite scores."""
        given = probabilities(outputs)
        try:
            returned = np.asarray(self.function(given.copy()))
        except (PrivacyGateError, MemoryError):
            raise
        except Exception as error:
            raise self._error(f"raised {without_values(error)}") from shown_cause(error)
        if returned.shape != given.shape or returned.dtype.kind not in "biuf":
            raise self._error(
                f"returned {returned.dtype} of the shape {returned.shape} for {given.shape}"
            )
        values = returned.astype(np.float64)
        broken = np.isnan(given).any(axis=1)  # no finite answer, which is said elsewhere
        if not np.isfinite(values[~broken]).all() or (values[~broken] < 0).any():
            raise self._error("returned scores that are negative or not finite")
        return Outputs(values, "probabilities", outputs.features)

    def _error(self, what: str) -> ModelError:
        return ModelError(
            f"The output transform {self.name} {what}.",
            hint="It gets probabilities (records, classes) and returns scores of that shape.",
            location=self.location,
        )


@dataclass(frozen=True, slots=True)
class Hamp:
    """HAMP's output modification (Chen & Pattabiraman, NDSS 2024, section V-B): the scores of a
    random input, in the order of the real ones.

    ``ranges``: model input -> least and largest value of random inputs. The random input depends on
    the ``seed``, the attempt and the record's own input, so that a run can be repeated.
    """

    ranges: Mapping[str, tuple[float, float]]
    seed: int

    def __call__(self, outputs: Outputs, answer: Answer, inputs: Inputs, attempt: int) -> Outputs:
        """The rearranged scores."""
        random = answer(self._random(inputs, attempt))
        return Outputs(rearranged(random.values, outputs.values), random.kind, outputs.features)

    def _random(self, inputs: Inputs, attempt: int) -> dict[str, NDArray[Any]]:
        rows = len(next(iter(inputs.values())))
        made = {name: np.empty_like(values) for name, values in inputs.items()}
        for row in range(rows):
            digest = hashlib.sha256(f"{self.seed} hamp {attempt}".encode())
            for values in inputs.values():
                digest.update(np.ascontiguousarray(values[row]).tobytes())
            generator = np.random.default_rng(int.from_bytes(digest.digest()[:16], "big"))
            for name, values in inputs.items():
                low, high = self.ranges[name]
                drawn = (
                    generator.uniform(low, high, values.shape[1:])
                    if values.dtype.kind == "f"
                    else generator.integers(int(low), int(high) + 1, values.shape[1:])
                )
                made[name][row] = drawn
        return made


def rearranged(values: Float, order: Float) -> Float:
    """``values`` (b, K), each row rearranged to the ranking of ``order`` (b, K); of equal entries
    of ``order`` the first gets the larger value. Rows of ``order`` with a NaN become NaN."""
    places = np.argsort(-order, axis=1, kind="stable")
    found = np.empty_like(values)
    np.put_along_axis(found, places, -np.sort(-values, axis=1), axis=1)
    found[np.isnan(order).any(axis=1)] = np.nan
    return found


def probabilities(outputs: Outputs) -> Float:
    """(b, classes) class probabilities of logits or probabilities."""
    values = outputs.values.astype(np.float64)
    if outputs.kind == "probabilities":
        return values
    shifted = np.exp(values - values.max(axis=1, keepdims=True))
    result: Float = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def input_ranges(inputs: Sequence[Inputs]) -> dict[str, tuple[float, float]]:
    """Model input -> least and largest value in some batches. ``ModelError`` where these are no
    numbers, or none."""
    for name, values in ((name, batch[name]) for batch in inputs for name in batch):
        if values.dtype.kind not in "biuf" or not values.size:
            raise ModelError(
                f"There are no numbers to draw random inputs {name!r} from, as hamp does.",
                hint="hamp takes calibration non-members and a model of numbers; a function in"
                " model.output.transforms can do what it does for other inputs.",
            )
    return {
        name: (
            min(float(batch[name].min()) for batch in inputs),
            max(float(batch[name].max()) for batch in inputs),
        )
        for name in inputs[0]
    }
