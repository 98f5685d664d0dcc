"""The architecture, and the model as it is deployed: behind HAMP's output."""

from torch import nn

from privacy_gate.defenses import HampOutput, uniform


def build() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 1024), nn.ReLU(), nn.Linear(1024, 10))


def deployed() -> nn.Module:
    # random pixels in the scale in which the model takes them; the gate asks twice
    return HampOutput(build(), uniform(0, 1), seed=0, repeatable=True)
