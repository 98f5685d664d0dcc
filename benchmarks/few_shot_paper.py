"""The published few-shot protocol on CIFAR-10, for a model stopped early and one that converged.

    OMP_NUM_THREADS=1 python benchmarks/few_shot_paper.py --data PATH

``--data`` is a folder with ``cifar10_25k.npz``. One model is trained until 60 % of its members are
answered correctly (the paper's stop rule), one until convergence. Each attacker then runs random
episodes of 15 + 15 queries: 500 for SimpleShot and LaplacianShot, on penultimate features, which is
what the published ones look at, and ``--tuning-episodes`` for Transductive Tuning, which costs
seconds each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from few_shot_study.datasets import Dataset, load
from few_shot_study.targets import BATCH, Answers, assigned
from few_shot_study.training import Network
from torch import nn

from privacy_gate.attacks.few_shot.attack import anchored, laplacian_shot, simple_shot
from privacy_gate.attacks.few_shot.paper import EpisodeMean, paper_protocol
from privacy_gate.attacks.few_shot.transductive import TransductiveTuning
from privacy_gate.domain import Evidence, Signals
from privacy_gate.models.transductive_tuning import Tuner

SHOTS = (1, 5, 10)
CONVERGED_EPOCHS = 30
STOP_AT = 0.60


@dataclass(frozen=True, eq=False)
class Candidate:
    """The part of a torch model that fine-tuning uses."""

    network: nn.Module

    @property
    def weight_count(self) -> int:
        return sum(weight.numel() for weight in self.network.parameters())

    def parameters(self) -> dict[str, torch.Tensor]:
        return dict(self.network.named_parameters())

    def tensors(self, inputs: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(array) for name, array in inputs.items()}

    def functional(self, weights, inputs) -> torch.Tensor:
        return torch.func.functional_call(self.network, weights, (inputs["x"],))


@dataclass(frozen=True, eq=False)
class Images:
    """Records by row number."""

    inputs: np.ndarray
    columns: tuple[str, ...] = ("x",)

    slow = False

    def take(self, indices) -> dict[str, np.ndarray]:
        return {"x": self.inputs[indices]}


def trained(data: Dataset, member: np.ndarray, enough: Callable[[int, float], bool]) -> Network:
    """A network trained on the members until ``enough(epoch, accuracy on them)``."""
    torch.manual_seed(0)
    inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
    network = Network(data.inputs.shape[1:], data.classes, dropout=0.0)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    own = torch.from_numpy(np.flatnonzero(member))
    epoch, accuracy = 0, 0.0
    while not enough(epoch, accuracy):
        for rows in own[torch.randperm(own.numel())].split(BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
            optimiser.step()
        epoch += 1
        with torch.no_grad():
            accuracy = float((network(inputs[own]).argmax(1) == labels[own]).float().mean())
    return network.eval()


def evidence_of(network: Network, data: Dataset, member, split) -> tuple[Evidence, Answers]:
    """What an attacker sees, with fine-tuning."""
    with torch.no_grad():
        features = torch.cat([network.body(x) for x in torch.from_numpy(data.inputs).split(512)])
        logits = network.head(features)
    answers = Answers(logits.numpy(), features.numpy(), data.labels, member, split)
    seen = answers.evidence(seed=0)
    tuner = Tuner(Candidate(network), lambda columns: columns, Images(data.inputs))
    signals = Signals(seen.signals.columns, seen.signals.predicted, answers.features)
    return Evidence(signals, seen.labels, split, seen.membership, tuning=tuner.tune), answers


def row(name: str, features: str, episodes: int, found: Mapping[str, EpisodeMean], seconds) -> str:
    """One line of the table."""
    cells = [
        f"{found[key].mean:.3f} ± {found[key].half_width:.3f}"
        for key in ("auc", "log_mia_a", "log_mia_b")
    ]
    return f"| {name} | {features} | {episodes} | {' | '.join(cells)} | {seconds / episodes:.3f} |"


def study(title: str, network: Network, data: Dataset, member, split, tuning_episodes: int) -> None:
    """Print the table of one model."""
    evidence, answers = evidence_of(network, data, member, split)
    members, others = answers.accuracies
    print(f"\n### {title}: accuracy {members:.2f} on members, {others:.2f} on non-members\n")
    print("| attacker | looks at | episodes | AUC | Log-MIA A | Log-MIA B | CPU s per episode |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print("| *no leakage, exact* | | | 0.500 | 0.178 | 0.588 | |")
    attacks = [
        *(simple_shot(shots, features="penultimate") for shots in SHOTS),
        *(laplacian_shot(shots, features="penultimate") for shots in SHOTS),
        *(TransductiveTuning(shots) for shots in SHOTS),
        *(simple_shot(shots) for shots in SHOTS[1:]),
        *(laplacian_shot(shots) for shots in SHOTS[1:]),
        anchored(5),
    ]
    for attack in attacks:
        episodes = tuning_episodes if attack.access == "gradients" else 500
        clock = time.process_time()
        found = paper_protocol(attack, evidence, member, episodes)
        seconds = time.process_time() - clock
        print(row(attack.name, attack.features, episodes, found, seconds), flush=True)


def main() -> None:
    """Both models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tuning-episodes", type=int, default=100)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = load("cifar10", arguments.data)
    member, split = assigned(data.labels.size, 0, "cifar10-paper")
    early = trained(data, member, lambda epoch, accuracy: accuracy >= STOP_AT)
    study("Stopped at 60 %", early, data, member, split, arguments.tuning_episodes)
    late = trained(data, member, lambda epoch, accuracy: epoch == CONVERGED_EPOCHS)
    study("Converged", late, data, member, split, arguments.tuning_episodes)


if __name__ == "__main__":
    main()
