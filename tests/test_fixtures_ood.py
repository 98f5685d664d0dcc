"""Out-of-distribution sets of fixtures: built, verified, loaded, and never on a side."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from fixture_sets import KEY, read_manifest, sides, write_manifest

from privacy_gate.cli import main
from privacy_gate.errors import FixtureError, UsageError
from privacy_gate.fixtures import build_from_sides, load_fixtures
from privacy_gate.fixtures.audit import verify
from privacy_gate.fixtures.build import build_by_coin_flip
from privacy_gate.fixtures.summary import inspect

MEMBERS, NONMEMBERS = sides()


def far(count=12, seed=9, **columns):
    """Records whose first two numbers are those of no side (sides have one number twice)."""
    x = np.random.default_rng(seed).integers(0, 256, (count, 3)).astype(np.uint8)
    return {"x": x, **columns}


def build(directory, ood, **options):
    made = build_from_sides(
        MEMBERS, NONMEMBERS, directory / "data",
        label="y", root=directory, key=KEY, public_key=True, ood=ood, **options,
    )  # fmt: skip
    return made.directory


@pytest.mark.parametrize("file_format", ["npz", "npy"])
def test_a_set_comes_back_as_it_was_given(tmp_path, file_format):
    labelled = far(7, seed=3, y=np.resize(np.arange(3), 7))
    place = build(tmp_path, {"far": far(), "near-by": labelled}, file_format=file_format)
    found = load_fixtures(place, root=tmp_path).ood
    assert list(found) == ["far", "near-by"]
    rows = np.arange(12)
    assert (found["far"].records.take(rows)["x"] == far()["x"]).all()
    assert found["far"].labels is None
    assert found["near-by"].labels.tolist() == labelled["y"].tolist()
    assert found["far"].independent.all()
    assert len(np.unique(found["far"].contents, axis=0)) == 12
    without = load_fixtures(build(tmp_path / "b", {}), root=tmp_path / "b")
    assert without.ood == {}
    # adding a set moves no record and no split
    both = load_fixtures(place, root=tmp_path)
    assert (both.split == without.split).all()
    assert (both.identifiers == without.identifiers).all()


def test_copies_count_once_and_so_do_groups(tmp_path):
    x = np.repeat(far(4)["x"], 3, axis=0)
    found = load_fixtures(build(tmp_path, {"far": {"x": x}}), root=tmp_path).ood["far"]
    assert found.independent.sum() == 4
    assert len(np.unique(found.contents[found.independent], axis=0)) == 4


def test_a_coin_flip_takes_sets_too(tmp_path):
    source = {name: np.concatenate([MEMBERS[name], NONMEMBERS[name]]) for name in MEMBERS}
    build_by_coin_flip(
        source, tmp_path / "data", rate=0.5, label="y", root=tmp_path, key=KEY, ood={"far": far()}
    )
    manifest = read_manifest(tmp_path / "data")
    assert manifest["ood"]["far"]["count"] == 12
    with pytest.raises(FixtureError, match=r"ood\.far and the (non)?members .* in common"):
        build_by_coin_flip(
            source, tmp_path / "b", rate=0.5, label="y", root=tmp_path, key=KEY,
            ood={"far": {"x": source["x"][:1]}},
        )  # fmt: skip
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"x": NONMEMBERS["x"][:3]},
            "the nonmembers have records of the same content in common: 3",
        ),
        ({"x": MEMBERS["x"][:2]}, "the members have records of the same content in common: 2"),
        ({"x": far()["x"].astype(np.int64)}, "'x' is uint8 of row shape .* but int64"),
        ({"x": far()["x"][:, :2]}, "but uint8 of row shape"),
        ({"z": far()["x"]}, "only one has: x, z"),
        (far(z=np.arange(12)), "only one has: z"),
        (far(y=np.full(12, 7)), "labels must lie in 0..2; 12 of 12 do not"),
        ({"x": far(1)["x"]}, r"ood.far has 1 records, at least 2"),
    ],
)
def test_what_is_no_such_set_is_refused(tmp_path, columns, message):
    with pytest.raises(FixtureError, match=message):
        build(tmp_path, {"far": columns})
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["noise", "nonmembers", "generated", "Far", "../far", "a b", ""])
def test_names_are_plain_and_not_those_of_built_in_sets(tmp_path, name):
    with pytest.raises(UsageError, match=r"no name of an ood set|name of a built-in set"):
        build(tmp_path, {name: far()})
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_cannot_hide_a_set_or_what_is_in_it(tmp_path):
    place = build(tmp_path, {"far": far()})
    (file,) = read_manifest(place)["ood"]["far"]["files"]
    content = (place / file["path"]).read_bytes()
    (place / file["path"]).write_bytes(content + b"x")
    with pytest.raises(FixtureError, match="not the one in the manifest"):
        load_fixtures(place, root=tmp_path)
    failed = {check.name for check in verify(place, root=tmp_path) if check.verdict == "fail"}
    assert failed == {"ood.far"}
    (place / file["path"]).write_bytes(content)
    manifest = read_manifest(place)
    manifest["ood"]["far"]["columns"].pop("x")
    write_manifest(place, manifest)
    with pytest.raises(FixtureError, match=r"ood\.far lacks the columns x"):
        load_fixtures(place, root=tmp_path)


def test_verify_and_inspect_show_sets(tmp_path):
    x = np.concatenate([far()["x"], far()["x"][:2]])
    place = build(tmp_path, {"far": {"x": x}})
    checks = {check.name: check for check in verify(place, root=tmp_path)}
    assert checks["ood.far"].verdict == "pass"
    assert "14 records" in checks["ood.far"].message
    assert checks["duplicates[ood.far]"].statistic == 2
    shown = inspect(place, root=tmp_path)["ood"]
    assert shown == {"ood.far": {"records": 14, "independent": 12, "labels": None}}


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_the_command_builds_verifies_and_inspects(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    for name, columns in (("m", MEMBERS), ("n", NONMEMBERS)):
        np.savez(f"{name}.npz", **columns)
    np.savez("far.npz", **far()) if kind == "npz" else np.save("far.npy", far()["x"])
    build = [
        "fixtures", "build", "--members", "m.npz", "--nonmembers", "n.npz", "-o", "data",
        "--public-key", "--ood", f"far=far.{kind}",
    ]  # fmt: skip
    built = CliRunner().invoke(main, build)
    assert built.exit_code == 0, built.output
    verified = CliRunner().invoke(main, ["fixtures", "verify", "data"])
    assert "ood.far: 12 records" in verified.output
    described = CliRunner().invoke(main, ["fixtures", "inspect", "data", "--json"])
    assert json.loads(described.stdout)["ood"]["ood.far"]["records"] == 12
    assert load_fixtures(tmp_path / "data", root=tmp_path).ood["far"].labels is None


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (["far"], "Write NAME=FILE"),
        (["far="], "Write NAME=FILE"),
        (["A=f.npz"], "no name of an ood set"),
        (["scaled=f.npz"], "built-in set"),
        (["a=f.npz", "a=g.npz"], "given twice"),
    ],
)
def test_the_command_refuses_other_words(tmp_path, monkeypatch, written, message):
    monkeypatch.chdir(tmp_path)
    options = [part for text in written for part in ("--ood", text)]
    found = CliRunner().invoke(
        main, ["fixtures", "build", "--members", "m", "--nonmembers", "n", "-o", "d", *options]
    )
    assert found.exit_code == 2
    assert message in " ".join(found.output.split())


def test_records_that_are_referred_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, columns in (("m", MEMBERS), ("n", NONMEMBERS), ("f", far(5))):
        lines = ["path,y" if name != "f" else "path"]
        for row, x in enumerate(columns["x"]):
            np.save(f"{name}{row}.npy", x)
            label = "" if name == "f" else f",{columns['y'][row]}"
            lines.append(f"{name}{row}.npy{label}")
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    built = CliRunner().invoke(
        main,
        [
            "fixtures", "build", "--reference", "--members", "m.csv", "--nonmembers", "n.csv",
            "--ood", "far=f.csv", "-o", "data", "--public-key", "--root", ".",
        ],
    )  # fmt: skip
    assert built.exit_code == 0, built.output
    from privacy_gate.fixtures.reference import Reading

    found = load_fixtures(tmp_path / "data", root=tmp_path, reading=Reading(tmp_path)).ood["far"]
    assert (found.records.take(np.arange(5))["x"] == far(5)["x"]).all()
    (tmp_path / "f3.npy").write_bytes(b"other")
    with pytest.raises(FixtureError, match=r"ood\.far row 4: it is altered"):
        found.records.take(np.array([3]))
