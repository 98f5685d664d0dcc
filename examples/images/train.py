"""An image pipeline: 12 000 files that never enter the repository.

    python train.py
    privacy-gate fixtures build --reference --from data/images.csv --root data --rate 0.5 \\
        --label label --id path -o fixtures
    privacy-gate run

The fixtures are an index of paths and hashes; ``fixtures.root`` says where the files are on the
machine at hand.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from images_net import build
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from privacy_gate.holdout import Holdout, Receipt

CLASSES = 4


def write_images(count: int) -> list[tuple[str, int]]:
    """Made-up photographs (16 × 16, colour): a class is a colour, with a lot of noise."""
    random = np.random.default_rng(0)
    colours = random.uniform(60, 190, (CLASSES, 3))
    rows = []
    for number in range(count):
        label = int(random.integers(CLASSES))
        pixels = random.normal(colours[label], 60, (16, 16, 3)).clip(0, 255).astype(np.uint8)
        path = Path("data") / f"{number // 1000:03}" / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        rows.append((path.relative_to("data").as_posix(), label))
    with Path("data/images.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label"), *rows])
    return rows


def read(name: str) -> torch.Tensor:
    with Image.open(Path("data") / name) as image:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(0)

    holdout, receipt = Holdout(rate=0.5), Receipt()
    rows = write_images(options.images)
    kept = [(name, label) for name, label in rows if not holdout.is_left_out(name)]
    model = build(CLASSES)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(options.epochs):
        for rows_of_batch in torch.randperm(len(kept)).split(128):
            batch = [kept[row] for row in rows_of_batch.tolist()]
            images = torch.stack([read(name) for name, _ in batch])
            labels = torch.tensor([label for _, label in batch])
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
            receipt.saw([name for name, _ in batch])  # batch by batch; repeats do no harm
    Path("models").mkdir(exist_ok=True)
    save_file(model.state_dict(), "models/candidate.safetensors")
    receipt.write("models/receipt.safetensors", model="models/candidate.safetensors")


if __name__ == "__main__":
    main()
