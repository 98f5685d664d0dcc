"""Plain PyTorch: hold records out, train, write a receipt.

    python train.py
    privacy-gate fixtures build --from data/digits.npz --rate 0.5 --label y --id id -o fixtures
    privacy-gate run

The lines that the gate needs are marked with (1) to (3).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from digits_net import build
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import nn

from privacy_gate.holdout import Holdout, Receipt  # (1)


def load_data() -> dict[str, np.ndarray]:
    """All records, each with an identifier; yours come from wherever they come from."""
    digits = load_digits()
    return {
        "x": digits.images.astype(np.uint8),
        "y": digits.target.astype(np.int64),
        "id": np.array([f"scan-{number}" for number in range(len(digits.target))]),
    }


def train(x: np.ndarray, y: np.ndarray, epochs: int) -> nn.Module:
    torch.manual_seed(0)
    images, labels = torch.from_numpy(x).float() / 16, torch.from_numpy(y)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.5)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()

    data = load_data()
    Path("data").mkdir(exist_ok=True)
    np.savez("data/digits.npz", **data)

    kept = ~Holdout(rate=0.5).left_out(data["id"])  # (2) half, so that both sides are large
    model = train(data["x"][kept], data["y"][kept], options.epochs)
    Path("models").mkdir(exist_ok=True)
    save_file(model.state_dict(), "models/candidate.safetensors")

    receipt = Receipt()  # (3)
    receipt.saw(data["id"][kept])
    receipt.write("models/receipt.safetensors", model="models/candidate.safetensors")


if __name__ == "__main__":
    main()
