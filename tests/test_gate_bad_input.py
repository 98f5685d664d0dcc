"""Bad input, end to end: each mistake is one named error or inconclusive, and never a pass."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from fixture_sets import read_manifest, sha256, side_entry, write_manifest
from gate_project import (
    BUDGETS,
    bayes,
    colours,
    onnx_project,
    refused,
    run,
    save_onnx,
    save_torch,
    write_config,
    write_fixtures,
)

from privacy_gate.errors import ExitCode, FixtureError


@pytest.fixture
def project(tmp_path):
    onnx_project(tmp_path)
    return tmp_path


# ------------------------------------------------------------------------------------- models


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("back_end", ["onnx", "torch"])
def test_a_model_that_answers_no_numbers(project, back_end, value):
    weight, bias = bayes()
    bias = np.array([value, *bias[1:]])
    changes = {}
    if back_end == "torch":
        changes = {**save_torch(project, weight, bias), "output": {"name": "logits"}}
    else:
        save_onnx(project / "model.onnx", weight, bias)
    words = refused(write_config(project, model=changes))
    assert "256 of 256 outputs are not finite." in words or "weights hold NaN" in words


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (3, "The model has 3 outputs, but the fixtures have 4 classes."),
        (10, "The model has 10 outputs, but the fixtures have 4 classes."),
    ],
)
def test_another_number_of_classes(project, classes, words):
    random = np.random.default_rng(0)
    save_onnx(project / "model.onnx", random.normal(0, 1, (classes, 3)), np.zeros(classes))
    assert words in refused(project / "privacy_gate.yaml")


def test_labels_beyond_the_outputs_of_a_model(tmp_path):
    """The fixtures do not say how many classes there are: label 7 is found out by the model."""
    sides = [colours(700, seed) for seed in (0, 1)]
    for side in sides:
        side["y"] = side["y"] + 4 * (side["y"] == 3)
    write_fixtures(tmp_path, *sides)
    save_onnx(tmp_path / "model.onnx")
    words = refused(write_config(tmp_path))
    assert "The model has 4 outputs, but" in words
    assert "not in 0..3" in words


def test_more_outputs_than_classes_are_fine_once_they_are_named(project):
    weight, bias = bayes()
    save_onnx(
        project / "model.onnx",
        np.concatenate([weight, np.zeros((1, 3))]),
        np.append(bias, -1e3),
    )
    assert "5 outputs" in refused(project / "privacy_gate.yaml")
    named = write_config(project, model={"labels": {"order": [0, 1, 2, 3, 4]}})
    assert run(named).exit_code == 0


def test_weights_of_another_architecture(project):
    section = {**save_torch(project), "output": {"name": "logits"}, "kwargs": {"classes": 7}}
    words = refused(write_config(project, model=section))
    assert "head.weight" in words


class Payload:
    """Unpickling it writes a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (str(self.target), "w"))


@pytest.mark.parametrize("suffix", ["pt", "pkl", "bin", "ckpt"])
@pytest.mark.parametrize("kind", ["payload", "dict", "text", "empty"])
def test_what_is_no_weights(project, suffix, kind):
    section = {**save_torch(project), "output": {"name": "logits"}, "path": f"model.{suffix}"}
    marker = project / "ran"
    content = {
        "payload": pickle.dumps(Payload(marker)),
        "dict": pickle.dumps({"a": 1}),
        "text": b"weights",
        "empty": b"",
    }
    (project / f"model.{suffix}").write_bytes(content[kind])
    refused(write_config(project, model=section))
    assert not marker.exists()


def test_a_payload_inside_a_checkpoint_does_not_run(project):
    import torch

    section = {**save_torch(project), "output": {"name": "logits"}, "path": "model.pt"}
    marker = project / "ran"
    torch.save({"head.weight": Payload(marker)}, project / "model.pt")
    refused(write_config(project, model=section))
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"not an onnx model", pickle.dumps({"a": 1})])
def test_what_is_no_onnx_model(project, content):
    (project / "model.onnx").write_bytes(content)
    refused(project / "privacy_gate.yaml")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"path": "absent.onnx"}, "absent.onnx"),
        ({"path": "."}, ""),
        ({"path": "../elsewhere.onnx"}, "lies outside the project"),
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"output": {"name": "probs"}}, "The model has no output 'probs'"),
        ({"output": None}, "it is not said which to judge"),
        ({"output": {"name": "logits", "kind": "probabilities"}}, "leave the range from 0 to 1"),
        ({"output": {"name": "logits", "kind": "labels"}}, "answers 4 numbers"),
        ({"inputs": {"pixels": "x"}}, "the model takes x"),
        ({"inputs": {"x": "z"}}, "the unknown column 'z'"),
        ({"preprocess": None}, "x"),
        ({"preprocess": "nowhere:function"}, "The module 'nowhere' is not found"),
        ({"device": "cuda:99"}, "cuda"),
    ],
)
def test_a_configuration_that_does_not_fit_the_model(project, changes, words):
    assert words in refused(write_config(project, model=changes))


# ----------------------------------------------------------------------------------- fixtures


def test_one_byte_off(project):
    path = project / "data" / "members.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    words = refused(project / "privacy_gate.yaml")
    assert "SHA-256" in words
    assert "members.npz" in words


def test_a_pinned_manifest_one_byte_off(project):
    manifest = project / "data" / "manifest.json"
    pinned = {"path": "data", "sha256": sha256(manifest)}
    path = write_config(project, fixtures=pinned)
    assert run(path).exit_code == 0
    manifest.write_text(manifest.read_text() + " ")
    assert "another one is pinned" in refused(path)


@pytest.mark.parametrize("cut", [1, 100])
def test_a_manifest_that_is_cut_off(project, cut):
    manifest = project / "data" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[: -cut - 1])
    refused(project / "privacy_gate.yaml")


def rewrite_side(directory, side, columns):
    """Replace one side and make the manifest agree with it."""
    manifest = read_manifest(directory)
    manifest["sides"][side] = side_entry(directory, side, columns)
    manifest["training_records"] = None
    manifest["member_sampling"] = "unknown"
    write_manifest(directory, {key: value for key, value in manifest.items() if value is not None})


@pytest.mark.parametrize("side", ["members", "nonmembers"])
@pytest.mark.parametrize("count", [0, 1])
def test_a_side_without_records(project, side, count):
    rewrite_side(project / "data", side, colours(count, 5))
    assert side in refused(project / "privacy_gate.yaml")


@pytest.mark.parametrize("side", ["members", "nonmembers"])
def test_a_side_of_five_records_decides_nothing(project, side):
    rewrite_side(project / "data", side, colours(5, 5))
    finished = run(project / "privacy_gate.yaml")
    (report,) = finished.reports
    assert finished.exit_code in (ExitCode.ERROR, ExitCode.INCONCLUSIVE)
    assert report.verdict in ("error", "inconclusive")
    assert all(check.verdict != "pass" for check in report.checks)


def test_labels_that_are_no_labels(project):
    columns = colours(700, 0)
    rewrite_side(project / "data", "members", {**columns, "y": columns["y"].astype(np.float64)})
    assert "y" in refused(project / "privacy_gate.yaml")


def test_labels_beyond_the_declared_classes(project):
    columns = colours(700, 0)
    columns["y"][3] = 4711
    rewrite_side(project / "data", "members", columns)
    assert "4711" not in refused(project / "privacy_gate.yaml")


def test_columns_of_different_lengths(project):
    columns = colours(700, 0)
    rewrite_side(project / "data", "members", {**columns, "y": columns["y"][:600]})
    refused(project / "privacy_gate.yaml")


def test_inputs_that_are_no_numbers(project):
    """A raw NaN is a fault of the fixtures or of the model's answer, and of no attack."""
    for side, seed in (("members", 0), ("nonmembers", 1)):
        columns = colours(700, seed)
        x = columns["x"].astype(np.float32)
        x[:3] = np.nan
        rewrite_side(project / "data", side, {**columns, "x": x})
    refused(project / "privacy_gate.yaml")


def test_one_record_on_both_sides(project):
    members, nonmembers = colours(700, 0), colours(700, 1)
    for name in ("x", "y"):
        nonmembers[name][0] = members[name][0]
    rewrite_side(project / "data", "nonmembers", nonmembers)
    refused(project / "privacy_gate.yaml")
    with pytest.raises(FixtureError):
        write_fixtures(project / "again", members, nonmembers)


def test_the_same_side_twice(project):
    rewrite_side(project / "data", "nonmembers", colours(700, 0))
    refused(project / "privacy_gate.yaml")


def test_a_fixture_file_outside_its_directory(project):
    manifest = read_manifest(project / "data")
    (project / "members.npz").write_bytes((project / "data" / "members.npz").read_bytes())
    manifest["sides"]["members"]["files"][0]["path"] = "../members.npz"
    write_manifest(project / "data", manifest)
    refused(project / "privacy_gate.yaml")


def test_fixtures_outside_the_project(project):
    assert "lies outside the project" in refused(write_config(project, fixtures="../data"))


def test_a_lost_key(project, monkeypatch):
    monkeypatch.delenv("PRIVACY_GATE_KEY", raising=False)
    manifest = read_manifest(project / "data")
    del manifest["split_key"]["value"]
    write_manifest(project / "data", manifest)
    assert "PRIVACY_GATE_KEY" in refused(project / "privacy_gate.yaml")


def test_an_unknown_label_column(project):
    words = refused(write_config(project, fixtures={"path": "data", "label": "why"}))
    assert "no label column 'why'" in words


# ------------------------------------------------------------------------------ configurations


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attacks": ["los"]}, "Did you mean 'loss'?"),
        ({"budgets": []}, "budgets"),
        ({"budgets": [{"metric": "auc", "max": 0.4}]}, "can never pass"),
        ({"budgets": [*BUDGETS, dict(BUDGETS[0])]}, "has two budgets"),
        ({"budgets": [{"metric": "auc", "max": 0.6, "attacks": ["los"]}]}, "unknown attack 'los'"),
        ({"splits": {"support": 0.5, "calibration": 0.4, "evaluation": 0.2}}, "must be 1"),
        ({"version": 2}, "version"),
        ({"typo": 1}, "typo: unknown key"),
    ],
)
def test_a_configuration_that_cannot_be_meant(project, changes, words):
    assert words in refused(write_config(project, **changes))


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"version: [", b"- 1\n"])
def test_a_file_that_is_no_configuration(tmp_path, content):
    path = tmp_path / "privacy_gate.yaml"
    if content is not None:
        path.write_bytes(content)
    refused(path)


def test_a_directory_is_no_configuration(tmp_path):
    refused(tmp_path)
