"""Stream records through preprocessing and the model, each record once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Integer, Outputs, Records
from privacy_gate.errors import ModelError
from privacy_gate.protocols import Model

MAXIMUM = {"cpu": 256, "cuda": 1024}
"""Records per batch: more gains nothing measurable and only costs memory."""

BATCH_BYTES = {"cpu": 64 << 20, "cuda": 256 << 20}
"""Input bytes per batch; activations take a multiple of this."""

PreprocessFunction = Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]


class Stream:
    """An iterator of ``(indices, Outputs)`` over ``order``, in that order, in batches.

    ``batch_size`` is the size in use: it is halved for good whenever a batch does not fit in
    memory. ``ModelError`` when a single record does not fit. Where reading records is slow, a
    thread reads and preprocesses the next batch while the model answers; no more than these two
    batches are in memory, and the answers are the same.
    """

    def __init__(
        self,
        model: Model,
        preprocess: PreprocessFunction,
        records: Records,
        order: Integer,
        batch_size: int,
    ) -> None:
        self.batch_size = batch_size
        self._model = model
        self._preprocess = preprocess
        self._records = records
        self._order = order
        self._position = 0
        self._reader = ThreadPoolExecutor(1, "privacy-gate-read") if records.slow else None
        self._ahead: tuple[int, int, Future[Mapping[str, NDArray[Any]]]] | None = None

    def __iter__(self) -> Iterator[tuple[Integer, Outputs]]:
        return self

    def __next__(self) -> tuple[Integer, Outputs]:
        if self._position >= len(self._order):
            self.close()
            raise StopIteration
        while True:
            indices = self._batch(self._position)
            outputs = self._attempt(indices)
            if outputs is not None:
                self._position += len(indices)
                return indices, outputs
            self._halve(len(indices))

    def close(self) -> None:
        """Read no further batch."""
        if self._reader is not None:
            self._reader.shutdown(wait=False, cancel_futures=True)

    def _batch(self, position: int) -> Integer:
        return self._order[position : position + self.batch_size]

    def _attempt(self, indices: Integer) -> Outputs | None:
        try:
            return self._model.forward(self._inputs(indices))
        except MemoryError:
            # Returning drops the exception, whose frames hold the tensors of the failed batch.
            return None
        except BaseException:
            self.close()
            raise

    def _inputs(self, indices: Integer) -> Mapping[str, NDArray[Any]]:
        """The preprocessed batch; where reading is slow, that of the next one is begun."""
        if self._reader is None:
            return self._read(indices)
        wanted, ahead, self._ahead = (self._position, len(indices)), self._ahead, None
        # after a batch size was halved, what was read ahead is another batch
        fits = ahead is not None and ahead[:2] == wanted
        inputs = ahead[2].result() if ahead is not None and fits else self._read(indices)
        following = self._batch(self._position + len(indices))
        if len(following):
            future = self._reader.submit(self._read, following)
            self._ahead = (self._position + len(indices), len(following), future)
        return inputs

    def _read(self, indices: Integer) -> Mapping[str, NDArray[Any]]:
        return self._preprocess(self._records.take(indices))

    def _halve(self, tried: int) -> None:
        if tried == 1:
            raise ModelError(
                f"A single record does not fit in the memory of {self._model.device}.",
                hint="Use a smaller precision, a larger machine or model.device: cpu.",
            )
        self.batch_size = max(1, tried // 2)


def stream(
    model: Model,
    preprocess: PreprocessFunction,
    records: Records,
    order: Integer,
    batch_size: int | Literal["auto"] = "auto",
) -> Stream:
    """Stream the records ``order`` (n,) int64 through the model; see ``Stream``.

    ``auto`` takes the largest power of two, at most 256 (CPU) or 1024 (CUDA), whose inputs stay
    within 64 or 256 MiB as float32; it depends on nothing but the shape of the records.
    """
    if batch_size != "auto":
        if batch_size < 1:
            raise ModelError(f"model.batch_size must be at least 1, not {batch_size}.")
        return Stream(model, preprocess, records, order, batch_size)
    kind = "cuda" if model.device.startswith("cuda") else "cpu"
    fitting = max(1, BATCH_BYTES[kind] // _record_bytes(records, order))
    size = min(MAXIMUM[kind], 1 << (fitting.bit_length() - 1))
    return Stream(model, preprocess, records, order, size)


def _record_bytes(records: Records, order: Integer) -> int:
    first = records.take(np.asarray(order[:1], dtype=np.int64))
    return max(1, sum(array.size * max(4, array.itemsize) for array in first.values()))
