"""What is drawn, in which order, and how a candidate is chosen on validation records."""

from __future__ import annotations

import few_shot_twins as twins
import numpy as np
import pytest
from few_shot_evidence import METHODS, evidence, take, with_membership
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy_gate.attacks.few_shot.draws import VALIDATION, Pool, membership_labels
from privacy_gate.attacks.few_shot.ordering import in_key_order, in_row_order
from privacy_gate.attacks.few_shot.selection import auc, best_on_validation, true_positives_at_zero
from privacy_gate.domain import Split
from privacy_gate.errors import FixtureError


def drawn(found, shots=5, count=50, seed=0, name="some-5"):
    return Pool.of(found).draw(shots, count, seed, name)


@pytest.mark.parametrize("shots", [1, 2, 5, 8])
def test_a_draw_is_disjoint_without_replacement_and_members_first(shots):
    found, is_member = evidence()
    draws = drawn(found, shots)
    assert draws.shots == shots
    assert (draws.support.shape, draws.validation.shape) == ((50, 2 * shots), (50, 30))
    for part, split in ((draws.support, Split.SUPPORT), (draws.validation, Split.CALIBRATION)):
        assert (found.split[part] == split).all()
        half = part.shape[1] // 2
        assert is_member[part[:, :half]].all()
        assert not is_member[part[:, half:]].any()
    for row in np.concatenate([draws.support, draws.validation], axis=1):
        assert len(set(row)) == row.size


def test_every_record_is_drawn_equally_often():
    found, _ = evidence(support=(12, 12))
    draws = drawn(found, 3, count=4000)
    for part, split, share in (
        (draws.support, Split.SUPPORT, 3 / 12),
        (draws.validation, Split.CALIBRATION, 15 / 18),
    ):
        counts = np.bincount(part.ravel(), minlength=found.split.size)[found.split == split]
        assert (abs(counts - 4000 * share) < 5 * np.sqrt(4000 * share * (1 - share))).all()


def test_draws_depend_on_seed_and_name_only():
    found, _ = evidence()
    first = drawn(found)
    drawn(found, name="another-5")
    np.random.default_rng(0).random(100)
    again = drawn(found)
    np.testing.assert_array_equal(again.support, first.support)
    np.testing.assert_array_equal(again.validation, first.validation)
    for other in (drawn(found, name="another-5"), drawn(found, seed=1)):
        assert (other.support != first.support).any()
        assert (other.validation != first.validation).any()


def test_sizes_are_those_of_both_splits():
    found, _ = evidence(support=(8, 9), calibration=(18, 20), evaluation=(30, 31))
    assert Pool.of(found).sizes == (26, 29)


@pytest.mark.parametrize(
    ("sizes", "shots", "words"),
    [
        ({"support": (4, 8)}, 5, "5 shots needs 5 records a side in the support split.* has 4"),
        ({"support": (8, 0)}, 1, "1 shots? needs 1 records? a side in the support split.* has 0"),
        ({"calibration": (15, 14)}, 5, "needs 15 records a side in the calibration split.* has 14"),
    ],
)
def test_too_few_records_are_refused_with_the_number_that_would_do(sizes, shots, words):
    found, _ = evidence(**sizes)
    with pytest.raises(FixtureError, match=words) as caught:
        drawn(found, shots)
    assert caught.value.hint
    for learner in METHODS:
        with pytest.raises(FixtureError, match=words):
            learner(shots).score(found)


def test_exactly_enough_records_are_all_drawn():
    found, _ = evidence(support=(5, 5), calibration=(VALIDATION, VALIDATION))
    draws = drawn(found, 5, count=3)
    assert [set(row) for row in draws.support] == [set(np.flatnonzero(found.split == 0))] * 3
    assert [set(row) for row in draws.validation] == [set(np.flatnonzero(found.split == 1))] * 3


def test_the_pool_knows_no_evaluation_record():
    """Not even if their membership were there to be read."""
    found, is_member = evidence()
    told = with_membership(found, is_member)
    told.membership[:] = is_member
    assert (found.membership == -1).any()
    for split in ("support", "validation"):
        for side in (0, 1):
            rows = getattr(Pool.of(told), split)[side]
            np.testing.assert_array_equal(rows, getattr(Pool.of(found), split)[side])


# -------------------------------------------------------------------------------- order of records


def test_key_order_sorts_every_column_and_leads_back():
    random = np.random.default_rng(0)
    found, is_member = evidence()
    keys = random.integers(0, 2**64, is_member.size, dtype=np.uint64)
    calls = []
    found = evidence(keys=keys, tuning=lambda *rows: calls.append(rows))[0]
    ordered, order = in_key_order(found)
    assert (np.diff(ordered.keys.astype(object)) > 0).all()
    expected = take(found, order)
    for column in ("labels", "split", "membership"):
        np.testing.assert_array_equal(getattr(ordered, column), getattr(expected, column))
    for column in ("predicted", "features", "outputs"):
        got, wanted = getattr(ordered.signals, column), getattr(expected.signals, column)
        np.testing.assert_array_equal(got, wanted)
    for name, values in expected.signals.columns.items():
        np.testing.assert_array_equal(ordered.signals.columns[name], values)
    scores = random.normal(size=(2, is_member.size))
    np.testing.assert_array_equal(in_row_order(scores[:, order], order), scores)
    rows = np.arange(3)
    ordered.tuning(rows, rows[:2], rows[None])
    np.testing.assert_array_equal(calls[0][0], order[:3])
    np.testing.assert_array_equal(calls[0][2], order[:3][None])


def test_without_keys_the_order_stays():
    found, is_member = evidence()
    ordered, order = in_key_order(found)
    assert ordered is found
    np.testing.assert_array_equal(order, np.arange(is_member.size))


# ---------------------------------------------------------------------------------------- selection

LABELS = membership_labels(5)

few_values = st.sampled_from([0.0, 0.25, 0.5, 1.0])
candidates = st.lists(st.lists(few_values, min_size=10, max_size=10), min_size=1, max_size=6)


@given(candidates)
@settings(max_examples=200, deadline=None)
def test_selection_equals_its_twin(scores):
    array = np.array(scores)
    assert best_on_validation(array[:, None], LABELS) == [twins.best_candidate(scores, LABELS)]
    for row, values in zip(array, scores, strict=True):
        assert true_positives_at_zero(row, LABELS) == twins.true_positives_at_zero(values, LABELS)
        assert auc(row, LABELS) == pytest.approx(float(twins.exact_auc(values, LABELS)), abs=1e-15)


def of(members, nonmembers):
    return [*members, *nonmembers]


def test_the_order_of_the_criteria():
    labels = membership_labels(3)
    one_hit = of([9, 0, 0], [1, 1, 1])  # AUC 1/3
    two_hits = of([9, 8, 0], [1, 1, 1])  # AUC 2/3
    none_but_auc = of([2, 2, 2], [9, 1, 1])  # AUC 2/3
    none_at_all = of([0, 0, 0], [9, 1, 1])

    def best(*rows):
        return int(best_on_validation(np.array(rows, float)[:, None], labels)[0])

    assert best(none_but_auc, one_hit) == 1
    assert best(one_hit, two_hits, one_hit) == 1
    assert best(none_at_all, none_but_auc) == 1
    assert best(none_at_all, none_at_all) == 0
    assert best(one_hit, two_hits, two_hits) == 1


def test_equal_aucs_are_equal_however_they_come_about():
    """Of 225 pairs, 100 won and none tied is as good as 99 won and 2 tied, although in floating
    point the one may round above the other: the first must be taken, in both orders."""
    labels = membership_labels(15)
    random = np.random.default_rng(1)
    by_auc = {}
    for _ in range(800):
        scores = random.integers(0, 6, 30).astype(float)
        scores[-1] = 9.0  # nothing above this non-member
        by_auc.setdefault(twins.exact_auc(scores, labels), []).append(scores)
    for same in by_auc.values():
        chosen = best_on_validation(np.array(same)[:, None], labels)
        assert chosen == [0]


def test_each_draw_chooses_for_itself():
    random = np.random.default_rng(2)
    scores = random.normal(size=(6, 40, 10))
    together = best_on_validation(scores, LABELS)
    alone = [int(best_on_validation(scores[:, [r]], LABELS)[0]) for r in range(40)]
    assert together.tolist() == alone
    assert len(set(alone)) > 3
