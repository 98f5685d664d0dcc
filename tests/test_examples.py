"""The worked examples, each run in small as its first lines say, by a user with an empty clone."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fixture_sets import KEY

EXAMPLES = Path(__file__).parent.parent / "examples"
SMALLER = {"pytorch": "--epochs 10", "lightning": "--epochs 10", "images": "--images 1600"}


def commands(directory: Path) -> list[str]:
    """The commands in the training script's docstring, one a line."""
    text = (directory / "train.py").read_text().split('"""')[1].replace("\\\\\n", "")
    return re.findall(r"^ *((?:python|privacy-gate) .*)$", text, re.MULTILINE)


def run(directory: Path, line: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(line)
    installed = str(Path(sys.executable).with_name("privacy-gate"))
    known = {"python": sys.executable, "privacy-gate": installed}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PRIVACY_GATE")}
    return subprocess.run(
        [known[program], *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        env={**environment, "OMP_NUM_THREADS": "1", "PRIVACY_GATE_KEY": KEY.hex()},
    )


@pytest.mark.parametrize("name", ["pytorch", "lightning", "sklearn_onnx", "images"])
def test_an_example_ends_in_a_pass_with_membership_verified(tmp_path, name):
    directory = tmp_path / name
    shutil.copytree(EXAMPLES / name, directory)
    (directory / ".git").mkdir()  # a project of its own
    lines = commands(directory)
    assert len(lines) <= 5
    assert len((directory / "privacy_gate.yaml").read_text().splitlines()) <= 15
    for number, line in enumerate(lines):
        done = run(directory, f"{line} {SMALLER.get(name, '')}" if number == 0 else line)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert "PASS" in done.stdout
    assert "verified: training wrote a receipt" in done.stdout
    assert "declared, not verified" not in done.stdout
