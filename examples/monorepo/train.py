"""A repository of three models with common terms: data made up, models trained in seconds.

    python train.py
    privacy-gate fixtures build --from fraud/data.npz --label y --id account -o fraud/fixtures
    privacy-gate fixtures build --from digits/data.npz --label y --id scan -o digits/fixtures
    privacy-gate fixtures build --reference --from vision/data/images.csv --root vision/data \\
        --label label --id path -o vision/fixtures
    privacy-gate run */privacy_gate.yaml --output report

``python train.py --leak`` trains the fraud model again, so that it knows its records by heart.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from digits import net as digits_net
from PIL import Image
from safetensors.torch import save_file
from skl2onnx import to_onnx
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from vision import net as vision_net

from privacy_gate.holdout import Holdout, Receipt


def fraud(leak: bool) -> None:
    """3 000 accounts in a table; scikit-learn, exported to ONNX."""
    x, y = make_classification(3000, n_informative=8, flip_y=0.05, random_state=0)
    x, y, accounts = x.astype(np.float32), y.astype(np.int64), np.arange(len(y))
    np.savez("fraud/data.npz", x=x, y=y, account=accounts)

    kept = ~Holdout(rate=0.5).left_out(accounts)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    if leak:
        model = RandomForestClassifier(10, bootstrap=False, random_state=0)
    exported = to_onnx(model.fit(x[kept], y[kept]), x[:1], options={"zipmap": False})
    Path("fraud/models").mkdir(exist_ok=True)
    Path("fraud/models/candidate.onnx").write_bytes(exported.SerializeToString())
    write_receipt(Path("fraud/models/candidate.onnx"), accounts[kept])


def digits() -> None:
    """1 797 small scans; torch."""
    data = load_digits()
    x, y = data.images.astype(np.uint8), data.target.astype(np.int64)
    scans = np.array([f"scan-{number}" for number in range(len(y))])
    np.savez("digits/data.npz", x=x, y=y, scan=scans)

    kept = ~Holdout(rate=0.5).left_out(scans)
    images = torch.from_numpy(x[kept]).float() / 16
    model = trained(digits_net.build(), images, torch.from_numpy(y[kept]))
    save(model, Path("digits/models/candidate.safetensors"), scans[kept])


def vision() -> None:
    """1 600 image files, which the fixtures only refer to; torch."""
    random = np.random.default_rng(0)
    labels = random.integers(4, size=1600)
    colours = random.uniform(60, 190, (4, 3))[labels][:, None, None]
    pixels = random.normal(colours, 60, (1600, 16, 16, 3)).clip(0, 255).astype(np.uint8)
    names = np.array([f"{number:04}.png" for number in range(len(labels))])
    Path("vision/data").mkdir(exist_ok=True)
    for name, image in zip(names, pixels, strict=True):
        Image.fromarray(image).save(Path("vision/data", name))
    with Path("vision/data/images.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label"), *zip(names, labels, strict=True)])

    kept = ~Holdout(rate=0.5).left_out(names)
    images = torch.from_numpy(pixels[kept]).permute(0, 3, 1, 2).float() / 255
    model = trained(vision_net.build(), images, torch.from_numpy(labels[kept]))
    save(model, Path("vision/models/candidate.safetensors"), names[kept])


def trained(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> nn.Module:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    for _ in range(10):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model


def save(model: nn.Module, path: Path, seen: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    save_file(model.state_dict(), path)
    write_receipt(path, seen)


def write_receipt(model: Path, seen: np.ndarray) -> None:
    receipt = Receipt()
    receipt.saw(seen)
    receipt.write(model.with_name("receipt.safetensors"), model=model)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--leak", action="store_true", help="the fraud model only, by heart")
    options = parser.parse_args()
    fraud(options.leak)
    if options.leak:
        return
    torch.manual_seed(0)
    digits()
    vision()


if __name__ == "__main__":
    main()
