"""A valid configuration: what it means, its positions, overrides, and the paths it may name."""

from __future__ import annotations

import datetime
import hashlib
import os
import pickle
from pathlib import Path

import pytest

from privacy_gate.config import load_config
from privacy_gate.domain import Metric
from privacy_gate.errors import ConfigError, UsageError

MINIMAL = """\
version: 1
model: {format: onnx, path: model.onnx}
fixtures: data
budgets: [{metric: auc, max: 0.6}]
"""
FULL = """\
version: 1
name: digits
python_path: [., lib]
model:
  format: torch
  path: models/candidate.safetensors
  sha256: ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789
  factory: my_project.models:build
  kwargs: {classes: 10, pretrained: null, sizes: [1, 2.5, "x"]}
  weights_key: state_dict
  strip_prefix: "model."
  inputs: {pixel_values: x}
  output: {name: 0, kind: logits}
  labels: {order: [healthy, tumour]}
  features: {name: avgpool}
  preprocess: {scale: 0.00392156862745098, mean: [0.5], std: [1], layout: NCHW}
  expected: {nonmember_accuracy: 0.84}
  device: cuda:1
  precision: bfloat16
  batch_size: 64
  trust: code
task: classification
# signals: of task custom only
fixtures: {path: fixtures/digits, label: y}
attacks: [margin, threshold, loss]
splits: {support: 0.1, calibration: 0.2, evaluation: 0.7}
budgets:
  - {metric: tpr_at_fpr, fpr: 0.01, max: 0.10}
  - metric: tnr_at_fnr
    fnr: 0.01
    max: 0.10
  - {metric: log_mia, regime: a, max: 0.35}
  - {metric: auc, max: 0.60, attacks: [loss, margin], warn_at: 0.55}
  - {metric: advantage, max: 0.2}
statistics:
  confidence: 0.9
  seed: 7
  on_inconclusive: {warn_until: 2027-03-31, reason: "fixtures are growing"}
limits: {seconds: 900}
"""


@pytest.fixture(autouse=True)
def _no_overrides(monkeypatch):
    for name in ("MODEL", "FIXTURES", "DEVICE", "ROOTS"):
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)


@pytest.fixture
def project(tmp_path):
    directory = tmp_path / "project"
    (directory / "lib").mkdir(parents=True)
    return directory


def write(directory, content=MINIMAL):
    path = directory / "privacy_gate.yaml"
    path.write_text(content)
    return path


def test_defaults(project):
    config = load_config(write(project))
    assert config.name == "project"
    assert config.path == project / "privacy_gate.yaml"
    assert config.directory == config.root == project
    assert config.python_path == (project,)
    assert config.model_path == project / "model.onnx"
    assert config.fixtures_path == project / "data"
    assert config.sha256 == hashlib.sha256(MINIMAL.encode()).hexdigest()
    assert (config.task, config.signals, config.attacks) == (
        "classification",
        None,
        ("threshold", "few-shot"),
    )
    splits = config.splits
    assert (splits.support, splits.calibration, splits.evaluation) == (0.15, 0.25, 0.60)
    statistics = config.statistics
    assert (statistics.confidence, statistics.seed) == (0.95, 0)
    assert statistics.on_inconclusive == "fail"
    assert config.limits.seconds is None
    model = config.model
    assert (model.device, model.precision, model.batch_size) == ("auto", "float32", "auto")
    assert (model.trust, model.output.kind, model.output.name) == ("weights", "auto", None)
    assert config.overrides == ()


def test_every_key_of_the_grammar(project):
    config = load_config(write(project, FULL))
    model = config.model
    assert model.sha256 == "abcdef0123456789" * 4
    assert model.kwargs == {"classes": 10, "pretrained": None, "sizes": [1, 2.5, "x"]}
    assert model.labels.order == ("healthy", "tumour")
    assert (model.preprocess.mean, model.preprocess.std) == ((0.5,), (1.0,))
    assert model.expected.tolerance == 0.03
    assert (model.batch_size, model.device, model.inputs) == (64, "cuda:1", {"pixel_values": "x"})
    assert config.python_path == (project, project / "lib")
    assert config.fixtures.label == "y"
    assert config.statistics.on_inconclusive.warn_until == datetime.date(2027, 3, 31)
    assert [budget.metric_key for budget in config.budgets] == [
        Metric("tpr_at_fpr", 0.01),
        Metric("tnr_at_fnr", 0.01),
        Metric("log_mia", "a"),
        Metric("auc"),
        Metric("advantage"),
    ]
    assert config.budgets[3].warn_at == 0.55


def test_suites_expand_in_order_without_duplicates(project):
    config = load_config(write(project, FULL))
    assert config.attack_names == (
        "margin", "loss", "confidence", "entropy", "modified-entropy", "correctness",
    )  # fmt: skip
    assert config.terms.singly == ("margin", "loss")
    assert config.attacks_for(config.budgets[3]) == ("margin", "loss")
    assert config.attacks_for(config.budgets[0]) == config.attack_names


def test_positions_of_keys_values_and_what_is_absent(project, monkeypatch):
    monkeypatch.chdir(project)
    config = load_config(write(project, FULL))
    assert config.line_of("budgets", 0) == 28
    assert config.line_of("budgets", 1) == 29
    assert config.line_of("budgets", 1, "max") == 31
    assert config.line_of("budgets", 4) == 34
    assert config.location("model", "path") == "privacy_gate.yaml:6:9"
    assert config.location("model") == "privacy_gate.yaml:4:1"
    assert config.location("limits", "absent") == "privacy_gate.yaml:39:1"
    assert config.location("absent") == "privacy_gate.yaml:1:1"
    monkeypatch.chdir(project.parent)
    below = load_config("project/privacy_gate.yaml")
    assert below.location("model") == "project/privacy_gate.yaml:4:1"
    assert below.model_path == config.model_path


@pytest.mark.parametrize("git", ["directory", "file"])
def test_the_root_is_the_git_top_level(tmp_path, git):
    directory = tmp_path / "gate" / "digits"
    directory.mkdir(parents=True)
    if git == "directory":
        (tmp_path / ".git").mkdir()
    else:
        (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    content = MINIMAL.replace("model.onnx", "../../models/m.onnx").replace("data", "../data")
    config = load_config(write(directory, content))
    assert config.root == tmp_path
    assert config.model_path == tmp_path / "models" / "m.onnx"
    with pytest.raises(ConfigError, match="lies outside the project"):
        load_config(write(directory, MINIMAL.replace("model.onnx", "../../../m.onnx")))


def test_a_symbolic_link_may_not_leave_the_project(project):
    (project / "link").symlink_to(project.parent)
    with pytest.raises(ConfigError, match=r"model\.path: 'link/m' lies outside the project"):
        load_config(write(project, MINIMAL.replace("model.onnx", "link/m")))
    (project / "inner").symlink_to("lib")
    config = load_config(write(project, MINIMAL.replace("model.onnx", "inner/m")))
    assert config.model_path == project / "lib" / "m"


def test_a_sibling_whose_name_begins_alike_is_outside(project):
    with pytest.raises(ConfigError, match="lies outside the project"):
        load_config(write(project, MINIMAL.replace("data", "../project-data")))


def test_roots_allowed_by_argument_and_environment(project, tmp_path, monkeypatch):
    for name in ("models", "records", "other"):
        (tmp_path / name).mkdir()
    outside = MINIMAL.replace("model.onnx", "../models/m").replace("data", f"{tmp_path}/records/d")
    path = write(project, outside)
    with pytest.raises(ConfigError) as caught:
        load_config(path, allow_roots=[tmp_path / "models"])
    assert "fixtures" in str(caught.value)
    assert "model.path" not in str(caught.value)
    config = load_config(path, allow_roots=[tmp_path / "models", tmp_path / "records"])
    assert config.fixtures_path == tmp_path / "records" / "d"
    roots = os.pathsep.join([str(tmp_path / "models"), "", str(tmp_path / "records")])
    monkeypatch.setenv("PRIVACY_GATE_ROOTS", roots)
    assert load_config(path).model_path == tmp_path / "models" / "m"


@pytest.mark.parametrize("root", ["", "missing", "a\0b"])
def test_an_allowed_root_must_be_a_directory(project, root):
    with pytest.raises(UsageError, match="is not a directory"):
        load_config(write(project), allow_roots=[root])


def test_arguments_win_over_the_environment_over_the_file(project, monkeypatch):
    path = write(project)
    monkeypatch.chdir(project / "lib")
    monkeypatch.setenv("PRIVACY_GATE_MODEL", "/elsewhere/env.onnx")
    monkeypatch.setenv("PRIVACY_GATE_DEVICE", "cpu")
    monkeypatch.setenv("PRIVACY_GATE_FIXTURES", "")
    config = load_config(path, model=Path("argument.onnx"))
    assert config.model_path == project / "lib" / "argument.onnx"
    assert config.model.path == "argument.onnx"
    assert config.model.device == "cpu"
    assert config.fixtures_path == project / "data"
    assert list(config.overrides) == [
        {
            "key": "model.path",
            "from": "model.onnx",
            "to": "argument.onnx",
            "source": "argument",
        },
        {"key": "model.device", "from": None, "to": "cpu", "source": "environment"},
    ]
    assert load_config(path).model_path == Path("/elsewhere/env.onnx")


def test_an_override_may_stand_in_for_a_missing_key(project, monkeypatch):
    content = "version: 1\nmodel: {format: onnx}\nbudgets: [{metric: auc, max: 0.6}]\n"
    path = write(project, content)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    for name in ("model.path", "--model", "PRIVACY_GATE_MODEL", "fixtures.path", "--fixtures"):
        assert name in str(caught.value)
    monkeypatch.setenv("PRIVACY_GATE_FIXTURES", "/data")
    config = load_config(path, model="/m.onnx")
    assert (config.model_path, config.fixtures_path) == (Path("/m.onnx"), Path("/data"))
    assert config.fixtures.path == "/data"
    assert [record["from"] for record in config.overrides] == [None, None]


def test_a_pin_in_the_file_survives_an_override(project):
    content = MINIMAL.replace("model.onnx", f"model.onnx, sha256: {'a1' * 32}")
    assert load_config(write(project, content), model="/other").model.sha256 == "a1" * 32


def test_a_bare_fixture_path_is_recorded_when_overridden(project):
    config = load_config(write(project), fixtures="/data")
    assert config.overrides[0] == {
        "key": "fixtures.path",
        "from": "data",
        "to": "/data",
        "source": "argument",
    }


def test_an_overridden_path_of_the_file_must_still_be_allowed(project):
    with pytest.raises(ConfigError, match="outside"):
        load_config(write(project, MINIMAL.replace("model.onnx", "/m")), model="/m")


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"model": ""}, "--model"),
        ({"fixtures": ""}, "--fixtures"),
        ({"device": ""}, "--device"),
        ({"device": "gpu"}, "--device"),
        ({"device": "cuda:x"}, "--device"),
        ({"model": "a\0b"}, "--model"),
    ],
)
def test_an_argument_that_cannot_be_used_is_named(project, arguments, where):
    with pytest.raises(UsageError) as caught:
        load_config(write(project), **arguments)
    assert caught.value.location == where


def test_an_unusable_variable_is_named(project, monkeypatch):
    monkeypatch.setenv("PRIVACY_GATE_DEVICE", "tpu")
    with pytest.raises(UsageError, match="PRIVACY_GATE_DEVICE: Unknown device 'tpu'"):
        load_config(write(project))


def test_a_configuration_is_frozen_and_can_be_sent_to_another_process(project):
    config = load_config(write(project, FULL))
    with pytest.raises(AttributeError):
        config.name = "other"
    with pytest.raises(ValueError, match="frozen"):
        config.model.device = "cpu"
    copy = pickle.loads(pickle.dumps(config))
    assert copy.settings == config.settings
    assert copy.line_of("budgets", 1) == 29


def test_a_byte_order_mark_windows_lines_and_quoted_dates_are_fine(project):
    content = FULL.replace("2027-03-31", "'2027-03-31'").replace("\n", "\r\n")
    path = project / "privacy_gate.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + content.encode())
    config = load_config(path)
    assert config.line_of("budgets", 1) == 29
    assert config.statistics.on_inconclusive.warn_until == datetime.date(2027, 3, 31)


def test_third_party_attacks_are_known_without_importing_them(project, monkeypatch):
    targets = {"loss": "privacy_gate.attacks.threshold:LOSS", "theirs": "no_such_module:THEIRS"}
    monkeypatch.setattr("privacy_gate.registry.attack_targets", lambda: targets)
    config = load_config(write(project, MINIMAL + "attacks: [theirs]\n"))
    assert config.attack_names == ("theirs",)


def test_attacks_of_task_custom_are_the_names_of_the_signals(project):
    custom = "task: custom\nsignals: 'gate:signals'\nattacks: [loss, my-signal_2]\n"
    restricted = MINIMAL.replace("0.6", "0.6, attacks: [my-signal_2]")
    config = load_config(write(project, restricted + custom))
    assert (config.task, config.signals) == ("custom", "gate:signals")
    assert config.attack_names == ("loss", "my-signal_2")
    assert config.attacks_for(config.budgets[0]) == ("my-signal_2",)
