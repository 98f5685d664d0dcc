"""Streaming: order, batch sizes, and memory that does not suffice."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_zoo import ArrayRecords, images, saved

from privacy_gate.domain import Outputs
from privacy_gate.errors import ModelError
from privacy_gate.models.forward import stream
from privacy_gate.models.opening import open_model


class Echo:
    """Answers each record with its own number; takes at most ``capacity`` records at a time."""

    def __init__(self, capacity=10**9, device="cpu"):
        self.capacity = capacity
        self.device = device
        self.sizes = []

    def forward(self, inputs):
        if len(inputs["x"]) > self.capacity:
            raise MemoryError
        self.sizes.append(len(inputs["x"]))
        return Outputs(np.repeat(inputs["x"].astype(float)[:, None], 2, axis=1), "logits")

    def close(self):
        self.sizes.clear()


def run(model, order, batch_size, count=100):
    answers = stream(model, dict, ArrayRecords(x=np.arange(count)), order, batch_size)
    parts = list(answers)
    if not parts:
        return np.array([]), np.array([]), answers
    indices = np.concatenate([part for part, _ in parts])
    values = np.concatenate([outputs.values[:, 0] for _, outputs in parts])
    return indices, values, answers


@given(st.lists(st.integers(0, 99), max_size=60), st.integers(1, 70), st.integers(1, 70))
def test_every_record_once_in_the_order_asked_for(order, batch_size, capacity):
    model = Echo(capacity)
    order = np.array(order, dtype=np.int64)
    indices, values, answers = run(model, order, batch_size)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(values, order)
    assert max(model.sizes, default=0) <= min(batch_size, capacity)
    assert answers.batch_size <= batch_size


def test_the_batch_size_is_halved_for_good():
    model = Echo(capacity=10)
    _, _, answers = run(model, np.arange(100), 64)
    assert answers.batch_size == 8
    assert model.sizes == [8] * 12 + [4]


def test_a_single_record_that_does_not_fit():
    with pytest.raises(ModelError, match="single record does not fit in the memory of cpu"):
        run(Echo(capacity=0), np.arange(4), "auto")


def test_no_reference_to_a_failed_batch_is_kept():
    import weakref

    held = []

    class Hoarder(Echo):
        def forward(self, inputs):
            assert all(reference() is None for reference in held)
            if len(inputs["x"]) > 2:
                big = np.zeros(8)
                held.append(weakref.ref(big))
                raise MemoryError
            return super().forward(inputs)

    run(Hoarder(), np.arange(10), 8)
    assert len(held) == 2


@pytest.mark.parametrize(
    ("device", "shape", "dtype", "wanted"),
    [
        ("cpu", (), np.float32, 256),
        ("cpu", (3, 32, 32), np.float32, 256),
        ("cuda:0", (3, 32, 32), np.float32, 1024),
        ("cpu", (3, 224, 224), np.float32, 64),
        ("cpu", (3, 224, 224), np.uint8, 64),
        ("cuda:1", (3, 224, 224), np.float32, 256),
        ("cpu", (3, 2400, 2400), np.float32, 1),
    ],
)
def test_the_automatic_batch_size_depends_on_the_records_alone(device, shape, dtype, wanted):
    def take(indices):
        return {"x": np.zeros((len(indices), *shape), dtype)}

    records = SimpleNamespace(take=take, slow=False)
    assert stream(Echo(device=device), dict, records, np.arange(5000)).batch_size == wanted


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batch_sizes_below_one(batch_size):
    with pytest.raises(ModelError, match="at least 1"):
        run(Echo(), np.arange(4), batch_size)


def test_the_batch_size_survives_a_real_model(tmp_path):
    model = open_model(saved("cnn", "pt", tmp_path, device="cpu"))
    records = ArrayRecords(x=images(50))
    order = np.random.default_rng(0).permutation(50)
    collected = {}
    for size in (1, 7, 50):
        parts = [outputs.values for _, outputs in stream(model, dict, records, order, size)]
        collected[size] = np.concatenate(parts)
    np.testing.assert_allclose(collected[1], collected[50], atol=1e-5)
    np.testing.assert_allclose(collected[7], collected[50], atol=1e-5)
