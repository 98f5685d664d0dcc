"""Holding records out by keyed coin, and receipts of what was trained on."""

from __future__ import annotations

import numpy as np
import pytest
from fixture_sets import ENVIRONMENT, KEY, sides, write_set
from hypothesis import given
from hypothesis import strategies as st

from privacy_gate.errors import FixtureError, ModelError, UsageError
from privacy_gate.fixtures import build_by_coin_flip, load_fixtures
from privacy_gate.fixtures.receipt import read_receipt
from privacy_gate.holdout import Holdout, Receipt

OTHER = bytes(reversed(KEY))


def holdout(rate=0.2, key=KEY):
    return Holdout(rate, key=key)


# ---------------------------------------------------------------------------------------- holdout


def test_the_coins_are_those_of_fixtures_build(tmp_path):
    x = np.arange(4000, dtype=np.uint16).reshape(1000, 4)
    names = np.array([f"scan-{number}" for number in range(1000)])
    built = build_by_coin_flip(
        {"x": x, "y": np.resize(np.arange(3), 1000), "id": names},
        tmp_path / "set",
        rate=0.3,
        label="y",
        identifier="id",
        root=tmp_path,
        key=KEY,
    )
    assert built.nonmembers == holdout(0.3).left_out(names).sum()


@given(st.lists(st.text(min_size=1, alphabet="abc123"), min_size=1, unique=True))
def test_a_record_s_coin_depends_on_nothing_but_its_own_name(names):
    together = holdout(0.5).left_out(names)
    assert together.tolist() == [holdout(0.5).is_left_out(name) for name in names]


def test_the_rate_is_kept_and_a_larger_rate_only_adds_records():
    numbers = np.arange(20_000)
    few, many = holdout(0.1).left_out(numbers), holdout(0.3).left_out(numbers)
    assert abs(few.mean() - 0.1) < 0.01
    assert (many | ~few).all()
    assert (holdout(0.1, OTHER).left_out(numbers) != few).any()


def test_groups_have_coins_of_their_own():
    names = np.arange(2000)
    assert (holdout().left_out(names) != holdout().left_out(names, groups=True)).any()


def test_the_key_comes_from_the_environment_or_is_made(tmp_path):
    names = np.arange(500)
    given = Holdout(0.2, environment=ENVIRONMENT).left_out(names)
    assert (given == holdout().left_out(names)).all()
    made = Holdout(0.2, root=tmp_path, environment={})
    again = Holdout(0.2, root=tmp_path, environment={})
    assert made.fingerprint == again.fingerprint
    assert (tmp_path / ".privacy_gate" / "key").is_file()


def test_the_key_of_a_subdirectory_is_that_of_the_whole_repository(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path / "models")
    below = Holdout(0.2, environment={})
    assert (tmp_path / ".privacy_gate" / "key").is_file()
    assert below.fingerprint == Holdout(0.2, root=tmp_path, environment={}).fingerprint


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan")])
def test_a_rate_that_holds_out_nothing_or_all_is_refused(rate):
    with pytest.raises(UsageError, match="strictly between 0 and 1"):
        Holdout(rate, key=KEY)


@pytest.mark.parametrize("names", [[1.5, 2.5], [[1, 2]], [None, "a"], [True, False]])
def test_identifiers_that_cannot_be_hashed_are_refused(names):
    with pytest.raises(FixtureError, match="integers or texts"):
        holdout().left_out(names)


def test_a_key_of_another_length_is_refused():
    with pytest.raises(UsageError, match="32 bytes"):
        Holdout(0.2, key=b"short")


# --------------------------------------------------------------------------------------- receipts


@pytest.fixture
def named(tmp_path):
    """A set with identifiers; returns its directory and the identifiers of both sides."""
    members, nonmembers = sides()
    members["id"], nonmembers["id"] = np.arange(20), np.arange(100, 130)
    directory = write_set(tmp_path / "set", members, nonmembers, identifier={"column": "id"})
    return directory, members, nonmembers


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"a model")
    return path


def receipt(path, model, *seen, key=KEY):
    written = Receipt(key=key)
    for names in seen:
        written.saw(names)
    written.write(path, model=model)
    return path


def load(directory, path):
    return load_fixtures(directory, root=directory, environment=ENVIRONMENT, receipt=path)


def test_a_receipt_that_fits_is_reported_with_the_model_it_is_for(named, model, tmp_path):
    directory, members, _ = named
    path = receipt(tmp_path / "r.safetensors", model, members["id"], np.arange(1000, 1100))
    facts = load(directory, path).receipt
    assert (facts.records, facts.identified_by) == (120, "identifier")
    assert facts.model_sha256 == read_receipt(path).model_sha256
    assert load(directory, None).receipt is None


def test_members_unseen_and_nonmembers_seen_are_counted_not_named(named, model, tmp_path):
    directory, members, nonmembers = named
    path = receipt(tmp_path / "r.safetensors", model, members["id"][:15], nonmembers["id"][:3])
    with pytest.raises(FixtureError) as caught:
        load(directory, path)
    assert "never saw 5 of 20 members, and saw 3 of 30 non-members" in str(caught.value)


def test_contents_serve_where_there_are_no_identifiers(tmp_path, model):
    members, nonmembers = sides()
    directory = write_set(tmp_path / "set", members, nonmembers)
    written = Receipt(key=KEY)
    written.saw_contents(x=members["x"])
    written.write(tmp_path / "r.safetensors", model=model)
    assert load(directory, tmp_path / "r.safetensors").receipt.identified_by == "content"
    by_name = receipt(tmp_path / "names.safetensors", model, np.arange(20))
    with pytest.raises(FixtureError, match="these fixtures have none"):
        load(directory, by_name)


def test_a_receipt_holds_no_identifier_and_repeats_do_no_harm(model, tmp_path):
    names = np.array([f"patient-{number}" for number in range(50)])
    once = receipt(tmp_path / "once.safetensors", model, names).read_bytes()
    twice = receipt(tmp_path / "twice.safetensors", model, names[30:], names).read_bytes()
    assert once == twice
    assert b"patient" not in once


def test_a_receipt_of_another_key_is_refused(named, model, tmp_path):
    directory, members, _ = named
    path = receipt(tmp_path / "r.safetensors", model, members["id"], key=OTHER)
    with pytest.raises(FixtureError, match="was written with the key"):
        load(directory, path)


@pytest.mark.parametrize("content", [b"", b"junk", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_file_that_is_no_receipt_is_refused(named, tmp_path, content):
    path = tmp_path / "r.safetensors"
    path.write_bytes(content)
    with pytest.raises(FixtureError, match="no training receipt"):
        load(named[0], path)
    with pytest.raises(FixtureError, match="no such receipt"):
        load(named[0], tmp_path / "absent")


def test_an_empty_receipt_a_mixed_one_and_one_without_a_model_are_refused(tmp_path, model):
    with pytest.raises(UsageError, match="empty"):
        Receipt(key=KEY).write(tmp_path / "r", model=model)
    mixed = Receipt(key=KEY)
    mixed.saw([1, 2])
    with pytest.raises(UsageError, match="not both"):
        mixed.saw_contents(x=np.zeros((2, 3)))
    with pytest.raises(ModelError, match="does not exist"):
        mixed.write(tmp_path / "r", model=tmp_path / "absent")
