"""Loading: what is accepted, and that everything missing, altered or ambiguous is refused."""

from __future__ import annotations

import hashlib
import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
from fixture_sets import (
    ENVIRONMENT,
    KEY,
    read_manifest,
    sha256,
    sides,
    write_manifest,
    write_set,
)

from privacy_gate.domain import Split
from privacy_gate.errors import ExitCode, FixtureError, UsageError
from privacy_gate.fixtures import load_fixtures


def load(directory, **options):
    options.setdefault("environment", ENVIRONMENT)
    return load_fixtures(directory, root=directory, **options)


def refused(directory, match, **options):
    with pytest.raises(FixtureError, match=match) as caught:
        load(directory, **options)
    assert caught.value.exit_code == ExitCode.ERROR
    return str(caught.value)


def changed(directory, edit):
    manifest = read_manifest(directory)
    edit(manifest)
    write_manifest(directory, manifest)
    return directory


@pytest.fixture
def held(tmp_path):
    return write_set(tmp_path / "set", *sides())


# ------------------------------------------------------------------------------------- accepted


def test_everything_arrives_members_first(tmp_path):
    members, nonmembers = sides()
    directory = write_set(
        tmp_path / "set", members, nonmembers, member_sampling="random", training_records=400
    )
    fixtures = load(directory)
    assert fixtures.sha256 == sha256(directory / "manifest.json")
    assert fixtures.is_member.tolist() == [True] * 20 + [False] * 30
    assert fixtures.labels.dtype == np.int64
    assert fixtures.labels.tolist() == [*members["y"], *nonmembers["y"]]
    assert fixtures.identifiers.shape == (50, 32)
    assert len(np.unique(fixtures.identifiers, axis=0)) == 50
    assert fixtures.split.dtype == np.int8
    assert set(fixtures.split.tolist()) <= set(Split)
    assert (fixtures.classes, fixtures.assignment) == (3, "randomized")
    assert (fixtures.member_sampling, fixtures.training_records) == ("random", 400)
    assert fixtures.groups is None
    assert fixtures.shared is None
    assert fixtures.records.columns == ("x",)


def test_directory_and_manifest_path_are_the_same(held):
    assert load(held / "manifest.json").sha256 == load(held).sha256


def test_take_returns_rows_in_the_order_asked_for(held):
    records = load(held).records
    everything = np.concatenate([*(side["x"] for side in sides())])
    indices = np.array([49, 0, 20, 19, 0])
    assert np.array_equal(records.take(indices)["x"], everything[indices])
    assert records.take(np.array([], np.int64))["x"].shape == (0, 3)


@pytest.mark.parametrize("index", [-1, 50])
def test_take_refuses_rows_that_do_not_exist(held, index):
    with pytest.raises(IndexError):
        load(held).records.take(np.array([0, index]))


def test_big_endian_and_fortran_order_give_the_same_records_and_identifiers(tmp_path):
    members, nonmembers = ({"x": side["x"].astype(np.float32), "y": side["y"]} for side in sides())
    plain = load(write_set(tmp_path / "plain", members, nonmembers))
    members = {"x": np.asfortranarray(members["x"].astype(">f4")), "y": members["y"].astype(">i8")}
    odd = load(write_set(tmp_path / "odd", members, nonmembers))
    assert np.array_equal(plain.identifiers, odd.identifiers)
    assert np.array_equal(plain.labels, odd.labels)
    taken = odd.records.take(np.arange(50))["x"]
    assert taken.dtype.isnative
    assert np.array_equal(taken, plain.records.take(np.arange(50))["x"])


def test_label_chooses_a_declared_alternative(tmp_path):
    members, nonmembers = ({**side, "y_random": side["y"][::-1].copy()} for side in sides())
    labels = {"column": "y", "classes": 3, "alternatives": ["y_random"]}
    directory = write_set(tmp_path / "set", members, nonmembers, labels=labels)
    chosen = load(directory, label="y_random")
    assert chosen.labels.tolist() == [*members["y_random"], *nonmembers["y_random"]]
    assert chosen.records.columns == ("x",)
    assert np.array_equal(chosen.identifiers, load(directory).identifiers)
    assert "y, y_random" in refused(directory, "no label column 'z'", label="z")
    refused(directory, "no label column 'x'", label="x")


@pytest.mark.parametrize("dtype", ["U8", "S8"])
def test_labels_may_be_text(tmp_path, dtype):
    names = np.array(["cat", "dog", "Käse"])
    text = names if dtype == "U8" else np.char.encode(names, "utf-8")
    members, nonmembers = ({**side, "y": text[side["y"]]} for side in sides())
    fixtures = load(write_set(tmp_path / "set", members, nonmembers))
    assert fixtures.labels.tolist() == [str(names[i]) for side in sides() for i in side["y"]]
    too_few = write_set(tmp_path / "few", members, nonmembers, labels={"column": "y", "classes": 2})
    refused(too_few, "holds 3 different texts, more than the 2 classes")


def test_npy_columns_are_memory_mapped_and_never_read_whole(tmp_path):
    directory = write_set(tmp_path / "set", *sides())
    random = np.random.default_rng(1)
    for side, count in (("members", 20_000), ("nonmembers", 3_000)):
        x = random.integers(0, 256, (count, 2_000), np.uint8)
        y = np.resize(np.arange(3), count)
        entry = {"count": count, "files": [], "columns": {}}
        for name, array in (("x", x), ("y", y)):
            path = directory / f"{side}-{name}.npy"
            np.save(path, array)
            entry["files"].append({"path": path.name, "sha256": sha256(path), "column": name})
            entry["columns"][name] = {
                "dtype": array.dtype.name,
                "shape": list(array.shape[1:]),
            }
        changed(directory, lambda m, side=side, entry=entry: m["sides"].update({side: entry}))
    del x
    tracemalloc.start()
    fixtures = load(directory)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(fixtures.records.members["x"], np.memmap)
    assert peak < 46_000_000 / 2
    mapped = np.load(directory / "nonmembers-x.npy")
    assert np.array_equal(fixtures.records.take(np.array([22_999]))["x"][0], mapped[-1])


def test_safetensors(tmp_path):
    from safetensors.numpy import save_file

    members, nonmembers = sides()
    directory = write_set(tmp_path / "set", members, nonmembers)
    save_file(members, directory / "members.safetensors")
    entry = {"path": "members.safetensors", "sha256": sha256(directory / "members.safetensors")}
    changed(directory, lambda m: m["sides"]["members"].update(files=[entry]))
    assert np.array_equal(load(directory).records.take(np.arange(20))["x"], members["x"])


# --------------------------------------------------------------------------------- altered files


@pytest.mark.parametrize("side", ["members", "nonmembers"])
def test_one_flipped_bit_is_refused(held, side):
    path = held / f"{side}.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    refused(held, "not the one in the manifest")


def test_a_missing_file_is_refused(held):
    (held / "members.npz").unlink()
    refused(held, "does not exist")


def test_a_missing_manifest_is_refused(tmp_path):
    refused(tmp_path, "no manifest.json")
    refused(tmp_path / "nothing", "no manifest.json")


def test_a_pin_notices_every_change_of_the_manifest(held):
    pin = load(held).sha256
    assert load(held, sha256=pin.upper()).sha256 == pin
    changed(held, lambda m: m.update(provenance="elsewhere"))
    refused(held, "another one is pinned", sha256=pin)


@pytest.mark.parametrize(
    "path", ["../members.npz", "/etc/hostname", "a/../../members.npz", "..\\members.npz", "C:x", ""]
)
def test_paths_that_could_leave_the_directory_are_refused(held, path):
    (held.parent / "members.npz").write_bytes((held / "members.npz").read_bytes())
    changed(held, lambda m: m["sides"]["members"]["files"][0].update(path=path))
    refused(held, "must be relative and stay inside")


def test_symlinks_may_not_leave_the_directory(held):
    content = (held / "members.npz").read_bytes()
    (held / "members.npz").unlink()
    (held.parent / "outside.npz").write_bytes(content)
    (held / "members.npz").symlink_to(held.parent / "outside.npz")
    refused(held, "outside the fixture directory")
    (held / "members.npz").unlink()
    (held / "inside.npz").write_bytes(content)
    (held / "members.npz").symlink_to("inside.npz")
    assert load(held).is_member.sum() == 20


def test_only_regular_files_are_opened(held):
    (held / "members.npz").unlink()
    os.mkfifo(held / "members.npz")
    refused(held, "not a regular file")


def test_objects_are_never_unpickled(tmp_path):
    trace = tmp_path / "executed"

    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(trace),))

    directory = write_set(tmp_path / "set", *sides())
    evil = np.empty(20, object)
    evil[:] = [Payload() for _ in range(20)]
    np.savez(directory / "members.npz", x=evil, y=np.resize(np.arange(3), 20))
    digest = sha256(directory / "members.npz")
    changed(directory, lambda m: m["sides"]["members"]["files"][0].update(sha256=digest))
    refused(directory, "never unpickled")
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated", b"\x80\x04N.", b"\x93NUMPY"])
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".safetensors"])
def test_unreadable_files_end_as_one_sentence(held, content, suffix):
    path = held / f"broken{suffix}"
    path.write_bytes(content)
    entry = {"path": path.name, "sha256": sha256(path)}
    if suffix == ".npy":
        entry["column"] = "x"
    changed(held, lambda m: m["sides"]["members"].update(files=[entry]))
    refused(held, "cannot be read as")


def test_a_truncated_npy_is_refused(held):
    stream = io.BytesIO()
    np.save(stream, np.zeros((20, 3), np.uint8))
    (held / "x.npy").write_bytes(stream.getvalue()[:-1])
    entry = {"path": "x.npy", "sha256": sha256(held / "x.npy"), "column": "x"}
    changed(held, lambda m: m["sides"]["members"].update(files=[entry]))
    refused(held, "cannot be read as .npy")


def test_a_column_comes_from_one_file_only(held):
    with zipfile.ZipFile(held / "members.npz") as archive:
        (held / "again.npy").write_bytes(archive.read("y.npy"))
    entry = {"path": "again.npy", "sha256": sha256(held / "again.npy"), "column": "y"}
    changed(held, lambda m: m["sides"]["members"]["files"].append(entry))
    refused(held, "'y' comes from two files")


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda side: side.update(count=19), "has 20 records, the manifest says 19"),
        (lambda side: side["columns"]["x"].update(dtype="int8"), "is uint8 .* says int8"),
        (lambda side: side["columns"]["x"].update(shape=[4]), r"row shape \[3\].* of \[4\]"),
    ],
)
def test_files_must_be_what_the_manifest_says(held, edit, match):
    refused(changed(held, lambda m: edit(m["sides"]["members"])), match)


def test_undeclared_columns_are_refused(tmp_path):
    members, nonmembers = sides()
    directory = write_set(tmp_path / "set", members, nonmembers)
    np.savez(directory / "members.npz", **members, z=members["y"])
    digest = sha256(directory / "members.npz")
    changed(directory, lambda m: m["sides"]["members"]["files"][0].update(sha256=digest))
    refused(directory, "disagree about columns: z")


# -------------------------------------------------------------------------------------- manifest


def test_all_problems_of_a_manifest_at_once(held):
    def edit(manifest):
        manifest["provenence"] = "typo"
        manifest["assignment"] = "random"
        manifest["sides"]["members"]["cuont"] = 3
        manifest["sides"]["members"]["count"] = 20.0
        manifest["labels"]["clases"] = 3

    message = refused(changed(held, edit), "5 problems")
    assert "provenence: unknown key (did you mean 'provenance'?)" in message
    assert "sides.members.cuont: unknown key (did you mean 'count'?)" in message
    assert "labels.clases: unknown key (did you mean 'classes'?)" in message
    assert "assignment:" in message
    assert "sides.members.count:" in message


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda m: m.update(schema="privacy-gate.fixtures/2"), "schema"),
        (lambda m: m["labels"].update(column="z"), "column 'z', which does not exist"),
        (lambda m: m.update(group={"column": "y"}), "'y' has two roles"),
        (lambda m: m.update(group={"column": "x"}), "no input column"),
        (lambda m: m["sides"]["members"]["columns"].pop("x"), "only one side has x"),
        (lambda m: m.update(training_records=19), "fewer than the 20 members"),
        (lambda m: m.update(member_sampling="random"), "needs training_records"),
        (lambda m: m.update(member_sampling="all", training_records=21), "contradicts"),
        (lambda m: m["split_key"].update(value="0" * 64), "does not have the fingerprint"),
        (lambda m: m["split_key"].update(value="secret"), "split_key.value"),
        (lambda m: m["sides"]["members"]["files"][0].update(column="x"), "`column` is for .npy"),
        (lambda m: m["sides"]["members"]["files"].extend(m["sides"]["members"]["files"]), "twice"),
        (lambda m: m["ood"].update(noise=m["sides"]["members"]), "the name of a built-in set"),
        (lambda m: m["sides"].pop("nonmembers"), "sides.nonmembers: field required"),
        (lambda m: m["sides"]["members"].update(count=True), "sides.members.count"),
        (lambda m: m["labels"].update(classes=1), "labels.classes"),
    ],
)
def test_inconsistent_manifests_are_refused(held, edit, match):
    refused(changed(held, edit), match)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"count": NaN}', '{"a": 1, "a": 1}', "[" * 100_000, "\xff", '{"a": Infinity}'],
)
def test_what_is_no_manifest_is_refused(held, text):
    (held / "manifest.json").write_bytes(text.encode("latin-1"))
    refused(held, "manifest")


def test_constants_and_duplicates_are_named(held):
    text = (held / "manifest.json").read_text()
    (held / "manifest.json").write_text(text.replace('"classes": 3', '"classes": NaN'))
    refused(held, "NaN is not a number")
    (held / "manifest.json").write_text(text.replace('"classes": 3', '"classes": 3, "classes": 2'))
    refused(held, "a key occurs twice")


def test_a_huge_manifest_is_not_parsed(held):
    with (held / "manifest.json").open("ab") as stream:
        stream.write(b" " * (16 * 2**20))
    refused(held, "Larger than 16 MiB")


def test_unsupported_formats_are_refused(held):
    (held / "members.pkl").write_bytes(b"x")
    entry = {"path": "members.pkl", "sha256": sha256(held / "members.pkl")}
    changed(held, lambda m: m["sides"]["members"].update(files=[entry]))
    refused(held, "type '.pkl' are not supported")


# --------------------------------------------------------------------------------------- columns


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("side", [0, 1])
def test_each_side_needs_two_records(tmp_path, count, side):
    both = list(sides())
    both[side] = {name: array[:count] for name, array in both[side].items()}
    refused(write_set(tmp_path / "set", *both), f"has {count} records, at least 2 are needed")


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (lambda y: y.astype(np.float64), "not float64"),
        (lambda y: y.astype(np.bool_), "not bool"),
        (lambda y: y[:, None], "must hold one integer or text"),
        (lambda y: y + 1j, "not complex128"),
        (lambda y: y - 1, r"labels must lie in 0..2; \d+ of 20 do not"),
        (lambda y: np.where(np.arange(len(y)) < 3, 7, y), r"0..2; 3 of 20 do not"),
        (lambda y: np.where(y == 0, "", "a"), "is empty for 7 of 20"),
        (lambda y: np.array([b"\xff"] * len(y)), "not valid text"),
    ],
)
def test_unusable_labels_are_refused(tmp_path, labels, match):
    both = [{**side, "y": labels(side["y"])} for side in sides()]
    refused(write_set(tmp_path / "set", *both), match)


def test_labels_without_classes_must_fit_64_bits(tmp_path):
    both = [{**side, "y": side["y"].astype(np.uint64) + np.uint64(2**63)} for side in sides()]
    refused(write_set(tmp_path / "set", *both, labels={"column": "y"}), "20 of 20 do not")


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        (lambda x: x + 1j, "holds complex128"),
        (lambda x: x.astype(str), "holds <U"),
        (lambda x: x.astype(np.longdouble), "holds float128"),
        (lambda x: x[:, :0], "empty rows"),
        (lambda x: np.zeros(len(x), [("a", "u1")]), r"holds \[\('a'"),
    ],
)
def test_unusable_inputs_are_refused(tmp_path, inputs, match):
    both = [{**side, "x": inputs(side["x"])} for side in sides()]
    refused(write_set(tmp_path / "set", *both), match)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_inputs_must_be_finite(tmp_path, value, dtype):
    members, nonmembers = ({**side, "x": side["x"].astype(dtype)} for side in sides())
    nonmembers["x"][[3, 3, 7], [0, 1, 2]] = value
    refused(write_set(tmp_path / "set", members, nonmembers), "2 of 30 records in nonmembers")


@pytest.mark.parametrize(
    "other", [np.int8, np.uint16, np.float32], ids=["kind", "width", "floating"]
)
def test_sides_of_different_dtype_tell_members_apart(tmp_path, other):
    members, nonmembers = sides()
    nonmembers["x"] = (nonmembers["x"] % 100).astype(other)
    refused(write_set(tmp_path / "set", members, nonmembers), "'x' is uint8")


def test_sides_of_different_row_shape_are_refused(tmp_path):
    members, nonmembers = sides()
    nonmembers["x"] = nonmembers["x"][:, :2]
    refused(write_set(tmp_path / "set", members, nonmembers), "but uint8 of row shape")


# -------------------------------------------------------------------------- identifiers and groups


def with_columns(tmp_path, **columns):
    """A set whose members and nonmembers get further columns: name=(members', nonmembers')."""
    both = sides()
    for name, pair in columns.items():
        for side, values in zip(both, pair, strict=True):
            side[name] = np.asarray(values)
    return both


def test_given_identifiers_decide_whatever_their_width(tmp_path):
    both = with_columns(tmp_path, id=(np.arange(20), np.arange(20, 50)))
    role = {"identifier": {"column": "id"}}
    wide = load(write_set(tmp_path / "wide", *both, **role))
    both = with_columns(
        tmp_path, id=(np.arange(20, dtype=np.int16), np.arange(20, 50, dtype=np.int8))
    )
    both[0]["x"] = both[0]["x"][::-1].copy()
    narrow = load(write_set(tmp_path / "narrow", *both, **role))
    assert np.array_equal(wide.identifiers, narrow.identifiers)
    assert np.array_equal(wide.split, narrow.split)
    assert wide.records.columns == ("x",)


def test_repeated_identifiers_are_refused_with_the_count(tmp_path):
    names = [f"person-{number}" for number in range(50)]
    names[3] = names[4] = names[5]
    both = with_columns(tmp_path, id=(names[:20], names[20:]))
    message = refused(
        write_set(tmp_path / "set", *both, identifier={"column": "id"}),
        "2 of 20 records in members repeat an identifier",
    )
    assert "person" not in message


def test_identifiers_on_both_sides_are_refused_with_the_count(tmp_path):
    both = with_columns(tmp_path, id=(np.arange(20), np.arange(17, 47)))
    refused(
        write_set(tmp_path / "set", *both, identifier={"column": "id"}),
        "have identifiers in common: 3",
    )


def test_the_same_content_on_both_sides_is_refused_without_identifiers(tmp_path):
    members, nonmembers = sides()
    nonmembers["x"][:4] = members["x"][:4]
    message = refused(write_set(tmp_path / "set", members, nonmembers), "of the same content: 4")
    assert str(members["x"][0].tolist()) not in message


def test_the_same_content_under_different_identifiers_is_counted(tmp_path):
    members, nonmembers = with_columns(tmp_path, id=(np.arange(20), np.arange(20, 50)))
    nonmembers["x"][:4] = members["x"][:4]
    fixtures = load(write_set(tmp_path / "set", members, nonmembers, identifier={"column": "id"}))
    assert fixtures.shared is not None
    assert int(fixtures.shared.sum()) == 8


def test_copies_inside_a_side_are_told_apart_but_stay_together(tmp_path):
    members, nonmembers = sides(40, 30)
    members["x"][20:] = members["x"][:20]
    fixtures = load(write_set(tmp_path / "set", members, nonmembers))
    assert len(np.unique(fixtures.identifiers, axis=0)) == 70
    assert np.array_equal(fixtures.split[:20], fixtures.split[20:40])


def test_identifiers_follow_the_documented_definition(held):
    """Known answer: SHA-256 of the header and bytes of a row, then of that and number 0."""
    x = sides()[0]["x"]
    header = b"content\0" + b"x\0uint8\0(3,)\n"
    content = hashlib.sha256(header + x[5].tobytes()).digest()
    expected = hashlib.sha256(content + bytes(8)).digest()
    assert load(held).identifiers[5].tobytes() == expected


def test_groups_are_numbered_and_never_separated(tmp_path):
    both = with_columns(tmp_path, patient=(np.arange(20) // 5, 100 + np.arange(30) // 5))
    fixtures = load(write_set(tmp_path / "set", *both, group={"column": "patient"}))
    assert fixtures.groups.dtype == np.int64
    assert fixtures.groups.tolist() == [*(np.arange(20) // 5), *(4 + np.arange(30) // 5)]
    for group in range(10):
        assert len(set(fixtures.split[fixtures.groups == group].tolist())) == 1


def test_a_group_on_both_sides_is_refused(tmp_path):
    both = with_columns(tmp_path, patient=(["a", "b"] * 10, ["b", "c", "d"] * 10))
    refused(
        write_set(tmp_path / "set", *both, group={"column": "patient"}),
        "have groups in common: 1",
    )


def test_missing_groups_are_not_one_group(tmp_path):
    both = with_columns(tmp_path, patient=(["a", ""] * 10, ["c", "d", "e"] * 10))
    refused(
        write_set(tmp_path / "set", *both, group={"column": "patient"}),
        "'patient' of members is empty for 10 of 20",
    )


# -------------------------------------------------------------------------------------------- key


def test_key_is_looked_up_in_environment_then_manifest_then_file(held):
    message = refused(held, "was not found", environment={})
    assert "PRIVACY_GATE_KEY" in message
    assert str(held / ".privacy_gate" / "key") in message
    expected = load(held).split
    (held / ".privacy_gate").mkdir()
    (held / ".privacy_gate" / "key").write_text(KEY.hex() + "\n")
    assert np.array_equal(load(held, environment={}).split, expected)
    assert np.array_equal(load(held, environment={"PRIVACY_GATE_KEY": ""}).split, expected)
    (held / ".privacy_gate" / "key").write_text("0" * 64)
    refused(held, "only others are there", environment={})
    refused(held, "only others are there", environment={"PRIVACY_GATE_KEY": "1" * 64})
    changed(held, lambda m: m["split_key"].update(value=KEY.hex()))
    assert np.array_equal(load(held, environment={}).split, expected)
    # the fingerprint decides: a variable that serves other fixtures does no harm
    assert np.array_equal(load(held, environment={"PRIVACY_GATE_KEY": "0" * 64}).split, expected)


@pytest.mark.parametrize("text", ["short", "z" * 64, "0" * 63, "0" * 66, f"KEY={'0' * 64}"])
def test_what_is_no_key_is_refused_and_not_repeated(held, text):
    message = refused(held, "must be 64 hexadecimal", environment={"PRIVACY_GATE_KEY": text})
    assert text not in message
    (held / ".privacy_gate").mkdir()
    (held / ".privacy_gate" / "key").write_text(text)
    refused(held, "must be 64 hexadecimal", environment={})


def test_an_empty_key_file_is_no_key(held):
    (held / ".privacy_gate").mkdir()
    (held / ".privacy_gate" / "key").write_text("")
    refused(held, "must be 64 hexadecimal", environment={})


@pytest.mark.parametrize(
    "splits",
    [(0.5, 0.5, 0.0), (0.5, 0.6, -0.1), (0.1, 0.1, 0.1), (float("nan"), 0.5, 0.5), (0.5, 0.5)],
)
def test_impossible_splits_are_refused(held, splits):
    with pytest.raises(UsageError, match="add up to 1"):
        load(held, splits=splits)


def test_safetensors_without_a_numpy_type_are_refused(held):
    import torch
    from safetensors.torch import save_file

    path = held / "members.safetensors"
    save_file({"x": torch.zeros(20, 3, dtype=torch.bfloat16), "y": torch.zeros(20)}, path)
    entry = {"path": path.name, "sha256": sha256(path)}
    changed(held, lambda m: m["sides"]["members"].update(files=[entry]))
    refused(held, "type that numpy lacks|bfloat16")
