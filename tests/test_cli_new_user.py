"""From training data to a verdict, the way a new user would go, with the commands as documented."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from gate_project import colours, write_module

from privacy_gate.cli import main

NETWORK = """
from torch import nn


def build(width=16):
    return nn.Sequential(nn.Flatten(), nn.Linear(192, width), nn.ReLU(), nn.Linear(width, 4))
"""
CONFIG = """
version: 1
name: first
model:
  format: torch
  path: candidate.pt
  factory: {module}:build
  kwargs: {{width: {width}}}
  preprocess: {{scale: 0.00392156862745098, mean: [0.45], std: [0.2]}}
fixtures: {{path: fixtures/first, label: {label}}}
attacks: [threshold]
budgets:
  - {{metric: tpr_at_fpr, fpr: 0.05, max: 0.20}}
  - {{metric: tnr_at_fnr, fnr: 0.05, max: 0.20}}
  - {{metric: auc, max: 0.65}}
"""


def invoke(*arguments, code=0):
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def training_data(tmp_path, monkeypatch):
    """A project with data to train on, as the working directory. ``noise`` are random labels."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("MODEL", "FIXTURES", "DEVICE", "ROOTS", "KEY"):
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)
    columns = colours(2000, 3)
    random = np.random.default_rng(4)
    grain = random.integers(-60, 61, columns["x"].shape)  # something to remember an image by
    columns["x"] = np.clip(columns["x"] + grain, 0, 255).astype(np.uint8)
    columns["noise"] = np.where(
        random.random(2000) < 0.3, columns["y"], random.integers(0, 4, 2000)
    )
    np.savez(tmp_path / "data.npz", **columns)
    return tmp_path


def train(width, label, steps, decay):
    """Train on exactly the records that ``fixtures build`` said to train on."""
    import torch
    from torch import nn

    members = np.load("fixtures/first/members.npz")
    x = (torch.from_numpy(members["x"]).float() / 255 - 0.45) / 0.2
    y = torch.from_numpy(members[label]).long()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, width), nn.ReLU(), nn.Linear(width, 4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=decay)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    torch.save(model.state_dict(), "candidate.pt")


@pytest.mark.parametrize(
    ("label", "width", "steps", "decay", "code"),
    [("y", 8, 60, 1.0, 0), ("noise", 128, 150, 0.0, 1)],
)
def test_from_training_data_to_a_verdict(training_data, label, width, steps, decay, code):
    said = invoke(
        *[
            "fixtures",
            "build",
            "--from",
            "data.npz",
            "--rate",
            "0.5",
            "--label",
            "y",
            "--label",
            "noise",
        ],
        *["-o", "fixtures/first"],
    )
    assert "Train on exactly the" in said
    assert "PRIVACY_GATE_KEY" in said
    assert "ok" in invoke("fixtures", "verify", "fixtures/first").lower()

    train(width, label, steps, decay)
    module = write_module(training_data, NETWORK)
    settings = CONFIG.format(module=module, width=width, label=label)
    (training_data / "privacy_gate.yaml").write_text(settings)
    text = invoke("run", "--output", "reports", code=code)
    assert text.splitlines()[0].endswith("FAIL" if code else "PASS")

    content = json.loads((training_data / "reports" / "report.json").read_text())
    assert content["fixtures"]["assignment"] == "randomized"
    assert content["fixtures"]["training_records"] == content["fixtures"]["members"]
    assert content["complete"]
    key = (training_data / ".privacy_gate" / "key").read_text().strip()
    assert key not in json.dumps(content) + text


def test_without_the_key_there_is_no_verdict(training_data):
    invoke(
        *[
            "fixtures",
            "build",
            "--from",
            "data.npz",
            "--label",
            "y",
            "--label",
            "noise",
            "-o",
            "fixtures/first",
        ]
    )
    module = write_module(training_data, NETWORK)
    settings = CONFIG.format(module=module, width=8, label="y")
    (training_data / "privacy_gate.yaml").write_text(settings)
    (training_data / ".privacy_gate" / "key").unlink()
    text = invoke("run", code=2)
    assert "PRIVACY_GATE_KEY" in text
