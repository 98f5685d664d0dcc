"""Each fixture check alone: planted faults are caught by the check that is named after them, and
sound data raise no alarm at the stated level."""

from __future__ import annotations

import numpy as np
import pytest

from privacy_gate.domain import Metric, Sizes, Split
from privacy_gate.fixture_checks import levels
from privacy_gate.fixture_checks.accuracy import fitted
from privacy_gate.fixture_checks.blind_baseline import Described, blind_baseline
from privacy_gate.fixture_checks.closeness import crowding, placed, weighed
from privacy_gate.fixture_checks.direction import direction
from privacy_gate.fixture_checks.duplicates import LEAST, duplicates, near_copies
from privacy_gate.fixture_checks.features import described, is_image, shrunk
from privacy_gate.fixture_checks.groups import group_sizes
from privacy_gate.fixture_checks.label_shift import label_shift
from privacy_gate.fixture_checks.minimum_size import minimum_size
from privacy_gate.fixture_checks.permutation import rank_sum_p_value, sequential_p_value
from privacy_gate.fixture_checks.ties import saturated
from privacy_gate.terms import CAN_BLOCK


def coin(count, seed=0):
    return np.random.default_rng(seed).permutation(np.arange(count) % 2 == 0)


def generator():
    return np.random.default_rng(7)


# -------------------------------------------------------------------------------------- the tests


def test_levels_add_up_to_five_per_cent_in_twenty_sets():
    total = levels.LEVEL * len(levels.BY_CHANCE) + levels.DIRECTION_LEVEL
    assert 20 * total == pytest.approx(0.05)


def test_sequential_p_values_are_exact_tests():
    """Under the null hypothesis P(p <= a) <= a, for small and for large a."""
    random = np.random.default_rng(1)
    p_values = np.array(
        [sequential_p_value(random.normal(), lambda n: random.normal(size=n)) for _ in range(2000)]
    )
    for level in (0.01, 0.05, 0.2, 0.5):
        share = (p_values <= level).mean()
        assert share <= level + 3.5 * np.sqrt(level * (1 - level) / 2000)
        assert share >= 0.5 * level


def test_the_smallest_p_value_is_one_in_ten_thousand():
    assert sequential_p_value(5.0, lambda n: np.zeros(n)) == 1e-4
    assert sequential_p_value(0.0, lambda n: np.zeros(n)) == 1.0


def test_rank_sums_are_compared_within_strata_only():
    """Strata of very different ranks and shares of members: a difference between them is none."""
    random = np.random.default_rng(2)
    strata = np.repeat([0, 1], 200)
    is_member = random.random(400) < np.where(strata == 0, 0.2, 0.8)
    ranks = random.random(400) + strata
    assert rank_sum_p_value(ranks, is_member, strata, generator()) > 0.05
    assert rank_sum_p_value(ranks, is_member, 0 * strata, generator()) == 1e-4
    shifted = ranks + 0.2 * is_member
    assert rank_sum_p_value(shifted, is_member, strata, generator()) == 1e-4
    assert rank_sum_p_value(-shifted, is_member, strata, generator()) > 0.9
    assert rank_sum_p_value(-shifted, is_member, strata, generator(), two_sided=True) == 1e-4


# -------------------------------------------------------------------------------------- the labels


def test_a_label_shift_is_found_and_blocks():
    random = np.random.default_rng(3)
    is_member = coin(1000)
    labels = random.integers(0, 10, 1000)
    assert label_shift(labels, is_member, 10, generator()).verdict == "pass"
    labels[is_member & (random.random(1000) < 0.2)] = 0
    found = label_shift(labels, is_member, 10, generator())
    assert (found.verdict, found.blocking) == ("inconclusive", True)
    assert found.p_value <= levels.LEVEL
    assert found.statistic == pytest.approx(0.18, abs=0.04)


def test_missing_classes_are_counted():
    labels, is_member = np.arange(400) % 4, coin(400)
    labels[is_member & (labels == 3)] = 0
    found = label_shift(labels, is_member, 6, generator())
    assert "1 classes occur on one side only and 2 on neither" in found.message
    assert found.blocking


def test_labels_that_are_no_classes_are_left_to_the_blind_baseline():
    found = label_shift(np.arange(300), coin(300), None, generator())
    assert (found.verdict, found.p_value) == ("pass", None)


# ------------------------------------------------------------------------------- the blind baseline


def seen(features, is_member, labels=None, metadata=0):
    """What learners see; the last columns are ``metadata``."""
    count = len(features)
    split = np.random.default_rng(5).choice(3, count, p=[0.15, 0.25, 0.6])
    beside = np.arange(features.shape[1]) >= features.shape[1] - metadata
    labels = np.zeros(count, np.int64) if labels is None else labels
    return Described(features.astype(np.float32), beside, labels, is_member, split)


def test_clean_inputs_pass_or_name_the_size_that_could():
    random = np.random.default_rng(4)
    few = blind_baseline(seen(random.normal(size=(400, 5)), coin(400)), generator()).check
    assert not few.blocking
    assert few.verdict == "inconclusive"
    assert "about 870 a side could show" in few.message
    many = blind_baseline(seen(random.normal(size=(4000, 5)), coin(4000)), generator()).check
    assert (many.verdict, many.blocking) == ("pass", False)
    assert many.high < 0.55


@pytest.mark.parametrize("kind", ["linear", "not linear"])
def test_a_shift_of_inputs_blocks(kind):
    random, is_member = np.random.default_rng(4), coin(1600)
    features = random.normal(size=(1600, 5))
    if kind == "linear":
        features[is_member, 2] += 0.5
    else:
        features[is_member, 2] *= 2.5
    blind = blind_baseline(seen(features, is_member), generator())
    assert (blind.check.verdict, blind.check.blocking) == ("inconclusive", True)
    assert blind.check.low > 0.5
    assert blind.check.p_value <= levels.LEVEL
    evaluation = seen(features, is_member).split == Split.EVALUATION
    member = is_member[evaluation]
    assert blind.scores[member].mean() > blind.scores[~member].mean()


def test_what_labels_alone_tell_is_not_the_blind_baselines_business():
    random, is_member = np.random.default_rng(4), coin(1600)
    labels = np.where(random.random(1600) < np.where(is_member, 0.7, 0.4), 1, 0)
    features = random.normal(size=(1600, 3)) + 3 * labels[:, None]
    check = blind_baseline(seen(features, is_member, labels), generator()).check
    assert not check.blocking
    assert label_shift(labels, is_member, 2, generator()).blocking


def test_metadata_alone_are_tried_too():
    """A date among much noise."""
    random, is_member = np.random.default_rng(4), coin(1000)
    noise = random.normal(size=(1000, 200))
    dates = random.permutation(1000) + 250 * is_member
    features = np.hstack([noise, dates[:, None]])
    assert blind_baseline(seen(features, is_member, metadata=1), generator()).check.blocking


def test_too_few_records_are_said_to_be_too_few():
    check = blind_baseline(seen(np.zeros((60, 2)), coin(60)), generator()).check
    assert (check.verdict, check.blocking) == ("inconclusive", False)
    assert "every split needs 20 records a side" in check.message


def texts(count, years, seed):
    random = np.random.default_rng(seed)
    words = [
        "the",
        "report",
        "of",
        "a",
        "small",
        "town",
        "on",
        "water",
        "roads",
        "schools",
        "and",
        "budgets",
        "for",
        "every",
        "year",
    ]
    return np.array(
        [" ".join(random.choice(words, 30)) + f" in {random.choice(years)}." for _ in range(count)],
        dtype=object,
    )


def test_texts_of_other_years_are_found():
    members, nonmembers = texts(500, range(2010, 2020), 0), texts(500, range(2018, 2026), 1)
    column = {"text": np.concatenate([members, nonmembers])}
    is_member = np.arange(1000) < 500
    assert blind_baseline(seen(described(column), is_member), generator()).check.blocking
    column = {"text": np.concatenate([members, texts(500, range(2010, 2020), 2)])}
    assert not blind_baseline(seen(described(column), is_member), generator()).check.blocking


def test_the_sound_digits_raise_nothing_in_twenty_splits():
    """Real data of many kinds: benchmarks/fixture_checks.py."""
    from sklearn.datasets import load_digits

    images, target = (values[:1000] for values in (load_digits().images, load_digits().target))
    columns = {"x": images.astype(np.uint8)}
    features, places = described(columns), weighed(placed(columns["x"]), table=False)
    alarms = []
    for seed in range(20):
        is_member = coin(len(features), seed)
        found = seen(features, is_member, target)
        alarms += [
            check.name
            for check in (
                blind_baseline(found, generator()).check,
                label_shift(target, is_member, 10, generator()),
                duplicates((0, 0), places, is_member),
            )
            if check.blocking or (check.verdict != "pass" and check.name != "blind-baseline")
        ]
    assert alarms == []


# -------------------------------------------------------------------------------- what is looked at


def test_features_do_not_depend_on_the_batch():
    random = np.random.default_rng(6)
    columns = {
        "image": random.integers(0, 255, (10, 3, 20, 24), dtype=np.uint8),
        "table": random.normal(size=(10, 7)) * 1e300,
        "tokens": random.integers(0, 50_000, (10, 80)),
        "text": texts(10, [2020], 0),
    }
    whole = described(columns)
    assert np.isfinite(whole).all()
    parts = [described({n: v[i : i + 3] for n, v in columns.items()}) for i in range(0, 10, 3)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5, atol=1e-5)


def test_pictures_are_told_from_tables():
    assert is_image(np.zeros((2, 8, 8)))
    assert is_image(np.zeros((2, 3, 8, 8)))
    assert is_image(np.zeros((2, 8, 8, 1)))
    assert not is_image(np.zeros((2, 8)))
    assert not is_image(np.zeros((2, 2, 8)))
    assert not is_image(np.zeros((2, 8, 8, 8)))


def test_shrinking_keeps_means_of_blocks():
    picture = np.arange(16.0).reshape(1, 4, 4)
    np.testing.assert_allclose(shrunk(picture, 2), [[2.5, 4.5, 10.5, 12.5]])
    assert shrunk(np.ones((1, 5, 3)), 12).shape == (1, 15)


# --------------------------------------------------------------------------------------- the copies


def cloud(count=1000, seed=8):
    return np.random.default_rng(seed).normal(size=(count, 12)).astype(np.float32)


def test_crowding_is_nearest_over_fifth_nearest():
    places, others = cloud(40), cloud(60, 9)
    distances = np.sort(np.linalg.norm(places[:, None] - others, axis=2), axis=1)
    np.testing.assert_allclose(crowding(places, others), distances[:, 0] / distances[:, 4], 1e-4)
    inside = np.sort(np.linalg.norm(places[:, None] - places, axis=2), axis=1)
    np.testing.assert_allclose(crowding(places), inside[:, 1] / inside[:, 5], rtol=1e-4)


def test_five_near_copies_in_a_thousand_are_found():
    places, is_member = cloud(), np.arange(1000) < 500
    assert duplicates((0, 0), places, is_member).verdict == "pass"
    places[500:505] = places[:5] + 0.02 * cloud(5, 10)
    found = duplicates((0, 0), places, is_member)
    assert (found.verdict, found.statistic, found.blocking) == ("inconclusive", 5.0, False)
    places[500:520] = places[:20] + 0.02 * cloud(20, 10)
    assert duplicates((0, 0), places, is_member).blocking


def test_four_near_copies_are_counted_and_no_alarm():
    places, is_member = cloud(), np.arange(1000) < 500
    places[500:504] = places[:4] + 0.02 * cloud(4, 10)
    found = duplicates((0, 0), places, is_member)
    assert (found.verdict, found.statistic) == ("pass", 4.0)


def test_nature_that_makes_a_few_copies_is_called_faulty_as_rarely_as_stated():
    """The worst case that ``near_copies`` names."""
    random = np.random.default_rng(13)
    shares = []
    for mean in (1.0, 2.8, 5.0):
        across, within = random.poisson(mean, 100_000), random.poisson(mean, 100_000)
        shares.append(((across >= LEAST) & (within == 0)).mean())
    assert max(shares) == shares[1] == pytest.approx(0.0093, abs=0.001)


@pytest.mark.parametrize(("apart", "verdict"), [(0.07, "inconclusive"), (0.02, "pass")])
def test_a_natural_pair_hides_five_copies_only_if_it_is_as_close(apart, verdict):
    places, is_member = cloud(), np.arange(1000) < 500
    places[10] = places[11] + apart * cloud(1, 14)
    alone = near_copies(places, is_member)
    assert (alone.across, alone.within) == (0, 1)
    places[500:505] = places[:5] + 0.02 * cloud(5, 10)
    assert duplicates((0, 0), places, is_member).verdict == verdict


def test_records_too_alike_for_near_copies_are_said_to_be():
    """Numbers on a fine grid along one line: every record has neighbours at any distance."""
    places = np.random.default_rng(15).normal(size=(1000, 1)).astype(np.float32)
    found = duplicates((0, 0), places, coin(1000))
    assert found.verdict == "pass"
    assert "hide near copies" in found.message
    assert "hide near copies" not in duplicates((0, 0), cloud(), coin(1000)).message
    assert "hide near copies" in duplicates((0, 0), cloud(30), coin(30)).message


def test_copies_that_nature_makes_everywhere_are_no_alarm():
    """Pairs of near copies, dealt out at random: as many within the sides as across."""
    alarms = within = 0
    for seed in range(40):
        singles, pairs = cloud(976, seed), cloud(12, seed + 500)
        close = pairs + np.geomspace(1e-3, 1e-2, 12)[:, None].astype(np.float32)
        found = near_copies(np.concatenate([singles, pairs, close]), coin(1000, seed))
        alarms += found.across >= LEAST and found.p_value <= levels.LEVEL
        within += found.within
    assert alarms == 0
    assert within > 40


def test_records_in_dense_places_are_no_copies():
    """Distances differ by orders of magnitude between clusters; ratios do not."""
    random = np.random.default_rng(11)
    places = cloud() * random.choice([1e-3, 1.0], (1000, 1)).astype(np.float32)
    assert near_copies(places, coin(1000)).across < 4


def test_exact_copies_are_counted_by_side():
    found = duplicates((3, 2), cloud(), coin(1000))
    assert (found.verdict, found.blocking) == ("inconclusive", False)
    assert found.message.startswith("3 members and 2 non-members have the same content")


# ------------------------------------------------------------------------------------- the others


def test_group_sizes_are_compared():
    random = np.random.default_rng(12)
    sizes = random.integers(1, 6, 400)
    groups, is_member = np.repeat(np.arange(400), sizes), np.repeat(np.arange(400) < 200, sizes)
    assert group_sizes(groups, is_member, generator()).verdict == "pass"
    sizes[:200] += 1
    groups, is_member = np.repeat(np.arange(400), sizes), np.repeat(np.arange(400) < 200, sizes)
    found = group_sizes(groups, is_member, generator())
    assert (found.verdict, found.blocking) == ("inconclusive", False)
    assert group_sizes(None, is_member, generator()).verdict == "pass"


def test_members_predicted_worse_block():
    is_member = np.arange(1000) < 500
    correct = np.arange(1000) % 10 > 2
    assert fitted(correct, is_member).verdict == "pass"
    worse = correct & ~(is_member & (np.arange(1000) % 5 > 2))
    found = fitted(worse, is_member)
    assert (found.verdict, found.blocking) == ("inconclusive", True)
    assert fitted(worse, ~is_member).verdict == "pass"
    assert "was trained on the non-members" in fitted(correct, is_member).message


def test_accuracy_is_fishers_exact_test():
    from scipy.stats import fisher_exact

    is_member, correct = np.arange(80) < 30, np.arange(80) % 3 > 0
    table = [[(correct & ~is_member).sum(), (~correct & ~is_member).sum()]]
    table += [[(correct & is_member).sum(), (~correct & is_member).sum()]]
    expected = fisher_exact(table, "greater").pvalue
    assert fitted(correct, is_member).p_value == pytest.approx(expected)


def test_attacks_that_point_the_wrong_way_are_counted():
    assert direction(6, ()).verdict == "pass"
    found = direction(6, {"loss", "margin"})
    assert found.verdict == "inconclusive"
    assert "2 of 6 attacks" in found.message


def test_constant_scores_block_and_saturated_ones_do_not():
    spread, constant = np.arange(200.0), np.ones(200)
    half = np.where(np.arange(200) < 120, 1.0, spread)
    assert saturated({"a": spread, "b": spread}).verdict == "pass"
    found = saturated({"a": spread, "b": half})
    assert (found.verdict, found.blocking, found.statistic) == ("inconclusive", False, 0.6)
    assert saturated({"a": spread, "b": constant}).blocking
    assert saturated({"a": constant, "b": constant}).blocking
    assert saturated({}).verdict == "pass"


def test_scores_that_differ_by_rounding_are_constant():
    """As entropies of one-hot answers do, whose sums have another order for every class."""
    rounded = -0.119 * (1 + 1e-15 * (np.arange(200) % 4))
    assert np.unique(rounded).size > 2
    assert saturated({"entropy": rounded}).blocking
    assert saturated({"entropy": -0.119 * (1 + 1e-7 * np.arange(200))}).verdict == "pass"


def test_every_budgeted_rate_has_a_minimum_size():
    metrics = [Metric("tpr_at_fpr", 0.01), Metric("tnr_at_fnr", 0.01), Metric("auc")]
    assert minimum_size(metrics, Sizes(400, 400), 0.95).verdict == "pass"
    found = minimum_size(metrics, Sizes(400, 367), 0.95)
    assert found.verdict == "inconclusive"
    assert "FPR 0.01 needs 368 non-members and has 367" in found.message
    assert "FNR" not in found.message


def test_what_can_block_can_be_accepted():
    from privacy_gate.config.schema import AcceptSection

    assert {name.replace("_", "-") for name in AcceptSection.model_fields} == set(CAN_BLOCK)
