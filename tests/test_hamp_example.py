"""The worked example of HAMP, in small: the wrapper hides scores and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from fixture_sets import KEY

EXAMPLE = Path(__file__).parent.parent / "examples" / "hamp"


def shell(directory: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line as it is typed; a fixed key keeps the numbers the same."""
    known = {k: v for k, v in os.environ.items() if not k.startswith("PRIVACY_GATE")}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{known['PATH']}"
    return subprocess.run(
        line,
        shell=True,
        cwd=directory,
        capture_output=True,
        text=True,
        env={**known, "PATH": programs, "OMP_NUM_THREADS": "1", "PRIVACY_GATE_KEY": KEY.hex()},
    )


def reports(directory: Path) -> dict[str, dict]:
    """The reports of a run by the names of their configurations."""
    found = [json.loads(path.read_text()) for path in directory.rglob("report.json")]
    flat = [report for one in found for report in one.get("reports", [one])]
    return {report["name"]: report for report in flat}


def auc(report: dict, attack: str) -> float:
    return next(one for one in report["attacks"] if one["name"] == attack)["auc"]["estimate"]


def test_the_example_shows_what_the_wrapper_hides(tmp_path):
    directory = tmp_path / "hamp"
    shutil.copytree(EXAMPLE, directory)
    (directory / ".git").mkdir()  # a project of its own
    text = (EXAMPLE / "train.py").read_text()
    train, build, run = re.findall(r"^ +((?:python|privacy-gate) .*)$", text, re.MULTILINE)
    assert text.count("# (") <= 5  # lines that differ from an undefended training
    for line in (f"{train} --epochs 40", build):
        done = shell(directory, line)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    done = shell(directory, run)
    assert done.returncode in (1, 3), f"{done.stdout}\n{done.stderr}"

    found = reports(directory / "report")
    names = ("undefended", "deployed", "behind", "labels")
    undefended, deployed, behind, labels = (found[f"hamp-{name}"] for name in names)
    assert deployed["verdict"] == "pass"
    assert deployed["model"]["accuracy"] == behind["model"]["accuracy"]
    assert auc(deployed, "correctness") == auc(behind, "correctness") == auc(labels, "correctness")
    for attack in ("loss", "confidence"):
        assert auc(deployed, attack) < auc(behind, attack) - 0.02
        assert auc(deployed, attack) < auc(undefended, attack)
