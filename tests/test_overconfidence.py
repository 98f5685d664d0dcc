"""The numbers of the overconfidence audit: thresholds, false alarms, transforms, generators."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from privacy_gate.domain import Metric
from privacy_gate.errors import ConfigError
from privacy_gate.models.preprocess import Arithmetic
from privacy_gate.overconfidence.audit import Audit
from privacy_gate.overconfidence.counts import (
    SetCalls,
    confusion,
    is_evidence,
    mean_or_none,
    threshold,
)
from privacy_gate.overconfidence.generator import call, generate
from privacy_gate.overconfidence.transforms import NotApplicable, change
from privacy_gate.overconfidence.words import sentence
from privacy_gate.ranking import break_ties
from privacy_gate.statistics.operating_point import conformal_threshold

NONE = Arithmetic()


def draw(row):
    return np.random.default_rng([7, row])


def keys(count, seed=0):
    return np.random.default_rng(seed).integers(0, 2**63, count, dtype=np.uint64)


# --------------------------------------------------------------------------------------- thresholds


@given(st.lists(st.integers(-3, 3), min_size=5, max_size=40), st.sampled_from([0.05, 0.2, 0.5]))
def test_a_threshold_calls_whom_the_ranks_call(values, fpr):
    scores, own = np.array(values, float), keys(len(values))
    found = threshold(scores, own, fpr)
    ranks = break_ties(scores, own)
    limit = conformal_threshold(ranks, fpr)
    if found is None:
        assert limit == np.inf
    else:
        assert (found.called(scores, own) == (ranks > limit)).all()


def test_a_threshold_keeps_the_target_on_new_records():
    """Expected FPR of the conformal rule: k / (m + 1), here 2 / 201."""
    random = np.random.default_rng(0)
    rates = []
    for _ in range(400):
        scores = random.normal(size=400)
        found = threshold(scores[:200], keys(200), 0.01)
        rates.append(found.called(scores[200:], keys(200)).mean())
    assert np.mean(rates) == pytest.approx(2 / 201, abs=0.002)


def test_nan_is_never_called_and_too_few_records_give_no_threshold():
    found = threshold(np.arange(100.0), keys(100), 0.01)
    assert found.called(np.array([np.nan, 1e9, -1e9]), keys(3)).tolist() == [False, True, False]
    assert threshold(np.arange(98.0), keys(98), 0.01) is None


def test_a_rate_has_the_interval_of_clopper_and_pearson():
    exact = stats.binomtest(7, 40).proportion_ci(0.95, "exact")
    rate = SetCalls("loss", "noise", 7, 40).fpr(0.95)
    assert (rate["estimate"], rate["low"], rate["high"]) == (
        7 / 40, pytest.approx(exact.low), pytest.approx(exact.high),
    )  # fmt: skip
    hidden = SetCalls("loss", "noise", 7, 40, not_finite=5).fpr(0.95)
    assert hidden["low"] == rate["low"]
    assert hidden["high"] == pytest.approx(stats.binomtest(12, 40).proportion_ci(0.95).high)


def test_confusion_groups_and_their_means():
    top = np.array([0.9, 0.8, 0.7, 0.6, np.nan])
    called = np.array([True, True, False, False, True])
    member = np.array([True, False, True, False, False])
    assert confusion(called, member, top) == {"tp": 0.9, "fp": 0.8, "fn": 0.7, "tn": 0.6}
    assert confusion(np.zeros(5, bool), member, top)["tp"] is None  # the paper's code writes 0
    assert mean_or_none(np.array([np.nan])) is None


def test_a_verdict_is_evidence_only_where_every_set_says_so():
    def rate(called, total):
        return SetCalls("loss", "noise", called, total).fpr(0.95)

    assert is_evidence([rate(0, 500)], 0.01) == "yes"
    assert is_evidence([rate(0, 500), rate(400, 500)], 0.01) == "no"
    assert is_evidence([rate(0, 50)], 0.01) == "open"
    worst = {"scaled": rate(495, 500), "noise": rate(0, 500)}
    words = sentence(0.01, 200, [*worst.items()], "no")
    assert words.startswith("On out-of-distribution data this attack calls up to 99 % members (sca")
    assert words.endswith("so a single verdict is not evidence.")
    assert sentence(0.01, 200, [("noise", rate(0, 500))], "yes").endswith(
        "is evidence on data like these."
    )
    assert "at least 99 calibration non-members, and there are 40" in sentence(0.01, 40, [], "open")


def test_what_budgets_are_held_against():
    audit = Audit({}, (SetCalls("loss", "noise", 7, 40, 2),), {})
    (found,) = audit.measurements(0.025).values()
    assert (found.metric, found.estimate) == (Metric("ood_fpr", "noise"), 9 / 40)


# --------------------------------------------------------------------------------------- transforms


def images(shape, dtype=np.uint8, count=6):
    return np.random.default_rng(1).integers(0, 200, (count, *shape)).astype(dtype)


def applied(name, x, rows=None, arithmetic=NONE):
    found = change(name, {"x": x}, draw, arithmetic)
    rows = np.arange(len(x)) if rows is None else rows
    return found.raw({"x": x[rows]}, rows)["x"] if found.raw else found.after({"x": x[rows]})["x"]


@pytest.mark.parametrize("shape", [(8, 8), (3, 8, 8), (8, 8, 3), (5, 6, 7)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pixels_move_and_channels_stay_together(shape, dtype):
    x = images(shape, dtype)
    moved = applied("permuted", x)
    assert moved.dtype == dtype
    assert not (moved == x).all()
    axis = {(3, 8, 8): 0, (8, 8, 3): 2}.get(shape)
    for before, after in zip(x, moved, strict=True):
        channels = (
            (before, after)
            if axis is None
            else (
                np.moveaxis(before, axis, 0).reshape(3, -1).T,
                np.moveaxis(after, axis, 0).reshape(3, -1).T,
            )
        )
        if axis is None:
            assert (np.sort(before, axis=None) == np.sort(after, axis=None)).all()
        else:
            assert sorted(map(tuple, channels[0])) == sorted(map(tuple, channels[1]))
    assert not (moved[0] == moved[1]).all()


@pytest.mark.parametrize("name", ["permuted", "noise", "inverted"])
def test_a_change_depends_on_the_record_alone(name):
    x = images((8, 8))
    whole = applied(name, x)
    assert (applied(name, x, np.array([4, 2])) == whole[[4, 2]]).all()
    assert (applied(name, x) == whole).all()


def test_features_come_from_other_records_and_keep_their_marginals():
    random = np.random.default_rng(0)
    x = np.stack([np.arange(300), np.arange(300) + 1000, random.integers(0, 2, 300)], axis=1)
    mixed = applied("permuted", x)
    assert set(mixed[:, 0]) <= set(range(300))
    assert set(mixed[:, 1]) <= set(range(1000, 1300))
    assert abs(np.corrcoef(mixed[:, 0], mixed[:, 1])[0, 1]) < 0.2  # 1 before
    assert mixed[:, 2].mean() == pytest.approx(x[:, 2].mean(), abs=0.12)
    single = applied("permuted", np.arange(50.0))
    assert set(single) <= set(range(50))


def test_noise_covers_the_range_of_images_and_has_the_scale_of_features():
    pixels = np.zeros((40, 8, 8), np.uint8)
    pixels[:, 0, 0] = 3
    noise = applied("noise", pixels)
    shares = np.bincount(noise.reshape(-1)) / noise.size
    assert noise.dtype == np.uint8
    assert shares == pytest.approx(np.full(4, 0.25), abs=0.04)
    table = np.random.default_rng(0).normal([0, 50], [1, 10], (4000, 2))
    added = applied("noise", table) - table
    assert added.std(axis=0) == pytest.approx([1, 10], rel=0.05)
    bits = np.random.default_rng(0).integers(0, 2, (200, 5)).astype(np.uint8)
    assert set(np.unique(applied("noise", bits))) == {0, 1}
    flags = bits.astype(bool)
    assert applied("noise", flags).dtype == np.bool_


def test_light_for_dark():
    x = images((8, 8))
    assert (applied("inverted", x) == x.max() + x.min() - x.astype(int)).all()
    assert (applied("inverted", applied("inverted", x)) == x).all()
    with pytest.raises(NotApplicable, match="no image"):
        applied("inverted", np.zeros((5, 3)))


def test_preprocessed_values_are_scaled_and_normalisation_is_left_out():
    x = np.random.default_rng(0).random((4, 3, 8, 8), np.float32)
    assert applied("scaled", x) == pytest.approx(x * 255)
    steps = Arithmetic(1 / 255, [0.5, 0.4, 0.3], [0.2, 0.3, 0.4], "NCHW")
    raw = images((8, 8, 3))
    without = applied("unnormalised", steps(raw), arithmetic=steps)
    assert without == pytest.approx(np.moveaxis(raw, -1, 1) / 255, abs=1e-6)
    scale = Arithmetic(1 / 16)
    assert applied("unnormalised", scale(raw), arithmetic=scale) == pytest.approx(raw)
    for arithmetic in (None, NONE):
        with pytest.raises(NotApplicable, match="no normalisation"):
            change("unnormalised", {"x": x}, draw, arithmetic)
    with pytest.raises(NotApplicable, match="whole numbers"):
        applied("scaled", images((8, 8)))
    with np.errstate(all="raise"):
        assert np.isinf(applied("scaled", np.full((2, 3), 1e38, np.float32))).all()


def test_text_cannot_be_changed():
    with pytest.raises(NotApplicable, match="text"):
        change("permuted", {"x": np.array(["a", "b"])}, draw, None)


# --------------------------------------------------------------------------------------- generators


def blobs(count=80):
    """Images with light in the left or in the right half."""
    random = np.random.default_rng(2)
    x = random.integers(0, 20, (count, 8, 8))
    for row, side in enumerate(random.integers(0, 2, count)):
        x[row, :, 4 * side : 4 * side + 4] += 200
    return x.astype(np.uint8)


def test_generated_images_look_like_those_trained_on():
    x = blobs()
    made = generate({"x": x}, 200, 0)["x"]
    assert (made.dtype, made.shape) == (np.uint8, (200, 8, 8))
    assert (generate({"x": x}, 200, 0)["x"] == made).all()
    assert not (generate({"x": x}, 200, 1)["x"] == made).all()
    light = np.stack([made[:, :, :4].mean(axis=(1, 2)), made[:, :, 4:].mean(axis=(1, 2))], axis=1)
    right = light.argmax(axis=1)
    assert 0.2 < right.mean() < 0.8
    assert np.median(np.abs(light[:, 0] - light[:, 1])) > 100


def test_a_table_is_generated_feature_by_feature():
    random = np.random.default_rng(0)
    table = {"a": random.normal(5, 1, 100), "b": random.integers(0, 3, (100, 2)).astype(np.int32)}
    made = generate(table, 30, 0)
    assert list(made) == ["a", "b"]
    assert made["b"].dtype == np.int32
    assert set(np.unique(made["b"])) <= {0, 1, 2}
    assert table["a"].min() <= made["a"].min() <= made["a"].max() <= table["a"].max()


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (np.zeros((49, 8, 8)), "49 calibration non-members"),
        (np.zeros((60, 33, 8)), "at most 32 x 32"),
        (np.zeros((60, 5000)), "at most 4096 numbers"),
        (np.full(60, "a"), "text"),
    ],
)
def test_what_cannot_be_generated(column, reason):
    with pytest.raises(NotApplicable, match=reason):
        generate({"x": column}, 10, 0)


def test_the_generator_leaves_torch_as_it_was():
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    generate({"x": blobs()}, 5, 0)
    assert (torch.rand(3) == expected).all()


def test_a_generator_of_the_project_is_held_to_its_contract():
    training = {"x": blobs()}
    seen = []

    def good(columns, count, seed):
        seen.append((columns["x"].shape, count, seed))
        return columns["x"][:count]

    assert (call(good, training, 9, 3, "c:1")["x"] == training["x"][:9]).all()
    assert seen == [((80, 8, 8), 9, 3)]
    faulty = {
        "raised ZeroDivisionError": lambda columns, count, seed: 1 / 0,
        "must return the columns x": lambda columns, count, seed: {"z": columns["x"]},
        "of shape": lambda columns, count, seed: columns["x"][: count - 1],
        "float64 of shape": lambda columns, count, seed: columns["x"][:count] / 2,
    }
    for message, function in faulty.items():
        with pytest.raises(ConfigError, match=message) as caught:
            call(function, training, 9, 3, "c:1")
        assert caught.value.location == "c:1"
    floats = {"x": np.zeros((80, 3))}
    with pytest.raises(ConfigError, match="NaN"):
        call(lambda columns, count, seed: np.full((count, 3), np.nan), floats, 9, 3, "c:1")
