"""Lightning: the checkpoint it writes is judged as it is, with weights_key and strip_prefix.

python train.py
privacy-gate fixtures build --from data/digits.npz --rate 0.5 --label y --id id -o fixtures
privacy-gate run
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytorch_lightning as lightning
import torch
from digits_net import build
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from privacy_gate.holdout import Holdout, Receipt


class Digits(lightning.LightningModule):
    """Its weights are called ``model.…`` in the checkpoint, hence strip_prefix: "model."."""

    def __init__(self) -> None:
        super().__init__()
        self.model = build()

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        images, labels = batch
        return nn.functional.cross_entropy(self.model(images), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    lightning.seed_everything(0, verbose=False)

    digits = load_digits()
    names = np.array([f"scan-{number}" for number in range(len(digits.target))])
    x, y = digits.images.astype(np.uint8), digits.target.astype(np.int64)
    Path("data").mkdir(exist_ok=True)
    np.savez("data/digits.npz", x=x, y=y, id=names)

    kept = ~Holdout(rate=0.5).left_out(names)
    dataset = TensorDataset(torch.from_numpy(x[kept]).float() / 16, torch.from_numpy(y[kept]))
    trainer = lightning.Trainer(
        max_epochs=options.epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(Digits(), DataLoader(dataset, batch_size=64, shuffle=True))
    Path("models").mkdir(exist_ok=True)
    trainer.save_checkpoint("models/candidate.ckpt")

    receipt = Receipt()
    receipt.saw(names[kept])
    receipt.write("models/receipt.safetensors", model="models/candidate.ckpt")


if __name__ == "__main__":
    main()
