"""Nothing that an order of rows or a size of batches changes may change a verdict."""

from __future__ import annotations

import hashlib
import json
import re

import numpy as np
import pytest
from plugin_project import DIGITS, QUICK, verdicts

import privacy_gate

CONFIGURATIONS = sorted(path.name for path in DIGITS.glob("*.yaml"))
GATE = ("--privacy-gate", "--privacy-gate-report=report")


def shuffle_rows(folder):
    """Permute the rows of both sides and say so in the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    random = np.random.default_rng(7)
    for side in ("members", "nonmembers"):
        path = folder / f"{side}.npz"
        columns = dict(np.load(path))
        order = random.permutation(len(columns["y"]))
        assert not np.array_equal(columns["x"], columns["x"][order])
        np.savez(path, **{name: column[order] for name, column in columns.items()})
        entry = manifest["sides"][side]["files"][0]
        entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_shuffled_rows_give_the_same_counts_and_verdicts(project):
    project.bundled("leaky.yaml", attacks=QUICK)
    path = project.path / "privacy_gate.yaml"
    path.write_text(path.read_text().replace("model:\n", "model:\n  batch_size: 64\n"))
    project.run(*GATE)
    before = project.report()
    shuffle_rows(project.path)
    project.run(*GATE)
    after = project.report()
    assert before["fixtures"]["sha256"] != after["fixtures"]["sha256"]
    assert before["fixtures"]["evaluation"] == after["fixtures"]["evaluation"]
    assert [check["counts"] for check in before["checks"]] == [
        check["counts"] for check in after["checks"]
    ]
    assert before["checks"] == after["checks"]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_another_batch_size_moves_no_verdict(project, name):
    project.bundled(name, attacks=QUICK)
    path = project.path / "privacy_gate.yaml"
    usual = privacy_gate.run(path).to_dict()
    path.write_text(re.sub(r"^model:\n", "model:\n  batch_size: 7\n", path.read_text(), flags=re.M))
    odd = privacy_gate.run(path).to_dict()
    assert (usual["model"]["batch_size"], odd["model"]["batch_size"]) == (256, 7)
    assert verdicts(usual) == verdicts(odd)
    assert usual["verdict"] == odd["verdict"]
