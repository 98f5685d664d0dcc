"""``fixtures build | verify | inspect`` and their Python twins."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from fixture_sets import (
    ENVIRONMENT,
    FINGERPRINT,
    KEY,
    read_manifest,
    sha256,
    sides,
    write_manifest,
    write_set,
)

from privacy_gate.commands.fixtures import fixtures
from privacy_gate.errors import FixtureError, UsageError
from privacy_gate.fixtures import inspect, load_fixtures, verify


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project directory with training data, as the working directory, and no key."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PRIVACY_GATE_KEY", raising=False)
    members, nonmembers = sides(1200, 800)
    np.savez("members.npz", **members)
    np.savez("nonmembers.npz", **nonmembers)
    return tmp_path


def invoke(*arguments, code=0):
    result = CliRunner().invoke(fixtures, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def verdicts(directory, **options):
    options = {"root": directory, "environment": ENVIRONMENT, **options}
    return {check.name: check.verdict for check in verify(directory, **options)}


def failed(directory, **options):
    return {name for name, verdict in verdicts(directory, **options).items() if verdict == "fail"}


# ----------------------------------------------------------------------------------------- build


def test_build_by_coin_flip_says_what_to_do_and_keeps_the_key_to_itself(project):
    output = invoke("build", "--from", "members.npz", "--rate", "0.4", "-o", "fixtures/mine")
    key = (project / ".privacy_gate" / "key").read_text().strip()
    assert key not in output
    assert "Train on exactly the" in output
    assert "fixtures/mine/members.npz" in output
    assert "PRIVACY_GATE_KEY" in output
    assert "gh secret set" in output
    assert "value" not in read_manifest(project / "fixtures" / "mine")["split_key"]
    loaded = load_fixtures(project / "fixtures" / "mine", root=project, environment={})
    assert loaded.assignment == "randomized"
    assert abs(int((~loaded.is_member).sum()) - 480) < 4 * np.sqrt(1200 * 0.24)


def test_build_says_at_once_what_is_doubtful_about_the_set(project):
    members, _ = sides(600, 2)
    twice = {name: np.concatenate([values, values]) for name, values in members.items()}
    np.savez(project / "twice.npz", **twice, id=np.arange(1200))
    output = invoke("build", "--from", "twice.npz", "--id", "id", "-o", "set")
    # coins are flipped by identifier, so copies under two identifiers part about half of the time
    assert "contents occur on both sides under different identifiers" in output
    assert "overlap" not in output  # what is fine is not listed


def test_the_key_belongs_to_the_project_not_to_the_working_directory(project, monkeypatch):
    (project / "deep").mkdir()
    monkeypatch.chdir(project / "deep")
    invoke("build", "--from", "../members.npz", "-o", "set")
    assert (project / ".privacy_gate" / "key").is_file()
    assert not (project / "deep" / ".privacy_gate").exists()


def test_build_from_sides_with_every_option(project):
    for name, start in (("members.npz", 0), ("nonmembers.npz", 1200)):
        with np.load(name) as archive:
            columns = dict(archive)
        number = np.arange(len(columns["y"])) + start
        extra = {"z": columns["y"][::-1], "name": number, "patient": number // 2, "day": number}
        np.savez(name, **columns, **extra)
    arguments = "build --members members.npz --nonmembers nonmembers.npz -o set --label y --label z"
    arguments += " --id name --group patient --date day --assignment randomized --classes 4"
    arguments += " --member-sampling random --training-records 5000 --format npy"
    output = invoke(*arguments.split(), "--provenance", "a test")
    assert "Train on exactly" not in output
    loaded = load_fixtures(project / "set", label="z", root=project, environment={})
    assert (loaded.training_records, loaded.classes, loaded.assignment) == (5000, 4, "randomized")
    assert loaded.records.columns == ("x",)
    assert len(np.unique(loaded.groups)) == 1000


def test_public_keys_travel_with_the_fixtures(project):
    output = invoke("build", "--from", "members.npz", "-o", "set", "--public-key")
    assert "examples only" in output
    assert not (project / ".privacy_gate").exists()
    assert load_fixtures(project / "set", root=project, environment={}).classes == 3


def test_a_key_from_the_environment_is_named(project, monkeypatch):
    monkeypatch.setenv("PRIVACY_GATE_KEY", KEY.hex())
    output = invoke("build", "--from", "members.npz", "-o", "set")
    assert "is the one in PRIVACY_GATE_KEY" in output
    assert KEY.hex() not in output
    assert not (project / ".privacy_gate").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--members members.npz",
        "--from members.npz --members members.npz --nonmembers nonmembers.npz",
        "--from members.npz --assignment natural",
        "--from members.npz --training-records 5",
        "--members members.npz --nonmembers nonmembers.npz --rate 0.5",
        "--members members.npz --nonmembers nonmembers.npz --train-output t.npz",
        "--from members.npz --member-rate 0.5",
    ],
)
def test_contradictory_options_are_refused(project, arguments):
    with pytest.raises(UsageError):
        invoke("build", *arguments.split(), "-o", "set")
    assert not (project / "set").exists()


def test_build_never_overwrites(project):
    invoke("build", "--from", "members.npz", "-o", "set")
    before = sha256(project / "set" / "manifest.json")
    with pytest.raises(FixtureError, match="nothing is ever overwritten"):
        invoke("build", "--from", "members.npz", "-o", "set")
    assert sha256(project / "set" / "manifest.json") == before


# ---------------------------------------------------------------------------------------- verify


def test_verify_finds_nothing_wrong_with_a_new_build(project):
    invoke("build", "--from", "members.npz", "-o", "set")
    output = invoke("verify", "set")
    assert "FAIL" not in output
    assert all(
        verdict == "pass"
        for verdict in verdicts(project / "set", root=project, environment={}).values()
    )


def test_verify_ends_with_1_for_a_finding_and_goes_on(project):
    invoke("build", "--from", "members.npz", "-o", "set")
    content = bytearray((project / "set" / "members.npz").read_bytes())
    content[100] ^= 255
    (project / "set" / "members.npz").write_bytes(content)
    (project / ".privacy_gate" / "key").unlink()
    output = invoke("verify", "set", code=1)
    assert output.count("FAIL") == 2
    assert "files[members]" in output
    assert "ok       files[nonmembers]" in output


def test_verify_needs_a_manifest(project):
    with pytest.raises(FixtureError):
        invoke("verify", "nowhere")


def test_verify_cautions_do_not_fail_the_command(project):
    members, nonmembers = sides(60, 80)
    write_set(
        project / "set",
        members,
        nonmembers,
        split_key={"fingerprint": FINGERPRINT, "value": KEY.hex()},
    )
    assert "caution" in invoke("verify", "set")


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda m, n: n["x"].__setitem__(slice(0, 2), m["x"][:2]), {"overlap"}),
        (lambda m, n: m["y"].__setitem__(0, 3), {"labels[y]"}),
        (lambda m, n: n.update(x=n["x"].astype(np.int8)), {"columns"}),
        (lambda m, n: m.update(x=np.full((20, 3), np.nan)), {"columns"}),
        (lambda m, n: m.update(y=m["y"].astype(float)), {"files[members]"}),
    ],
)
def test_verify_names_what_is_wrong(tmp_path, edit, expected):
    members, nonmembers = sides()
    edit(members, nonmembers)
    assert failed(write_set(tmp_path / "set", members, nonmembers)) == expected


def test_verify_goes_on_past_labels_to_the_records(tmp_path):
    members, nonmembers = ({**side, "x": side["x"] / 2} for side in sides())
    members["x"][3, 0] = np.nan
    nonmembers["y"][0] = 9
    found = failed(write_set(tmp_path / "set", members, nonmembers))
    assert found == {"labels[y]", "records[members]"}


def test_verify_finds_missing_and_wrong_keys(tmp_path):
    directory = write_set(tmp_path / "set", *sides())
    assert failed(directory, environment={}) == {"key"}
    assert failed(directory, environment={"PRIVACY_GATE_KEY": "0" * 64}) == {"key"}


def test_verify_raises_for_another_manifest_than_the_pinned_one(tmp_path):
    directory = write_set(tmp_path / "set", *sides())
    pin = sha256(directory / "manifest.json")
    assert not failed(directory, sha256=pin)
    write_manifest(directory, {**read_manifest(directory), "provenance": "changed"})
    with pytest.raises(FixtureError, match="pinned"):
        verify(directory, sha256=pin, root=directory, environment=ENVIRONMENT)


def test_verify_counts_duplicates_and_one_sided_classes(tmp_path):
    members, nonmembers = sides(600, 700)
    members["x"][10:15] = members["x"][0]
    nonmembers["y"][nonmembers["y"] == 2] = 0
    members["id"], nonmembers["id"] = np.arange(600), np.arange(600, 1300)
    nonmembers["x"][:2] = members["x"][20:22]
    directory = write_set(
        tmp_path / "set",
        members,
        nonmembers,
        identifier={"column": "id"},
        labels={"column": "y", "classes": 4},
    )
    checks = {
        check.name: check for check in verify(directory, root=tmp_path, environment=ENVIRONMENT)
    }
    assert checks["duplicates[members]"].statistic == 5
    assert checks["duplicates[nonmembers]"].statistic == 0
    assert checks["duplicates"].statistic == 2
    assert checks["duplicates"].verdict == "inconclusive"
    assert checks["classes[y]"].verdict == "inconclusive"
    assert "1 occur on one side only and 1 on neither" in checks["classes[y]"].message


def test_verify_counts_groups_not_records(tmp_path):
    members, nonmembers = sides(900, 900)
    members["g"], nonmembers["g"] = np.arange(900) // 30, 100 + np.arange(900) // 30
    directory = write_set(tmp_path / "set", members, nonmembers, group={"column": "g"})
    checks = {
        check.name: check for check in verify(directory, root=tmp_path, environment=ENVIRONMENT)
    }
    assert checks["splits[members]"].verdict == "inconclusive"
    assert checks["splits[members]"].statistic < 30


def test_verify_fails_without_evaluation_records(tmp_path):
    directory = write_set(tmp_path / "set", *sides(2, 300))
    assert verdicts(directory, splits=(0.99, 0.009, 0.001))["splits[members]"] == "fail"


# --------------------------------------------------------------------------------------- inspect


def test_inspect_counts(project):
    members, nonmembers = sides(30, 60)
    directory = write_set(project / "set", members, nonmembers)
    content = inspect(directory, root=project, environment=ENVIRONMENT)
    loaded = load_fixtures(directory, root=project, environment=ENVIRONMENT)
    assert (content["members"], content["nonmembers"]) == (30, 60)
    assert content["labels"]["y"]["members"] == {"0": 10, "1": 10, "2": 10}
    for side, inside in (("members", loaded.is_member), ("nonmembers", ~loaded.is_member)):
        counts = np.bincount(loaded.split[inside], minlength=3).tolist()
        assert list(content["splits"][side].values()) == counts
    assert content["split_key"]["found"]
    assert content["sha256"] == loaded.sha256
    assert content["columns"]["x"] == {"role": "input", "dtype": "uint8", "shape": [3]}
    assert content["columns"]["y"]["role"] == "labels"
    text = invoke("inspect", "set")
    assert "members: 30" in text
    printed = json.loads(invoke("inspect", "set", "--json"))
    assert printed["split_key"]["found"] is False
    assert printed["splits"] is None
    assert printed["labels"] == content["labels"]


def test_inspect_hides_labels_that_may_identify(tmp_path):
    both = [
        {**side, "y": np.array([f"{name}{i}" for i in range(1100)])}
        for name, side in zip("mn", sides(1100, 1100), strict=True)
    ]
    directory = write_set(tmp_path / "set", *both, labels={"column": "y"})
    content = inspect(directory, root=tmp_path, environment=ENVIRONMENT)
    assert content["labels"]["y"] == {"members": None, "nonmembers": None}
    assert "m1099" not in json.dumps(content)


def test_inspect_refuses_altered_files(project):
    write_set(project / "set", *sides())
    (project / "set" / "members.npz").write_bytes(b"other")
    with pytest.raises(FixtureError, match="not the one in the manifest"):
        invoke("inspect", "set")
