"""What records by reference cost: 50 000 image files, read, hashed, decoded, judged.

    OMP_NUM_THREADS=1 python benchmarks/reference_cost.py [--images 50000]

PNG files of 32×32×3 through a CNN of three 3×3 convolutions (32, 64, 128). The bare loop reads and
decodes the same files and keeps the logits; the gate runs without its cache. Printed: CPU seconds
of the loop, of the gate until all files are verified and answered, and until there is a verdict
(statistics, calibration errors, the overconfidence audit and its own records, as for any fixtures);
how much resident memory grows beyond that of the loop; and how files that were removed, renamed or
altered are named.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import io
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from privacy_gate.cache import OFF
from privacy_gate.config import Config, load_config
from privacy_gate.errors import FixtureError
from privacy_gate.fixtures import build_from_sides
from privacy_gate.fixtures.index import read_index, reference_entry
from privacy_gate.gate import run_prepared
from privacy_gate.preparation import prepare

CLASSES = 4
CONFIG = """
version: 1
name: reference-cost
model:
  format: torch
  path: model.safetensors
  factory: reference_model:build
  preprocess: {scale: 0.00392156862745098, layout: NCHW}
  batch_size: 256
fixtures: {path: fixtures, root: data}
attacks: [threshold]
budgets: [{metric: auc, max: 0.6}]
"""
FACTORY = """
from torch import nn

def build():
    widths, layers = (3, 32, 64, 128), []
    for inside, outside in zip(widths, widths[1:]):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 4 * 4, 4))
"""


def write_project(folder: Path, images: int) -> nn.Module:
    """Files, labels that the untrained model gives them, an index of each side, a configuration."""
    namespace: dict = {}
    exec(FACTORY, namespace)
    torch.manual_seed(0)
    model: nn.Module = namespace["build"]().eval()
    random = np.random.default_rng(0)
    with torch.inference_mode():  # an untrained network favours one class: centre its logits
        model[-1].bias -= model(torch.rand(2048, 3, 32, 32)).mean(0)
    for side in ("members", "nonmembers"):
        rows = []
        for start in range(0, images // 2, 250):
            pixels = random.integers(0, 256, (250, 32, 32, 3), dtype=np.uint8)
            with torch.inference_mode():
                labels = model(tensor(pixels)).argmax(1).tolist()
            (folder / "data" / side / str(start)).mkdir(parents=True)
            for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
                name = f"{side}/{start}/{number}.png"
                Image.fromarray(image).save(folder / "data" / name, compress_level=1)
                rows.append((name, label))
        with (folder / f"{side}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("path", "y"), *rows])
    indexes = [
        read_index(folder / f"{side}.csv", folder / "data", location="path", columns=["y"])
        for side in ("members", "nonmembers")
    ]
    entry = reference_entry(indexes[0], folder / "data", location="path", loader=None)
    build_from_sides(
        *indexes,
        folder / "fixtures",
        label="y",
        identifier="path",
        classes=CLASSES,
        root=folder,
        public_key=True,
        reference=entry,
    )
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "reference_model.py").write_text(FACTORY)
    (folder / "privacy_gate.yaml").write_text(CONFIG)
    return model


def tensor(pixels: np.ndarray) -> torch.Tensor:
    """As torchvision's ToTensor gives it: channels first, contiguous, in 0..1."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255


def bare_loop(folder: Path, model: nn.Module, batch: int = 256) -> list[np.ndarray]:
    """Decode and forward, nothing else."""
    logits = []
    with torch.inference_mode():
        for side in ("members", "nonmembers"):
            with (folder / f"{side}.csv").open() as stream:
                names = [row["path"] for row in csv.DictReader(stream)]
            for start in range(0, len(names), batch):
                images = []
                for name in names[start : start + batch]:
                    content = (folder / "data" / name).read_bytes()
                    with Image.open(io.BytesIO(content)) as image:
                        images.append(np.asarray(image))
                logits.append(model(tensor(np.stack(images))).numpy())
    return logits


class PeakMemory:
    """The growth of resident memory, in MB, while the block runs."""

    def __enter__(self) -> PeakMemory:
        self._start = self.peak = resident()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self.peak = max(self.peak, resident())

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.growth = (self.peak - self._start) / 2**20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def keep_freed_memory() -> None:
    """Let glibc keep what either loop frees. Giving large blocks back and taking them anew costs
    page faults, up to half of the CPU time, in whichever loop its heuristics happen to do it."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(-1, 2**30)  # M_TRIM_THRESHOLD
        libc.mallopt(-4, 0)  # M_MMAP_MAX


def gate(config: Config) -> tuple[float, float, float]:
    """CPU seconds of a run until all records are answered, and until its end; the growth of
    resident memory in MB."""
    start, answered = time.process_time(), []

    def progress(done: int, records: int) -> None:
        if done == records:
            answered.append(time.process_time() - start)

    prepared = prepare(config, cache=OFF)
    with PeakMemory() as memory:
        run_prepared(prepared, progress)
    return answered[0], time.process_time() - start, memory.growth


def spoil(folder: Path, images: int) -> dict[str, int]:
    """Remove, rename and alter files; what was done -> how many."""
    names = [line.split(",")[0] for line in (folder / "members.csv").read_text().splitlines()[1:]]
    for name in names[100:110]:
        (folder / "data" / name).unlink()
    for name in names[500:505]:
        (folder / "data" / name).rename(folder / "data" / f"{name}.moved")
    for name in names[1000:1012]:
        path = folder / "data" / name
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    return {"missing": 15, "altered": 12}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_project(folder, options.images)
        config = load_config(folder / "privacy_gate.yaml")
        bare_loop(folder, model)  # both once, to warm the page cache and to import what they need
        _, _, growth = gate(config)
        for _ in range(options.repeats):
            clock = time.process_time()
            bare_loop(folder, model)
            bare = time.process_time() - clock
            answered, judged, _ = gate(config)
            print(
                f"bare {bare:.1f} CPU s; answered {answered:.1f}: {answered / bare:.2f} x;"
                f" judged {judged:.1f}: {judged / bare:.2f} x"
            )
        print(f"+{growth:.0f} MB")
        done = spoil(folder, options.images)
        try:
            run_prepared(prepare(config, cache=OFF))
        except FixtureError as error:
            print(f"spoiled {done}: {error.message}")


if __name__ == "__main__":
    main()
