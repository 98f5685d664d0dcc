"""``privacy-gate doctor``: every thing that stands in the way of a run has its line, and no record
is shown."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fixture_sets import KEY, write_manifest
from gate_project import colours, onnx_project, save_onnx, save_torch, write_config, write_fixtures

import privacy_gate
from privacy_gate.cli import main
from privacy_gate.setup.batch import range_of
from privacy_gate.setup.environment import environment_findings, extras, installed


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A project of its own as the working directory, and no connection to anywhere."""
    directory = tmp_path / "project"
    (directory / ".git").mkdir(parents=True)
    monkeypatch.chdir(directory)
    for name in [name for name in os.environ if name.startswith(("PRIVACY_GATE_", "GITHUB_"))]:
        monkeypatch.delenv(name)

    def refuse(*_):
        raise AssertionError("doctor connects to nothing")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return directory


def invoke(*arguments, code):
    result = CliRunner().invoke(main, ["doctor", *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def lines(status, *arguments, code):
    return [
        re.sub(r"^\S+ +", "", line)
        for line in invoke(*arguments, code=code).stdout.splitlines()
        if line.startswith(f"{status} ")
    ]


def problems(*arguments):
    return lines("problem", *arguments, code=1)


# ----------------------------------------------------------------------------------- the machine


def found(versions=None, environment=None, groups=None):
    return list(environment_findings(versions or {}, groups or {}, environment or {}))


def wrong(**arguments):
    return [item.message for item in found(**arguments) if item.status == "problem"]


def test_both_onnx_runtimes_at_once_are_a_problem():
    assert wrong(versions={"onnxruntime": "1.20", "onnxruntime-gpu": None}) == []
    (message,) = wrong(versions={"onnxruntime": "1.20", "onnxruntime-gpu": "1.20"})
    assert "overwrite each other's files" in message


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("2.5.1", "problem"),
        ("2.6.0", "note"),
        ("2.9.1+cu130", "note"),
        ("2.10.0", None),
        ("2.13.0+cpu", None),
        ("3.0", None),
    ],
)
def test_an_old_torch_is_told(version, status):
    said = [item for item in found(versions={"torch": version}) if "older than" in item.message]
    assert [item.status for item in said] == ([status] if status else [])
    assert all("2.10" in item.action for item in said)


@pytest.mark.parametrize("name", ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "ORT_LOAD_CONFIG_FROM_MODEL"])
def test_variables_that_switch_protections_off_are_a_problem(name):
    assert wrong(environment={name: "1"}) != []
    assert wrong(environment={name: ""}) == [] or name.startswith("ORT")
    assert wrong(environment={"ORT_LOAD_CONFIG_FROM_MODEL": "0"}) == []


def test_variables_are_told_by_name_and_misspelt_ones_are_a_problem():
    environment = {
        "PRIVACY_GATE_KEY": "a secret", "PRIVACY_GATE_MODEL": "secret.pt", "GITHUB_SHA": "abc",
        "PRIVACY_GATE_FIXTURE": "x", "PRIVACY_GATE_TEAM": "y", "GITHUB_TOKEN": "ghs_secret",
    }  # fmt: skip
    said = found(environment=environment)
    text = " ".join(f"{item.message} {item.action}" for item in said)
    assert "set: PRIVACY_GATE_KEY, PRIVACY_GATE_MODEL" in text
    assert "set: GITHUB_SHA, GITHUB_TOKEN" in text
    assert "secret" not in text
    assert "PRIVACY_GATE_FIXTURE is not read. Is PRIVACY_GATE_FIXTURES meant?" in text
    assert wrong(environment=environment) == ["PRIVACY_GATE_FIXTURE is not read."]
    assert [item.message for item in said if item.status == "note"] == [
        "PRIVACY_GATE_TEAM is set and not read."
    ]


def test_every_variable_that_the_package_reads_is_known():
    package = Path(privacy_gate.__file__).parent
    read = {
        name
        for path in package.rglob("*.py")
        for name in re.findall(r"\bPRIVACY_GATE_[A-Z_]*[A-Z]", path.read_text())
    }
    assert "PRIVACY_GATE_ROOTS" in read
    said = found(environment=dict.fromkeys(read, "x"))
    (set_ones,) = [item.message for item in said if item.topic == "variables"]
    assert set_ones == f"set: {', '.join(sorted(read))}"


def test_extras_are_those_that_the_package_declares():
    groups = extras()
    assert set(groups["onnx"]) == {"onnxruntime", "onnx"}
    assert "dev" not in groups
    assert installed()["onnxruntime"]
    said = found(versions={"a": "1"}, groups={"one": ("a",), "two": ("a", "b"), "three": ("c",)})
    (ok, note) = [item for item in said if item.topic == "extras"]
    assert ok.message == "installed: one"
    assert note.message == "not installed: two, three."
    assert "pip install 'privacy-gate[two,three]'" in note.action


def test_a_broken_installation_is_told(monkeypatch):
    from privacy_gate.setup import environment

    def fail():
        raise ImportError("libcudart.so: cannot open")

    monkeypatch.setattr(environment, "torch_devices", fail)
    (message,) = wrong()
    assert message == "cannot be imported (ImportError)."


# ----------------------------------------------------------------------------------- the project


def test_a_project_that_can_run_has_no_problem(home):
    onnx_project(home)
    said = invoke(code=0).stdout
    assert "configuration: privacy_gate.yaml is valid: 24 checks" in said
    assert "fixtures: key: the split key" in said
    assert re.search(r"fixtures: data: (\d+) of \1 promises verified", said)
    assert re.search(r"model: model\.onnx opens on cpu \(onnx, float32, sha256 \w{12}\)", said)
    assert "Preprocessing not verified" in said
    assert "problem" not in said
    assert "Five records" not in said


def test_without_a_configuration_the_way_to_one_is_named(home):
    assert problems() == [
        "configuration: there is no privacy_gate.yaml here. Write one: privacy-gate init"
    ]
    assert (
        "absent.yaml: The configuration file does not exist."
        in invoke("absent.yaml", code=2).stderr
    )


def test_every_problem_of_a_configuration_has_its_line(home):
    onnx_project(home, model={"path": "TODO"}, limits={"seconds": -1})
    said = problems()
    assert len(said) == 2
    assert re.match(r"configuration: privacy_gate\.yaml:\d+:\d+: model\.path: fill in", said[0])
    assert re.match(r"configuration: privacy_gate\.yaml:\d+:\d+: limits\.seconds: must be", said[1])


def test_fixtures_and_model_are_looked_at_whatever_is_wrong_with_the_other(home):
    onnx_project(home)
    members = home / "data" / "members.npz"
    members.write_bytes(members.read_bytes()[:-1] + b"x")
    (home / "model.onnx").write_bytes(b"")
    said = problems()
    assert len(said) == 2
    assert said[0].startswith("fixtures: files[members]: ")
    assert said[1].startswith("model: privacy_gate.yaml:")
    assert "is empty. Save the model again" in said[1]


def test_a_missing_split_key_and_budgets_out_of_reach_are_problems(home, monkeypatch):
    onnx_project(home, budgets=[{"metric": "tpr_at_fpr", "fpr": 0.001, "max": 0.002}])
    (said,) = problems()
    assert "budgets: TPR at FPR 0.001 <= 0.002 cannot be certified" in said
    assert said.endswith("See: privacy-gate plan")
    write_config(home)
    content = json.loads((home / "data" / "manifest.json").read_text())
    del content["split_key"]["value"]
    write_manifest(home / "data", content)
    (said,) = problems()
    assert said.startswith("fixtures: key: ")
    assert "PRIVACY_GATE_KEY" in said
    monkeypatch.setenv("PRIVACY_GATE_KEY", KEY.hex())
    shown = invoke(code=0).output
    assert "variables: set: PRIVACY_GATE_KEY" in shown
    assert KEY.hex() not in shown


def test_a_module_that_cannot_be_built_and_a_receipt_of_another_model_are_problems(home):
    from privacy_gate.holdout import Receipt

    identified = [{**colours(300, n), "id": np.arange(300) + 1000 * n} for n in (0, 1)]
    write_fixtures(home, *identified, identifier="id")
    section = save_torch(home)
    receipt = Receipt(key=KEY)
    receipt.saw(identified[0]["id"])
    receipt.write("receipt.safetensors", model="model.safetensors")
    fixtures = {"path": "data", "receipt": "receipt.safetensors"}
    budgets = [{"metric": "auc", "max": 0.7}]
    model = {**section, "output": {"name": "logits"}}
    write_config(home, model=model, fixtures=fixtures, budgets=budgets)
    invoke(code=0)
    weight = np.random.default_rng(0).normal(size=(4, 3))
    save_torch(home, weight, np.zeros(4))
    (said,) = problems()
    assert "The training receipt is for the model" in said
    model["kwargs"] = {"classes": 5}
    write_config(home, model=model, fixtures=fixtures, budgets=budgets)
    (said,) = problems()
    assert "head.weight has the shape (4, 3) in the file but (5, 3) in the model" in said


def test_the_base_branch_has_to_be_readable(home, monkeypatch):
    onnx_project(home)
    (home / ".git").rmdir()
    for command in ("init -q -b main", "add .", "commit -q -m first"):
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *command.split()]
        subprocess.run(git, cwd=home, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=home, check=True, capture_output=True, text=True
    ).stdout
    assert (
        f"base branch: main is readable, at {commit[:7]}"
        in invoke("--policy-ref", "main", code=0).stdout
    )
    monkeypatch.setenv("PRIVACY_GATE_POLICY_REF", "release")
    (said,) = problems()
    assert "base branch: The ref 'release' is not in this clone. Fetch it" in said


# --------------------------------------------------------------------------------- five records


def batch(*arguments, code=0):
    content = json.loads(invoke("--show-batch", "--json", *arguments, code=code).stdout)
    assert content["schema"] == "privacy-gate.doctor/1"
    assert {"topic", "status", "message", "action"} == set(content["findings"][0])
    return content["batch"]


def test_five_records_are_shown_as_ranges_over_all_of_them_and_as_labels(home):
    onnx_project(home)
    shown = batch()
    assert [shown["raw"][0][key] for key in ("name", "shape", "dtype")] == [
        "x",
        [5, 8, 8, 3],
        "uint8",
    ]
    (inputs,) = shown["inputs"]
    assert (inputs["shape"], inputs["dtype"]) == ([5, 3, 8, 8], "float32")
    for key in ("low", "high", "mean"):
        assert inputs[key] == pytest.approx(shown["raw"][0][key] / 255, rel=1e-5)
    assert (shown["output"]["shape"], shown["kind"]) == ([5, 4], "logits")
    assert len(shown["predicted"]) == len(shown["true"]) == 5
    assert all(label in range(4) for label in (*shown["predicted"], *shown["true"]))
    text = invoke("--show-batch", code=0).stdout
    tail = text[text.index("Five records") :].splitlines()
    assert len(tail) == 1 + 3 + 1 + 5
    # over five images of 192 numbers each: six numbers a line at most
    assert all(len(re.findall(r"\d+(?:\.\d+)?", line)) <= 10 for line in tail)


def test_a_wrong_scale_shows_in_the_ranges(home):
    onnx_project(home, model={"preprocess": {"layout": "NCHW"}})
    assert batch()["inputs"][0]["high"] > 100


def test_predicted_positions_are_shown_as_labels(home):
    names = np.array(["red", "blue", "yellow", "dark"])
    sides = [colours(300, seed) for seed in (0, 1)]
    write_fixtures(home, *({"x": side["x"], "y": names[side["y"]]} for side in sides))
    save_onnx(home / "model.onnx")
    labels = {"order": names.tolist()}
    write_config(home, model={"labels": labels}, budgets=[{"metric": "auc", "max": 0.7}])
    shown = batch()
    assert set(shown["true"]) | set(shown["predicted"]) <= set(names.tolist())
    assert sum(a == b for a, b in zip(shown["true"], shown["predicted"], strict=True)) >= 3


def test_no_identifier_of_the_records_is_ever_shown(home):
    sides = [colours(300, seed) for seed in (0, 1)]
    for number, side in enumerate(sides):
        side["id"] = np.array([f"patient-{number}-{row}" for row in range(300)])
    write_fixtures(home, *sides, identifier="id")
    save_onnx(home / "model.onnx")
    write_config(home, budgets=[{"metric": "auc", "max": 0.7}])
    result = invoke("--show-batch", code=0)
    assert "patient-" not in result.output
    (home / "data" / "nonmembers.npz").write_bytes(b"")
    assert "patient-" not in invoke("--show-batch", code=1).output


def test_a_model_that_refuses_the_records_is_a_problem(home):
    onnx_project(home, model={"preprocess": {"scale": 0.5}})
    (said,) = problems("--show-batch")
    assert said.startswith("model: ")
    assert "x (5, 8, 8, 3) float32" in said


def test_numbers_that_are_not_finite_are_counted():
    shown = range_of("x", np.array([[1.0, np.nan], [3.0, np.inf]]))
    assert (shown.low, shown.high, shown.mean, shown.not_finite) == (1.0, 3.0, 2.0, 2)
