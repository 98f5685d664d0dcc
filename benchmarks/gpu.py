"""Records per second on a CUDA device, the gate's stream against a bare loop, in one run.

    python benchmarks/gpu.py            # says so and exits with 2 where there is no CUDA device

The project of ``run_cost.py`` with batches of 1 024, float32. The bare loop reads the same
memory-mapped files, moves each batch to the device and brings the logits back.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from run_cost import make_project

from privacy_gate.config import load_config
from privacy_gate.gate import run_prepared
from privacy_gate.preparation import prepare

RECORDS = 50_000
REPEATS = 5


def bare_loop(folder: Path, model: torch.nn.Module, batch: int = 1024) -> None:
    """The forward pass alone."""
    with torch.inference_mode():
        for side in ("members", "nonmembers"):
            x = np.load(folder / "fixtures" / side / "x.npy", mmap_mode="r")
            for start in range(0, len(x), batch):
                rows = torch.from_numpy(np.array(x[start : start + batch])).to("cuda")
                model(rows).cpu().numpy()


def seconds(action) -> float:
    """Wall-clock seconds of an action whose work is finished when it returns."""
    clock = time.perf_counter()
    action()
    return time.perf_counter() - clock


def main() -> None:
    """Print a small table."""
    if not torch.cuda.is_available():
        print("no CUDA device: nothing measured", file=sys.stderr)
        sys.exit(2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = load_config(make_project(folder, RECORDS, small=False), device="cuda")
        model = config.load_callable("cost_model:build")(small=False)
        model.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
        model.eval().to("cuda")
        bare_loop(folder, model)
        rates, ratios = [], []
        for _ in range(REPEATS):
            bare = seconds(lambda: bare_loop(folder, model))
            forward = run_prepared(prepare(config, cache="off")).timing["forward"]
            rates.append((2 * RECORDS / bare, 2 * RECORDS / forward))
            ratios.append(forward / bare)
    bare_rate, gate_rate = (statistics.median(column) for column in zip(*rates, strict=True))
    print(f"{torch.cuda.get_device_name()}, {2 * RECORDS} records, median of {REPEATS}")
    print(f"| bare loop | {bare_rate:,.0f} records/s |")
    print(f"| run, forward and signals | {gate_rate:,.0f} records/s |")
    print(f"| ratio of the times | {statistics.median(ratios):.3f} |")


if __name__ == "__main__":
    main()
