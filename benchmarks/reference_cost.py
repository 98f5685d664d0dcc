"""What records by reference cost: 50 000 image files, read, hashed, decoded, judged.

    OMP_NUM_THREADS=1 python benchmarks/reference_cost.py [--images 50000]

PNG files of 32×32×3 through a CNN of three 3×3 convolutions (32, 64, 128). The bare loop reads and
decodes the same files and keeps the logits. Printed: CPU seconds of both and their ratio, how much
resident memory grows while records stream, and how files that were removed, renamed or altered are
named.
"""

from __future__ import annotations

import argparse
import csv
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

from privacy_gate.config import load_config
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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_project(folder, options.images)
        config = load_config(folder / "privacy_gate.yaml")
        bare_loop(folder, model)  # warms the page cache and the allocator
        rows = []
        for _ in range(options.repeats):
            clock = time.process_time()
            bare_loop(folder, model)
            bare = time.process_time() - clock
            clock = time.process_time()
            prepared = prepare(config)
            with PeakMemory() as memory:
                run_prepared(prepared)
            rows.append((bare, time.process_time() - clock, memory.growth))
        for bare, gate, growth in rows:
            print(f"bare {bare:.1f}, gate {gate:.1f} CPU s: {gate / bare:.2f} x, +{growth:.0f} MB")
        done = spoil(folder, options.images)
        try:
            run_prepared(prepare(config))
        except FixtureError as error:
            print(f"spoiled {done}: {error.message}")


if __name__ == "__main__":
    main()
