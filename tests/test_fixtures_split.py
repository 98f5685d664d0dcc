"""Splits and coins: exact, stable under new data, together for copies and groups, independent."""

from __future__ import annotations

import hashlib
import hmac
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from privacy_gate.domain import Split
from privacy_gate.fixtures.columns import Roles
from privacy_gate.fixtures.identity import identify
from privacy_gate.fixtures.split import assign_splits, flip, split_sizes

KEY = bytes(range(32))
SHARES = (0.15, 0.25, 0.60)
ROWS = st.lists(st.integers(0, 40), min_size=2, max_size=60)


def identity(values, **roles):
    values = np.asarray(values)
    columns = {"x": values.astype(np.uint8), "y": np.zeros(len(values), int)}
    for role, array in roles.items():
        columns[role] = np.asarray(array)
    named = {role: role for role in roles}
    return identify(columns, Roles(("y",), **named), "members")


def splits(values, **roles):
    return assign_splits(KEY, identity(values, **roles).unit, SHARES)


def digests(count):
    parts = [hashlib.sha256(str(number).encode()).digest() for number in range(count)]
    return np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 32)


@given(ROWS, ROWS)
def test_adding_records_never_moves_others(rows, more):
    assert np.array_equal(splits(rows), splits(rows + more)[: len(rows)])


@given(ROWS, st.randoms(use_true_random=False))
def test_order_does_not_matter(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    assert np.array_equal(splits(rows)[order], splits(np.asarray(rows)[order]))


@given(ROWS)
def test_copies_stay_together_and_are_told_apart(rows):
    split = splits(rows)
    for value in set(rows):
        assert len(set(split[np.asarray(rows) == value].tolist())) == 1
    assert len(np.unique(identity(rows).identifiers, axis=0)) == len(rows)


@given(ROWS, st.data())
def test_groups_stay_together_whatever_they_contain(groups, data):
    contents = data.draw(st.lists(st.integers(0, 255), min_size=len(groups), max_size=len(groups)))
    split = splits(contents, group=groups)
    for group in set(groups):
        assert len(set(split[np.asarray(groups) == group].tolist())) == 1
    other = splits(contents[::-1], group=groups)
    assert np.array_equal(split, other)


@settings(max_examples=25)
@given(st.permutations(range(30)))
def test_shuffling_keeps_the_split_of_every_identifier(order):
    rows, names = np.arange(30), [f"id-{number}" for number in range(30)]
    order = np.asarray(order)
    for roles in ({}, {"identifier": names}):
        shuffled_roles = {role: np.asarray(column)[order] for role, column in roles.items()}
        before, after = identity(rows, **roles), identity(rows[order], **shuffled_roles)
        table = dict(zip(map(bytes, before.identifiers), splits(rows, **roles), strict=True))
        again = dict(
            zip(map(bytes, after.identifiers), splits(rows[order], **shuffled_roles), strict=True)
        )
        assert table == again
        assert len(table) == 30


@given(st.integers(1, 99), st.integers(0, 40))
def test_splits_and_coins_are_exact(percent, support):
    """Against the definition, HMAC-SHA256 over 2**64, in exact fractions."""
    units = digests(40)
    hashes = [
        int.from_bytes(hmac.digest(KEY, b"split\0" + bytes(unit), "sha256")[:8], "big")
        for unit in units
    ]
    cut = Fraction(support, 100)
    shares = (support / 100, 0.3, float(Fraction(70 - support, 100)))
    expected = [
        Split.SUPPORT
        if Fraction(value, 2**64) < cut
        else Split.CALIBRATION
        if Fraction(value, 2**64) < cut + Fraction(3, 10)
        else Split.EVALUATION
        for value in hashes
    ]
    assert assign_splits(KEY, units, shares).tolist() == expected
    coins = flip(KEY, "split", units, percent / 100)
    assert coins.tolist() == [Fraction(value, 2**64) < Fraction(percent, 100) for value in hashes]


def test_certain_coins_are_certain():
    assert flip(KEY, "membership", digests(50), 1.0).all()
    assert not flip(KEY, "membership", digests(50), 0.0).any()


def test_split_is_independent_of_membership():
    units = digests(4000)
    split = assign_splits(KEY, units, SHARES)
    member = ~flip(KEY, "membership", units, 0.5)
    sample = flip(KEY, "member-sample", units, 0.5)
    for left, right in ((split, member), (split, sample), (member, sample)):
        table = [
            [int(((left == a) & (right == b)).sum()) for b in np.unique(right)]
            for a in np.unique(left)
        ]
        assert chi2_contingency(table).pvalue > 0.01
    for part, share in zip(split_sizes(split).values(), SHARES, strict=True):
        assert abs(part - 4000 * share) < 4 * np.sqrt(4000 * share * (1 - share))


def test_another_key_splits_otherwise():
    units = digests(200)
    other = assign_splits(bytes(32), units, SHARES)
    assert (assign_splits(KEY, units, SHARES) != other).sum() > 50


def test_column_order_and_memory_layout_do_not_change_content():
    random = np.random.default_rng(0)
    a, b, y = random.normal(size=(9, 4, 2)), random.integers(0, 9, 9), np.zeros(9, int)
    first = identify({"a": a, "b": b, "y": y}, Roles(("y",)), "members").content
    second = identify(
        {"y": y, "b": b.astype(">i8"), "a": np.asfortranarray(a)}, Roles(("y",)), "members"
    ).content
    assert np.array_equal(first, second)
    swapped = identify({"b": a, "a": b, "y": y}, Roles(("y",)), "members").content
    assert not (first == swapped).all(axis=1).any()


def test_content_larger_than_a_chunk_is_hashed_row_by_row():
    rows = np.arange(3 * 3_000_000, dtype=np.uint32).reshape(3, -1)
    columns = {"x": rows, "y": np.zeros(3, int)}
    whole = identify(columns, Roles(("y",)), "members").content
    one = identify({name: array[2:] for name, array in columns.items()}, Roles(("y",)), "members")
    assert np.array_equal(whole[2:], one.content)
