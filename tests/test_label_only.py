"""Label-only attacks: what they do to records, what they ask, and what they find."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from label_only_evidence import Function, asking_of, evidence_of, queries_of, spread

from privacy_gate.attacks.label_only.augment import (
    AUGMENTATIONS,
    Augmentation,
    AugmentationRobustness,
    masked,
)
from privacy_gate.attacks.label_only.boundary import STEPS, BoundaryDistance
from privacy_gate.attacks.label_only.columns import Column, described
from privacy_gate.attacks.label_only.noise import PILOT, STRENGTHS, NoiseRobustness, drawn, noisy
from privacy_gate.domain import Signals, Split
from privacy_gate.errors import LimitError, ModelError, SignalError
from privacy_gate.registry import open_attack

COUNT = 300
ATTACKS = [NoiseRobustness(4), AugmentationRobustness(3), BoundaryDistance(16)]


def generators(count, seed=0):
    return [np.random.default_rng([seed, number]) for number in range(count)]


# ------------------------------------------------------------------------- three kinds of records


def images(random):
    x = random.integers(0, 256, (COUNT, 8, 9, 3)).astype(np.uint8)
    return {"x": x}, lambda c: c["x"].astype(float).mean(axis=(1, 2)) - 0.05 * c["x"][:, 0, 0]


def bits(random):
    x = random.integers(0, 2, (COUNT, 30)).astype(np.uint8)
    weights = np.random.default_rng(9).normal(size=(30, 4))
    return {"x": x}, lambda c: np.stack([(c["x"] * w).sum(axis=1) for w in weights.T], axis=1)


def table(random):
    columns = {
        "a": random.normal(5, 3, (COUNT, 4)).astype(np.float32),
        "b": random.integers(0, 5, COUNT),
        "c": np.array(["low", "high"])[random.integers(0, 2, COUNT)],
        "d": random.random(COUNT) < 0.3,
    }

    def logits(c):
        third = c["b"] - 2.0 + (c["c"] == "high") + c["d"]
        return np.stack([c["a"][:, 0] - 5, c["a"][:, 1] - 5, third], axis=1)

    return columns, logits


@pytest.fixture(params=[images, bits, table])
def kind(request):
    return request.param


def evidence(kind, order=None, **settings):
    """Evidence of arbitrary members, the records in this ``order``."""
    random = np.random.default_rng(3)
    columns, logits = kind(random)
    labels = np.where(random.random(COUNT) < 0.8, logits(columns).argmax(axis=1), 0)
    split, keys = spread(COUNT)
    is_member = random.random(COUNT) < 0.5
    order = np.arange(COUNT) if order is None else order
    return evidence_of(
        logits,
        {name: values[order] for name, values in columns.items()},
        *(values[order] for values in (labels, is_member, keys, split)),
        **settings,
    )


# ------------------------------------------------------------------------- what an attack promises


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_neither_the_order_of_rows_nor_the_batch_size_changes_a_score(attack, kind):
    first = attack.score(evidence(kind))
    order = np.random.default_rng(1).permutation(COUNT)
    again = attack.score(evidence(kind, order, batch_size=7))
    np.testing.assert_array_equal(again.values, first.values[order])
    assert again.method == first.method
    assert np.unique(first.values).size > 3


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_no_record_is_asked_about_more_often_than_announced(attack, kind):
    found = evidence(kind, limit=attack.queries_per_record)
    attack.score(found)
    asked = found.queries.asked
    assert asked.max() == attack.queries_per_record
    short = evidence(kind, limit=attack.queries_per_record - 1)
    with pytest.raises(LimitError, match="more often than"):
        attack.score(short)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_what_the_model_gets_wrong_ranks_below_what_it_gets_right(attack, kind):
    found = evidence(kind)
    scores = attack.score(found).values
    correct = found.signals.predicted == found.labels
    assert 0 < correct.sum() < COUNT
    assert scores[~correct].max() < scores[correct].min() or isinstance(attack, BoundaryDistance)
    assert scores[~correct].max() <= scores[correct].min()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_membership_of_the_evaluation_records_has_no_influence(attack):
    """Nor has anything else but the calibration split's, and that only on the choice of noise."""
    found = evidence(bits)
    other = found.membership.copy()
    support = found.split == Split.SUPPORT
    other[support] = 1 - other[support]
    again = dataclasses.replace(evidence(bits), membership=other)
    np.testing.assert_array_equal(attack.score(found).values, attack.score(again).values)
    assert (found.membership[found.split == Split.EVALUATION] == -1).all()


def test_the_seed_changes_what_is_drawn():
    found = evidence(bits)
    scores = [
        NoiseRobustness(4).score(dataclasses.replace(found, seed=seed)).values for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert (scores[0] != scores[2]).mean() > 0.1


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_records_asked_about_keep_type_shape_and_range(attack, kind):
    random = np.random.default_rng(3)
    columns, logits = kind(random)
    model = Function(logits)
    found = evidence(kind)
    found.queries._asking = asking_of(model, columns)
    attack.score(found)
    changed = False
    for batch in model.seen:
        assert set(batch) == set(columns)
        for name, values in batch.items():
            raw = columns[name]
            changed |= not {row.tobytes() for row in values} <= {row.tobytes() for row in raw}
            assert (values.dtype, values.shape[1:]) == (raw.dtype, raw.shape[1:])
            if raw.dtype.kind == "U":
                assert set(values) <= set(raw)
            elif raw.dtype.kind == "b":
                assert values.dtype == np.bool_
            else:
                assert raw.min() <= values.min()
                assert values.max() <= raw.max()
    assert changed


def test_options_and_names():
    assert open_attack("noise-robustness", {"queries": 5}).queries_per_record == (
        5 + PILOT * len(STRENGTHS)
    )
    assert open_attack("augmentation-robustness", {"queries": 5}).queries_per_record == 5
    assert open_attack("boundary-distance", {"queries": 39}).queries_per_record == 32
    for name, options in (("boundary-distance", {"queries": 7}), ("correctness", {"queries": 7})):
        with pytest.raises(TypeError):
            open_attack(name, options)


# ------------------------------------------------------------------------------ what they find


def leaky(strength, count=600, features=24, reach=0.6):
    """Evidence of a model that answers every record rightly; around a member of it, it is
    ``strength`` surer. Its answers hold nothing else."""
    random = np.random.default_rng(5)
    x = random.normal(0, 1, (count, features)).astype(np.float32)
    is_member = random.permutation(count) < count // 2
    known = x[is_member]

    def logits(columns):
        values = columns["x"].astype(float)
        margin = values.sum(axis=1) / features**0.5
        apart = ((values[:, None] - known) ** 2).sum(axis=2)
        own = known.sum(axis=1)[apart.argmin(axis=1)]
        margin = margin + strength * np.sign(own) * (apart.min(axis=1) < reach * features)
        return np.stack([-margin, margin], axis=1)

    labels = (x.sum(axis=1) > 0).astype(np.int64)
    split, keys = spread(count, 6)
    return evidence_of(logits, {"x": x}, labels, is_member, keys, split), is_member


def area(scores, is_member):
    members, nonmembers = scores[is_member], scores[~is_member]
    above = (members[:, None] > nonmembers).mean()
    return above + 0.5 * (members[:, None] == nonmembers).mean()


@pytest.mark.parametrize(
    "attack", [open_attack(a.name, {}) for a in ATTACKS], ids=lambda attack: attack.name
)
def test_a_leak_that_only_labels_show_is_found_and_none_is_not(attack):
    found, is_member = leaky(2.0)
    assert (found.signals.predicted == found.labels).mean() > 0.97
    assert area(attack.score(found).values, is_member) > 0.62
    found, is_member = leaky(0.0)
    assert abs(area(attack.score(found).values, is_member) - 0.5) < 0.07


def test_the_noise_is_the_one_that_tells_members_apart():
    """Members keep their label so far out that the strongest noise shows most of a difference.
    Without a leak, and without two sides to compare, it is the first."""
    found, _ = leaky(9.0, features=100, reach=1.3)
    assert "strength 1 " in NoiseRobustness(4).score(found).method
    assert "strength 0.5" in NoiseRobustness(4).score(leaky(0.0)[0]).method
    blind = dataclasses.replace(found, membership=np.full_like(found.membership, -1))
    assert "strength 0.5" in NoiseRobustness(4).score(blind).method


# ------------------------------------------------------------------------- known boundary distances


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_the_distance_to_a_known_boundary(dtype):
    """In one dimension the way to any donor leads straight over the boundary at 0."""
    random = np.random.default_rng(0)
    x = random.normal(0, 2, (COUNT, 1)).astype(dtype)
    labels = (x[:, 0] > 0).astype(np.int64)
    split, keys = spread(COUNT)
    found = evidence_of(
        lambda c: np.stack([-c["x"][:, 0], c["x"][:, 0]], axis=1).astype(float),
        {"x": x}, labels, np.arange(COUNT) < 150, keys, split,
    )  # fmt: skip
    known = np.flatnonzero(split != Split.EVALUATION)
    deviation = x[known[np.argsort(keys[known])][:256]].astype(float).std()
    distances = BoundaryDistance(32).score(found).values
    exact = np.abs(x[:, 0].astype(float)) / deviation
    # found from beyond, to 1/256 of the way to a donor, which are near each other here
    assert (distances >= exact * (1 - 2e-3) - 1e-6).all()
    np.testing.assert_allclose(distances, exact, atol=0.03, rtol=0.01)


def test_the_distance_of_bits_is_what_has_to_be_switched():
    """Two bits decide; of a record with both set one switch is enough."""
    random = np.random.default_rng(7)
    x = random.integers(0, 2, (COUNT, 2)).astype(np.uint8)
    labels = (x.sum(axis=1) == 2).astype(np.int64)
    split, keys = spread(COUNT)
    found = evidence_of(
        lambda c: np.eye(2)[(c["x"].sum(axis=1) == 2).astype(int)],
        {"x": x}, labels, np.arange(COUNT) < 150, keys, split,
    )  # fmt: skip
    spreads = Column.of(x[np.flatnonzero(split != Split.EVALUATION)]).spread
    distances = BoundaryDistance(32).score(found).values
    for row in range(COUNT):
        steps = 1 / spreads if x[row].sum() == 2 else (1 - x[row]) / spreads
        least = steps.min() if x[row].sum() == 2 else np.sqrt((steps**2).sum())
        assert least - 1e-6 <= distances[row] <= least * 1.2


def test_a_wrong_record_is_at_distance_zero_and_costs_nothing():
    found = evidence(table)
    attack = BoundaryDistance(16)
    scores = attack.score(found).values
    wrong = found.signals.predicted != found.labels
    assert (scores[wrong] == 0).all()
    assert (found.queries.asked[wrong] == 0).all()
    assert (found.queries.asked[~wrong] == 16).all()


def test_without_a_record_of_another_label_the_distance_is_the_longest():
    columns, _ = bits(np.random.default_rng(0))
    split, keys = spread(COUNT)
    found = evidence_of(
        lambda c: np.tile([1.0, 0.0], (len(c["x"]), 1)), columns,
        np.zeros(COUNT, np.int64), np.arange(COUNT) < 150, keys, split,
    )  # fmt: skip
    distances = BoundaryDistance(STEPS).score(found).values
    assert np.unique(distances).size == 1
    assert distances[0] > np.sqrt(30)


# ------------------------------------------------------------------------------ what columns hold


@pytest.mark.parametrize(
    ("values", "axes", "measured", "bits", "categories"),
    [
        (np.arange(192, dtype=np.uint8).reshape(3, 8, 8), (1, 2), 64, 0, 0),
        (np.random.default_rng(0).random((3, 8, 9, 3)), (1, 2), 216, 0, 0),
        (np.random.default_rng(0).random((3, 3, 8, 9)), (2, 3), 216, 0, 0),
        (np.random.default_rng(0).random((9, 8, 7)), None, 56, 0, 0),
        (np.random.default_rng(0).random((9, 5, 8, 8)), None, 320, 0, 0),
        (np.random.default_rng(0).integers(0, 2, (9, 8, 8)), (1, 2), 0, 64, 0),
        (np.array([[0, 1, 5], [1, 1, 6], [0, 1, 7]], np.float32), None, 1, 1, 0),
        (np.array([[0.0, np.nan], [1, 2], [np.nan, 3]]), None, 1, 1, 0),
        (np.array([True, False, True]), None, 0, 1, 0),
        (np.array([3, 0, 2, 1]), None, 0, 0, 1),
        (np.arange(40), None, 1, 0, 0),
        (np.array(["a", "b"]), None, 0, 0, 0),
        (np.array([7.0, 7.0]), None, 0, 0, 0),
        (np.array([np.nan, np.nan]), None, 0, 0, 0),
    ],
)
def test_what_a_column_holds(values, axes, measured, bits, categories):
    column = Column.of(values)
    assert column.axes == axes
    counts = [int(part.sum()) for part in (column.measured, column.bits, column.categories)]
    assert counts == [measured, bits, categories]


RAW = st.one_of(
    hnp.arrays(np.uint8, (6, 5)),
    hnp.arrays(np.int16, (6, 3)),
    hnp.arrays(np.int64, (6,), elements=st.integers(-5, 5)),
    hnp.arrays(np.bool_, (6, 4)),
    hnp.arrays(np.float32, (6, 4), elements=st.floats(-1e6, 1e6, width=32) | st.just(np.nan)),
    hnp.arrays(np.float16, (6, 2), elements=st.floats(-100, 100, width=16)),
    hnp.arrays(np.uint8, (6, 8, 8)),
)


@given(RAW, st.sampled_from(STRENGTHS), st.integers(0, 99))
def test_noise_keeps_type_shape_and_range(values, strength, seed):
    before = values.copy()
    column = Column.of(values[:4])
    changed = noisy(values, column, strength, *drawn(column, generators(6, seed)))
    np.testing.assert_array_equal(values, before)
    assert (changed.dtype, changed.shape) == (values.dtype, values.shape)
    np.testing.assert_array_equal(changed != changed, values != values)  # NaN stays NaN
    old, new = (part.reshape(6, -1).astype(float) for part in (values, changed))
    low, high = np.fmin(old, column.low), np.fmax(old, column.high)
    known = ~np.isnan(old)
    assert (((new >= low) & (new <= high)) | ~known)[:, column.noisy].all()
    np.testing.assert_array_equal(new[:, ~column.noisy], old[:, ~column.noisy])
    for feature in np.flatnonzero(column.categories):
        assert set(new[:, feature]) <= set(old[:, feature])


def test_noise_is_as_strong_as_it_says():
    random = np.random.default_rng(0)
    values = np.concatenate(
        [random.normal(3, 2, (400, 20)), random.random((400, 20)) < 0.5,
         random.random((400, 20)) < 0.1], axis=1,
    )  # fmt: skip
    column = Column.of(values)
    changed = noisy(values, column, 0.6, *drawn(column, generators(400)))
    assert (changed - values)[:, :20].std() == pytest.approx(1.2, rel=0.05)
    assert (changed != values)[:, 20:40].mean() == pytest.approx(0.15, abs=0.015)
    assert (changed != values)[:, 40:].mean() == pytest.approx(0.6 * 0.09, abs=0.015)
    codes = random.integers(0, 5, 8000)
    column = Column.of(codes[:256])
    anew = noisy(codes, column, 0.6, *drawn(column, generators(8000)))
    assert (anew != codes).mean() == pytest.approx(0.3 * 0.8, abs=0.02)
    assert np.bincount(anew, minlength=5).min() > 1300


def test_augmentations_move_pixels_and_invent_none():
    image = np.arange(2 * 8 * 9 * 3, dtype=np.uint8).reshape(2, 8, 9, 3)
    moved = Augmentation(down=1, right=-2)(image, (1, 2))
    np.testing.assert_array_equal(moved[:, 1:, :-2], image[:, :-1, 2:])
    np.testing.assert_array_equal(Augmentation(mirrored=True)(image, (1, 2)), image[:, :, ::-1])
    cropped = Augmentation(crop=1)(image, (1, 2))
    np.testing.assert_array_equal(cropped[:, 0, 0], image[:, 1, 1])
    np.testing.assert_array_equal(cropped[:, -1, -1], image[:, -2, -2])
    assert len({change(image, (1, 2)).tobytes() for change in AUGMENTATIONS}) == len(AUGMENTATIONS)
    for change in AUGMENTATIONS:
        there = change(image.transpose(0, 3, 1, 2), (2, 3)).transpose(0, 2, 3, 1)
        np.testing.assert_array_equal(there, change(image, (1, 2)))
        assert there.dtype == np.uint8


def test_masks_take_features_from_one_other_record():
    sample = {"a": np.arange(100, 700.0).reshape(20, 30), "b": np.arange(20) + 100}
    raw = {"a": np.full((500, 30), -1.0), "b": np.full(500, -1)}
    changed = masked(raw, described(sample), generators(500))
    share = (changed["a"] != -1).mean(), (changed["b"] != -1).mean()
    assert share == pytest.approx((0.3, 0.3), abs=0.06)
    for number in range(500):
        donors = {int(value - 100) // 30 for value in changed["a"][number] if value != -1}
        if changed["b"][number] != -1:
            donors.add(int(changed["b"][number]) - 100)
        assert len(donors) <= 1


def test_the_report_says_what_was_done_to_which_records():
    noise, masks = (attack.score(evidence(table)).method for attack in ATTACKS[:2])
    assert "4 measurements" in noise
    assert "1 bits" in noise
    assert "1 categories" in noise
    assert "of a table" in masks
    assert "216 pixel values" in ATTACKS[0].score(evidence(images)).method
    assert "images" in ATTACKS[1].score(evidence(images)).method


def test_noise_that_changes_nothing_is_no_attack():
    texts = np.array(["a", "b", "c"])[np.arange(COUNT) % 3]
    split, keys = spread(COUNT)
    found = evidence_of(
        lambda c: np.eye(3)[np.unique(c["x"], return_inverse=True)[1]], {"x": texts},
        np.arange(COUNT) % 3, np.arange(COUNT) < 150, keys, split,
    )  # fmt: skip
    with pytest.raises(SignalError, match="nothing to change"):
        NoiseRobustness().score(found)


# --------------------------------------------------------------------------------- the engine


def test_answers_come_in_order_and_in_halves_where_memory_is_short():
    columns = {"x": np.arange(50.0).reshape(25, 2)}
    model = Function(lambda inputs: inputs["x"], fits=3)
    asking = asking_of(model, columns, batch_size=10)
    order = np.random.default_rng(0).permutation(25)
    answers = list(asking.answers(asking.blocks(order)))
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in answers]), order)
    values = np.concatenate([outputs.values for _, outputs in answers])
    np.testing.assert_array_equal(values, columns["x"][order])
    nothing = asking_of(Function(lambda inputs: inputs["x"], fits=0), columns)
    with pytest.raises(ModelError, match="single record"):
        list(nothing.answers(nothing.blocks(order)))


def test_the_time_is_watched():
    asking = asking_of(Function(lambda inputs: inputs["x"]), {"x": np.eye(4)}, deadline=0.0)
    with pytest.raises(LimitError, match=r"limits\.seconds"):
        list(asking.answers(asking.blocks(np.arange(4))))


def test_a_model_without_classes_has_no_labels_to_give():
    queries = queries_of(lambda inputs: inputs["x"], {"x": np.eye(4)})
    queries._task = type("Custom", (), {"predicted": staticmethod(lambda outputs: None)})
    with pytest.raises(SignalError, match="classes"):
        queries.predict(np.arange(2), {"x": np.eye(2)})
    found = evidence(bits)
    with pytest.raises(SignalError, match="cannot here"):
        NoiseRobustness().score(dataclasses.replace(found, signals=Signals({})))
