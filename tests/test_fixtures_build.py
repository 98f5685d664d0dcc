"""Building: what is written, reproducibly, with nothing overwritten and nothing half done."""

from __future__ import annotations

import hashlib
import stat
import zipfile

import numpy as np
import pytest
from fixture_sets import KEY, read_manifest, sha256, sides

from privacy_gate.domain import keyed_hash
from privacy_gate.errors import FixtureError, UsageError
from privacy_gate.fixtures import build_by_coin_flip, build_from_sides, create_key, load_fixtures


def training_data(count=400, seed=0):
    members, nonmembers = sides(count, 2, seed=seed)
    del nonmembers
    return members


def flip_coins(tmp_path, source, name="set", **options):
    options = {"rate": 0.5, "label": "y", "key": KEY, "root": tmp_path, **options}
    return build_by_coin_flip(source, tmp_path / name, **options)


def arrays(path):
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def load(tmp_path, name="set"):
    environment = {"PRIVACY_GATE_KEY": KEY.hex()}
    return load_fixtures(tmp_path / name, root=tmp_path, environment=environment)


def tree(directory):
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


# ------------------------------------------------------------------------------------ coin flips


def test_every_record_is_on_exactly_one_side_in_order(tmp_path):
    data = training_data()
    built = flip_coins(tmp_path, data, rate=0.3, provenance="a test")
    members, nonmembers = (
        arrays(tmp_path / "set" / f"{side}.npz") for side in ("members", "nonmembers")
    )
    assert len(members["y"]) + len(nonmembers["y"]) == 400
    assert abs(built.nonmembers - 120) < 4 * np.sqrt(400 * 0.3 * 0.7)
    together = {tuple(row) for row in np.concatenate([members["x"], nonmembers["x"]]).tolist()}
    assert together == {tuple(row) for row in data["x"].tolist()}
    position = {tuple(row): number for number, row in enumerate(data["x"].tolist())}
    order = [position[tuple(row)] for row in members["x"].tolist()]
    assert order == sorted(order)
    assert np.array_equal(data["y"][order], members["y"])
    assert built.training == (tmp_path / "set" / "members.npz",)
    manifest = read_manifest(tmp_path / "set")
    assert manifest["assignment"] == "randomized"
    assert manifest["member_sampling"] == "all"
    assert manifest["training_records"] == built.members == built.training_records
    assert manifest["labels"] == {"column": "y", "classes": 3, "alternatives": []}
    assert "value" not in manifest["split_key"]
    assert manifest["provenance"] == "a test"
    fixtures = load(tmp_path)
    assert fixtures.sha256 == built.sha256
    assert int(fixtures.is_member.sum()) == built.members


def test_the_coin_is_the_documented_hmac(tmp_path):
    names = [f"id-{number}" for number in range(400)]
    flip_coins(tmp_path, {**training_data(), "id": np.array(names)}, identifier="id")
    left_out = set()
    for name in names:
        unit = hashlib.sha256(b"identifier\0text\0" + name.encode()).digest()
        value = int.from_bytes(keyed_hash(KEY, "membership", unit)[:8], "big")
        if value < 2**63:
            left_out.add(name)
    assert set(arrays(tmp_path / "set" / "nonmembers.npz")["id"].tolist()) == left_out


def test_new_records_move_no_other(tmp_path):
    data = training_data(400)
    more = {name: array[:300] for name, array in data.items()}
    flip_coins(tmp_path, more, "few")
    flip_coins(tmp_path, data, "many")
    few, many = (
        {tuple(row) for row in arrays(tmp_path / name / "members.npz")["x"].tolist()}
        for name in ("few", "many")
    )
    assert few == many & {tuple(row) for row in more["x"].tolist()}


def test_copies_and_groups_stay_on_one_side(tmp_path):
    data = training_data(400)
    data["x"][200:] = data["x"][:200]
    flip_coins(tmp_path, data, "copies")
    assert load(tmp_path, "copies").is_member.size == 400
    patients = {**training_data(400), "patient": np.arange(400) // 4}
    flip_coins(tmp_path, patients, "groups", group="patient")
    sets = [
        set(arrays(tmp_path / "groups" / f"{side}.npz")["patient"].tolist())
        for side in ("members", "nonmembers")
    ]
    assert not sets[0] & sets[1]
    assert load(tmp_path, "groups").groups is not None


def test_groups_that_share_content_across_sides_are_refused(tmp_path):
    data = {**training_data(400), "patient": np.arange(400)}
    data["x"][200:] = data["x"][:200]
    with pytest.raises(FixtureError, match="of the same content"):
        flip_coins(tmp_path, data, group="patient")
    assert not (tmp_path / "set").exists()


def test_member_rate_keeps_a_sample_and_writes_the_training_part(tmp_path):
    data = training_data(1000)
    train = tmp_path / "train.npz"
    built = flip_coins(tmp_path, data, member_rate=0.3, train_output=train)
    members = arrays(tmp_path / "set" / "members.npz")
    training = arrays(train)
    nonmembers = arrays(tmp_path / "set" / "nonmembers.npz")
    assert len(training["y"]) + len(nonmembers["y"]) == 1000
    rows = {tuple(row) for row in training["x"].tolist()}
    assert {tuple(row) for row in members["x"].tolist()} < rows
    assert abs(len(members["y"]) - 0.3 * len(rows)) < 4 * np.sqrt(len(rows) * 0.21)
    fixtures = load(tmp_path)
    assert fixtures.member_sampling == "random"
    assert fixtures.training_records == built.training_records == len(training["y"])
    assert built.training == (train,)


def test_member_rate_needs_a_place_for_the_training_part(tmp_path):
    with pytest.raises(UsageError, match="train-output"):
        flip_coins(tmp_path, training_data(), member_rate=0.5)
    with pytest.raises(UsageError, match="inside the fixture directory"):
        flip_coins(tmp_path, training_data(), train_output=tmp_path / "set" / "train.npz")
    with pytest.raises(UsageError, match=r"written as \.npz"):
        flip_coins(tmp_path, training_data(), train_output=tmp_path / "train.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rates", [(0, 1), (1, 1), (float("nan"), 1), (0.5, 0), (0.5, 1.5)])
def test_impossible_rates_are_refused(tmp_path, rates):
    with pytest.raises(UsageError, match="rate"):
        flip_coins(tmp_path, training_data(), rate=rates[0], member_rate=rates[1])


def test_too_few_records_leave_nothing_behind(tmp_path):
    with pytest.raises(FixtureError, match="each side needs at least 2"):
        flip_coins(tmp_path, training_data(30), rate=0.0001)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("file_format", ["npz", "npy"])
def test_the_same_inputs_and_key_give_the_same_bytes(tmp_path, file_format):
    data = {**training_data(), "id": np.array([f"é{i}" for i in range(400)])}
    options = {"identifier": "id", "file_format": file_format, "member_rate": 0.5}
    for name in ("one", "two"):
        flip_coins(
            tmp_path, data, name, train_output=tmp_path / f"{name}.npz", public_key=True, **options
        )
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_archives_hold_no_times(tmp_path):
    flip_coins(tmp_path, training_data())
    with zipfile.ZipFile(tmp_path / "set" / "members.npz") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_npy_holds_the_same_records_memory_mapped(tmp_path):
    data = {**training_data(), "x": training_data()["x"].astype(">f4")}
    flip_coins(tmp_path, data, "npz")
    built = flip_coins(tmp_path, data, "npy", file_format="npy")
    assert {path.name for path in built.training} == {"x.npy", "y.npy"}
    first, second = load(tmp_path, "npz"), load(tmp_path, "npy")
    assert np.array_equal(first.identifiers, second.identifiers)
    assert np.array_equal(first.labels, second.labels)
    rows = np.arange(400)
    assert np.array_equal(first.records.take(rows)["x"], second.records.take(rows)["x"])
    assert isinstance(second.records.members["x"], np.memmap)


def test_sources_of_every_format_give_the_same_fixtures(tmp_path):
    from safetensors.numpy import save_file

    data = training_data()
    np.savez(tmp_path / "data.npz", **data)
    save_file(data, tmp_path / "data.safetensors")
    np.save(tmp_path / "x.npy", data["x"])
    np.save(tmp_path / "labels.npy", data["y"])
    flip_coins(tmp_path, tmp_path / "data.npz", "a")
    flip_coins(tmp_path, tmp_path / "data.safetensors", "b")
    flip_coins(tmp_path, tmp_path / "x.npy", "c", labels=tmp_path / "labels.npy")
    assert tree(tmp_path / "a") == tree(tmp_path / "b") == tree(tmp_path / "c")
    with pytest.raises(UsageError, match="needs its labels"):
        flip_coins(tmp_path, tmp_path / "x.npy", "d")
    with pytest.raises(UsageError, match="needs its labels"):
        flip_coins(tmp_path, tmp_path / "data.npz", "d", labels=tmp_path / "labels.npy")
    with pytest.raises(FixtureError, match="no such file"):
        flip_coins(tmp_path, tmp_path / "missing.npz", "d")


def test_a_source_without_the_label_names_its_columns(tmp_path):
    with pytest.raises(FixtureError, match=r"no column 'z' .* The columns are x, y"):
        flip_coins(tmp_path, training_data(), label="z")


def test_label_alternatives_and_classes(tmp_path):
    data = {**training_data(), "y_random": np.resize([0, 1, 2, 3], 400)}
    flip_coins(tmp_path, data, "dense", alternatives=["y_random"])
    assert load(tmp_path, "dense").classes == 4
    flip_coins(tmp_path, {**data, "y": data["y"] + 1}, "sparse", alternatives=["y_random"])
    assert load(tmp_path, "sparse").classes == 4
    gap = {"x": data["x"], "y": data["y"] * 2}
    flip_coins(tmp_path, gap, "gap")
    assert load(tmp_path, "gap").classes is None
    flip_coins(tmp_path, gap, "stated", classes=5)
    assert load(tmp_path, "stated").classes == 5
    with pytest.raises(FixtureError, match=r"must lie in 0\.\.2"):
        flip_coins(tmp_path, data, "wrong", alternatives=["y_random"], classes=3)


def test_one_column_cannot_play_two_roles(tmp_path):
    with pytest.raises(FixtureError, match="two roles"):
        flip_coins(tmp_path, training_data(), group="y", rate=0.4)
    assert not (tmp_path / "set").exists()


# --------------------------------------------------------------------------------- given sides


def test_given_sides(tmp_path):
    members, nonmembers = sides()
    np.savez(tmp_path / "m.npz", **members)
    built = build_from_sides(
        tmp_path / "m.npz", nonmembers, tmp_path / "set", label="y", root=tmp_path, key=KEY
    )
    fixtures = load(tmp_path)
    assert (built.members, built.nonmembers, built.training) == (20, 30, ())
    assert (fixtures.assignment, fixtures.member_sampling) == ("natural", "unknown")
    assert np.array_equal(fixtures.records.take(np.arange(20))["x"], members["x"])
    assert np.array_equal(fixtures.records.take(np.arange(20, 50))["x"], nonmembers["x"])


@pytest.mark.parametrize(
    ("sampling", "records", "outcome"),
    [
        ("all", None, 20),
        ("all", 21, "contradicts"),
        ("random", None, "needs training_records"),
        ("random", 500, 500),
        ("unknown", 19, "fewer than the 20 members"),
    ],
)
def test_sampling_must_make_sense(tmp_path, sampling, records, outcome):
    def build():
        return build_from_sides(
            *sides(),
            tmp_path / "set",
            label="y",
            root=tmp_path,
            key=KEY,
            member_sampling=sampling,
            training_records=records,
        )

    if isinstance(outcome, int):
        build()
        assert load(tmp_path).training_records == outcome
    else:
        with pytest.raises(FixtureError, match=outcome):
            build()
        assert list(tmp_path.iterdir()) == []


def test_overlapping_sides_are_refused(tmp_path):
    members, nonmembers = sides()
    nonmembers["x"][0] = members["x"][0]
    with pytest.raises(FixtureError, match="of the same content: 1"):
        build_from_sides(members, nonmembers, tmp_path / "set", label="y", root=tmp_path, key=KEY)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------ nothing overwritten


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "notes.txt").write_text("mine")
    with pytest.raises(FixtureError, match="nothing is ever overwritten"):
        flip_coins(tmp_path, training_data())
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FixtureError, match="nothing is ever overwritten"):
        flip_coins(tmp_path, training_data(), "file")
    (tmp_path / "train.npz").write_text("mine")
    with pytest.raises(FixtureError, match="nothing is ever overwritten"):
        flip_coins(tmp_path, training_data(), "new", train_output=tmp_path / "train.npz")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FixtureError, match="nothing is ever overwritten"):
        flip_coins(tmp_path, training_data(), "link")
    assert tree(tmp_path) == {"set/notes.txt": b"mine", "file": b"mine", "train.npz": b"mine"}


def test_a_failed_build_leaves_an_existing_training_part_alone_and_nothing_new(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "notes.txt").write_text("mine")
    with pytest.raises(FixtureError):
        flip_coins(tmp_path, training_data(), train_output=tmp_path / "train.npz")
    assert tree(tmp_path) == {"set/notes.txt": b"mine"}


def test_an_empty_directory_and_missing_parents_are_fine(tmp_path):
    (tmp_path / "set").mkdir()
    flip_coins(tmp_path, training_data())
    flip_coins(tmp_path, training_data(), "deep/er/set")
    assert tree(tmp_path / "set") == tree(tmp_path / "deep" / "er" / "set")


def test_an_unwritable_place_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FixtureError, match="Cannot be written"):
        flip_coins(tmp_path, training_data(), "file/set")


# --------------------------------------------------------------------------------------------- key


def test_create_key_writes_once_and_only_for_the_owner(tmp_path):
    key = create_key(tmp_path)
    path = tmp_path / ".privacy_gate" / "key"
    assert len(key) == 32
    assert path.read_text() == key.hex() + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert create_key(tmp_path) == key
    path.write_text("not a key")
    with pytest.raises(FixtureError, match="64 hexadecimal"):
        create_key(tmp_path)


def test_build_uses_the_key_of_the_project_and_the_environment_before_it(tmp_path):
    flip_coins(tmp_path, training_data(), "file", key=None, environment={})
    load_fixtures(tmp_path / "file", root=tmp_path, environment={})
    flip_coins(
        tmp_path, training_data(), "set", key=None, environment={"PRIVACY_GATE_KEY": KEY.hex()}
    )
    assert load(tmp_path).is_member.size == 400
    with pytest.raises(UsageError, match="32 bytes"):
        flip_coins(tmp_path, training_data(), "short", key=b"short")


def test_a_public_key_is_never_the_secret_one(tmp_path):
    secret = create_key(tmp_path)
    flip_coins(tmp_path, training_data(), key=None, public_key=True, environment={})
    value = read_manifest(tmp_path / "set")["split_key"]["value"]
    assert value != secret.hex()
    assert load_fixtures(tmp_path / "set", root=tmp_path, environment={}).classes == 3


def test_the_manifest_lists_the_digest_of_every_file(tmp_path):
    flip_coins(tmp_path, training_data(), file_format="npy")
    manifest = read_manifest(tmp_path / "set")
    listed = {
        entry["path"]: entry["sha256"]
        for side in manifest["sides"].values()
        for entry in side["files"]
    }
    paths = {path for path in tree(tmp_path / "set") if path != "manifest.json"}
    assert listed == {path: sha256(tmp_path / "set" / path) for path in paths}
