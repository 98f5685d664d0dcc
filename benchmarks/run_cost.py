"""What a run of the gate costs beside the bare forward pass, as ratios in one process.

    OMP_NUM_THREADS=1 python benchmarks/run_cost.py            # CPU time, about 5 minutes
    OMP_NUM_THREADS=1 python benchmarks/run_cost.py --memory   # growth of anonymous memory

20 000 records of 32×32×3 (10 000 a side, ``.npy``, float32, normalised) through a CNN of three 3×3
convolutions (32, 64, 128), each followed by 2×2 max-pooling, batch 256, one thread, median of 5.
The bare loop reads the same memory-mapped files and keeps the logits.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import nn

from privacy_gate.config import load_config
from privacy_gate.fixtures import build_from_sides
from privacy_gate.gate import run_prepared
from privacy_gate.preparation import prepare

CONFIG = """
version: 1
name: cost
model:
  format: torch
  path: model.pt
  factory: cost_model:build
  kwargs: {{small: {small}}}
  batch_size: 256
fixtures: {{path: fixtures}}
attacks: [threshold]
budgets:
  - {{metric: tpr_at_fpr, fpr: 0.01, max: 0.05}}
  - {{metric: tnr_at_fnr, fnr: 0.01, max: 0.05}}
  - {{metric: log_mia, regime: a, max: 0.35}}
  - {{metric: auc, max: 0.65}}
"""

FACTORY = """
from torch import nn

def build(small):
    if small:
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    widths, layers = (3, 32, 64, 128), []
    for inside, outside in zip(widths, widths[1:]):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 4 * 4, 10))
"""


def make_project(folder: Path, records: int, *, small: bool) -> Path:
    """Write fixtures of ``records`` a side, a model that beats guessing, and a configuration."""
    (folder / "cost_model.py").write_text(FACTORY)
    (folder / "privacy_gate.yaml").write_text(CONFIG.format(small=str(small).lower()))
    random = np.random.default_rng(0)
    namespace: dict = {}
    exec(FACTORY, namespace)
    torch.manual_seed(0)
    model: nn.Module = namespace["build"](small).eval()
    with torch.inference_mode():  # an untrained network favours one class: centre its logits
        model[-1].bias -= model(torch.randn(512, 3, 32, 32)).mean(0)
    sides = {}
    for side in ("members", "nonmembers"):
        x = random.standard_normal((records, 3, 32, 32), dtype=np.float32)
        with torch.inference_mode():
            y = np.concatenate(
                [model(torch.from_numpy(part)).argmax(1).numpy() for part in np.split(x, 20)]
            )
        sides[side] = {"x": x, "y": y}
    build_from_sides(
        sides["members"],
        sides["nonmembers"],
        folder / "fixtures",
        label="y",
        classes=10,
        root=folder,
        file_format="npy",
        public_key=True,
    )
    torch.save(model.state_dict(), folder / "model.pt")
    return folder / "privacy_gate.yaml"


def bare_loop(folder: Path, model: nn.Module, batch: int = 256) -> list[np.ndarray]:
    """The forward pass alone, over the same files."""
    logits = []
    with torch.inference_mode():
        for side in ("members", "nonmembers"):
            x = np.load(folder / "fixtures" / side / "x.npy", mmap_mode="r")
            for start in range(0, len(x), batch):
                rows = torch.from_numpy(np.array(x[start : start + batch]))
                logits.append(model(rows).numpy())
    return logits


def cpu_seconds(action) -> float:
    """CPU seconds of the whole process while ``action`` runs."""
    clock = time.process_time()
    action()
    return time.process_time() - clock


def compare_time(repeats: int, records: int) -> None:
    """Print CPU seconds of both, and the median of the pairwise ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = make_project(folder, records, small=False)
        config = load_config(path)
        model = config.load_callable("cost_model:build")(small=False)
        model.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
        model.eval()
        bare_loop(folder, model)  # warms the page cache and the allocator
        rows = []
        for _ in range(repeats):
            preparing = time.process_time()
            prepared = prepare(config, cache="off")
            preparing = time.process_time() - preparing
            rows.append(
                (
                    cpu_seconds(lambda: bare_loop(folder, model)),
                    cpu_seconds(lambda prepared=prepared: run_prepared(prepared)),
                    preparing,
                )
            )
    bare, gate, preparing = (statistics.median(column) for column in zip(*rows, strict=True))
    ratio = statistics.median(row[1] / row[0] for row in rows)
    print(f"{2 * records} records, CPU seconds, median of {repeats}")
    print(f"| bare forward loop | {bare:.2f} |")
    print(f"| run: forward, signals, six attacks, statistics | {gate:.2f} |")
    print(f"| ratio | {ratio:.3f} |")
    print(f"| apart: verifying and hashing fixtures, splits | {preparing:.2f} |")


class AnonymousMemory:
    """The largest anonymous resident memory (RssAnon) seen while it is open, in MB."""

    def __enter__(self) -> AnonymousMemory:
        self.start = self.peak = self._now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self.peak = max(self.peak, self._now())

    @staticmethod
    def _now() -> float:
        status = Path("/proc/self/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
        return int(line.split()[1]) / 1024


def run_memory(path: Path) -> float:
    """MB of anonymous memory that a run takes at its peak, above where it started."""
    torch.set_num_threads(1)
    with AnonymousMemory() as memory:
        run_prepared(prepare(load_config(path), cache="off"))
    return memory.peak - memory.start


def in_fresh_process(function, *arguments, **options):
    """Call a function in a process that nothing else has used."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **options).result()


def compare_memory(sizes: tuple[int, int]) -> None:
    """Print the peak of anonymous memory of a run at both sizes, and the allowance for growth."""
    peaks = []
    for records in sizes:
        with tempfile.TemporaryDirectory() as name:
            path = in_fresh_process(make_project, Path(name), records // 2, small=True)
            peaks.append(in_fresh_process(run_memory, path))
            print(f"| {records} records | {peaks[-1]:.0f} MB above the start |")
    allowed = 16 * 8 * (sizes[1] - sizes[0]) / 2**20 + 200
    print(f"| growth | {peaks[1] - peaks[0]:.0f} MB, allowed {allowed:.0f} MB |")


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--records", type=int, default=10_000, help="a side")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory:
        compare_memory((10_000, 100_000))
    else:
        compare_time(arguments.repeats, arguments.records)


if __name__ == "__main__":
    main()
