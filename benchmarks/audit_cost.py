"""What the audits cost: CPU time of a run with them against one without, on the bundled digits.

    OMP_NUM_THREADS=1 python benchmarks/audit_cost.py [--repeats 5]

The audits are the fixture checks, the overconfidence audit (five transforms and the built-in
generator) and the calibration lens. Each run is a process of its own, as in CI; ``cached`` runs
find what earlier runs kept, ``uncached`` ones start from nothing. Printed: the median CPU seconds
of each kind and their ratios.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

DIGITS = Path(__file__).parents[1] / "fixtures" / "digits"
WITHOUT = """
import sys
from unittest.mock import patch
import numpy as np
from privacy_gate import gate
from privacy_gate.fixture_checks.running import ModelFree

nothing = ModelFree((), np.empty(0, np.int64), np.empty(0))
with patch.object(gate, "without_model", lambda prepared: nothing), patch.object(
    gate, "with_model", lambda *arguments: ()
):
    from privacy_gate.cli import main
    main(sys.argv[1:])
"""
"""Runs the command with no fixture check; the configuration switches the other audits off."""


def cpu_seconds(command: list[str]) -> float:
    """CPU seconds of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        digits = Path(folder) / "digits"
        shutil.copytree(DIGITS, digits)
        whole = digits / "private.yaml"
        bare = digits / "bare.yaml"
        text = whole.read_text(encoding="utf-8").replace(
            "overconfidence: {generator: builtin}",
            "overconfidence: {transforms: []}\ncalibration_lens: false",
        )
        bare.write_text(text, encoding="utf-8")
        plain = [sys.executable, "-c", "from privacy_gate.cli import main; main()"]
        kinds = {
            "with audits, cached": [*plain, "run", str(whole), "--cache", folder + "/a"],
            "without, cached": [
                sys.executable,
                "-c",
                WITHOUT,
                "run",
                str(bare),
                "--cache",
                folder + "/b",
            ],
            "with audits, uncached": [*plain, "run", str(whole), "--no-cache"],
            "without, uncached": [sys.executable, "-c", WITHOUT, "run", str(bare), "--no-cache"],
        }
        for command in list(kinds.values())[:2]:
            cpu_seconds(command)  # fills the cache
        found: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(repeats):
            for name, command in kinds.items():
                found[name].append(cpu_seconds(command))
    medians = {name: statistics.median(values) for name, values in found.items()}
    for name, value in medians.items():
        print(f"{name:<24} {value:6.2f} CPU s")
    for kind in ("cached", "uncached"):
        ratio = medians[f"with audits, {kind}"] / medians[f"without, {kind}"]
        print(f"{kind}: {ratio:.2f} x")


if __name__ == "__main__":
    main()
