"""A project for pytest to run in: the bundled digits, small configurations, and what came out."""

from __future__ import annotations

import copy
import json
import shutil
import sys
from pathlib import Path

import yaml

DIGITS = Path(__file__).parents[1] / "fixtures" / "digits"
AUC = {"metric": "auc", "max": 0.65}
LOG_MIA = {"metric": "log_mia", "regime": "a", "max": 0.35}
SMALL = {
    "version": 1,
    "name": "digits",
    "model": {
        "format": "onnx",
        "path": "private.onnx",
        "output": {"name": "logits", "kind": "logits"},
        "preprocess": {"scale": 0.0625},
    },
    "fixtures": {"path": "."},
    "overconfidence": {"transforms": []},
    "calibration_lens": False,
    "attacks": ["loss", "correctness"],
    "budgets": [AUC, LOG_MIA],
}
"""Four checks, which the private candidate passes."""

SMALL_IDS = ["loss/auc", "correctness/auc", "loss/log_mia[a]", "correctness/log_mia[a]"]
LEAKY = {"model.path": "leaky.onnx", "fixtures.label": "canary"}
"""What makes all four checks fail."""

QUICK = ["threshold", "anchored-5", "simple-shot-5"]
"""The attacks of the bundled configurations but the slowest."""

UNDECIDED = {"budgets": [{"metric": "auc", "max": 0.55}], "attacks": ["loss"]}
"""The AUC of the private candidate is 0.529, at most 0.564."""

TORCH = {
    "model": {
        "format": "torch",
        "path": "private.safetensors",
        "factory": "counted:build",
        "kwargs": {"width": 32},
        "preprocess": {"scale": 0.0625},
    }
}
"""The private candidate in torch, which notes every process that opens it."""

COUNTED_INPUTS = {"model.preprocess": "counted:transform"}
"""The same numbers as in ``SMALL``, but every process that runs the model is noted."""

COUNTED = """
import os
import numpy
from digits_model import build as original

def note():
    with open("opened.txt", "a") as file:
        print(os.getpid(), file=file)

def build(width):
    note()
    return original(width)

def transform(x):
    note()
    return x.astype(numpy.float32) / 16
"""

LISTING = """
import sys
import pytest
code = pytest.main(sys.argv[1:])
with open("loaded.txt", "w") as file:
    print(*(name.partition(".")[0] for name in sys.modules), file=file)
sys.exit(code)
"""


class Project:
    """The directory that pytest is run in. ``pytester`` is pytest's own fixture."""

    def __init__(self, pytester):
        self.pytester = pytester
        self.path = pytester.path
        shutil.copytree(DIGITS, self.path, dirs_exist_ok=True)
        self.write("counted.py", COUNTED)

    def configure(self, file="privacy_gate.yaml", **changes):
        """Write the small configuration with changes, whose keys are dotted."""
        content = copy.deepcopy(SMALL)
        for key, value in changes.items():
            *sections, last = key.split(".")
            place = content
            for section in sections:
                place = place[section]
            place[last] = copy.deepcopy(value)
        path = self.path / file
        if path.parent != self.path:
            shutil.copytree(DIGITS, path.parent, dirs_exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None))
        return path

    def bundled(self, name, **changes):
        """Use a bundled configuration with changes of whole sections."""
        self.write("privacy_gate.yaml", bundled(name, **changes))

    def write(self, file, text):
        """Write a file of the project."""
        path = self.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *arguments, **options):
        """Run pytest in this process, which has the heavy libraries loaded."""
        return self.pytester.runpytest_inprocess(*arguments, **options)

    def collected(self, *arguments):
        """Node ids that pytest would run, in order."""
        result = self.run("--collect-only", "-q", *arguments)
        return [line for line in result.outlines if "::" in line]

    def run_process(self, *arguments):
        """Run pytest in a process of its own."""
        return self.pytester.runpytest_subprocess(*arguments)

    def opened(self):
        """The process of each call of ``counted``."""
        return (self.path / "opened.txt").read_text().split()

    def loads(self, *arguments):
        """Top-level modules that a process of pytest loads with no plugin but ours, and its exit
        code."""
        plugin = ("-p", "privacy_gate.pytest_plugin")
        result = self.pytester.run(sys.executable, "-c", LISTING, *plugin, *arguments)
        return set((self.path / "loaded.txt").read_text().split()), result.ret

    def report(self, folder="report"):
        """The report that ``--privacy-gate-report`` wrote."""
        return json.loads((self.path / folder / "report.json").read_text())


def verdicts(report):
    """Check id -> verdict."""
    return {check["id"]: check["verdict"] for check in report["checks"]}


def reproducible(report):
    """The report without what may differ between two runs of the same gate."""
    content = {key: value for key, value in report.items() if key not in ("run", "timing")}
    content["attacks"] = [
        {key: value for key, value in attack.items() if key != "seconds"}
        for attack in report["attacks"]
    ]
    return content


def bundled(name, **changes):
    """The text of a bundled configuration with changes of whole sections."""
    content = yaml.safe_load((DIGITS / name).read_text()) | changes
    return yaml.safe_dump(content, sort_keys=False)


def load_libraries(folder):
    """Load for good what a run of the gate loads: pytester forgets modules that were loaded while
    it was in use, and some can be loaded only once in a process."""
    import hypothesis  # noqa: F401  # its plugin loads it at the end of every session

    import privacy_gate
    import privacy_gate.pytest_fixture
    import privacy_gate.pytest_items
    import privacy_gate.report.json_report
    import privacy_gate.report.parse
    import privacy_gate.report.terminal

    path = list(sys.path)
    sys.modules.pop("digits_model", None)  # of another test of this process
    shutil.copytree(DIGITS, folder, dirs_exist_ok=True)
    for name in ("private.yaml", "private-onnx.yaml"):
        (folder / name).write_text(bundled(name, attacks=QUICK))
        privacy_gate.run(folder / name)
    sys.path[:] = path
    del sys.modules["digits_model"]  # each project has its own
