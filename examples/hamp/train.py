"""HAMP, a defence against membership inference: before, after, and what is left behind the wrapper.

    python train.py
    privacy-gate fixtures build --from data/digits.npz --rate 0.5 --label y --id id -o fixtures
    privacy-gate run undefended.yaml deployed.yaml behind.yaml labels.yaml --output report

Only ``deployed.yaml`` passes: it judges what users of the deployed model see. ``behind.yaml``
judges the same weights without the wrapper, for whoever has the file; ``labels.yaml`` judges the
deployed model by attackers that need no scores. HAMP hides the scores; what the model remembers, it
still remembers.

The lines that differ from an undefended training are marked with (1) to (4).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from digits_net import build, deployed  # (1)
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import nn

from privacy_gate.defenses import HampLoss  # (2)
from privacy_gate.holdout import Holdout


def load_data() -> dict[str, np.ndarray]:
    """Digits of which one in five has a wrong label, as if many hands had labelled them."""
    digits = load_digits()
    random = np.random.default_rng(0)
    wrong = random.random(digits.target.size) < 0.2
    labels = np.where(wrong, random.integers(0, 10, digits.target.size), digits.target)
    return {
        "x": digits.images.astype(np.uint8),
        "y": labels.astype(np.int64),
        "id": np.array([f"scan-{number}" for number in range(len(labels))]),
    }


def train(x: np.ndarray, y: np.ndarray, criterion: nn.Module, epochs: int) -> nn.Module:
    torch.manual_seed(0)
    images, labels = torch.from_numpy(x).float() / 16, torch.from_numpy(y)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            criterion(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=150)
    options = parser.parse_args()

    data = load_data()
    for folder in ("data", "models"):
        Path(folder).mkdir(exist_ok=True)
    np.savez("data/digits.npz", **data)
    kept = ~Holdout(rate=0.5).left_out(data["id"])
    x, y = data["x"][kept], data["y"][kept]

    plain = train(x, y, nn.CrossEntropyLoss(), options.epochs)
    save_file(plain.state_dict(), "models/undefended.safetensors")

    hamp = train(x, y, HampLoss(10, gamma=0.5, alpha=0.1), options.epochs)  # (3)
    wrapper = deployed()  # (4)
    wrapper.model.load_state_dict(hamp.state_dict())
    save_file(wrapper.state_dict(), "models/hamp.safetensors")


if __name__ == "__main__":
    main()
