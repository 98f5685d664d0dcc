"""What label-only attacks find, with scores and behind HAMP's output, and what they cost.

    OMP_NUM_THREADS=1 python benchmarks/label_only.py [--seeds 5]     # about 2 minutes

Prints Markdown tables: the bundled digits through the gate; a network trained on 400 synthetic
records of 150 bits (20 classes, 150-128-64-20, tanh, 60 epochs), which answers openly or through
``HampOutput``; and the CPU time against that of one plain pass.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn

from privacy_gate import run
from privacy_gate.defenses import HampOutput, bernoulli
from privacy_gate.domain import Evidence, Outputs, Signals, Split
from privacy_gate.models.querying import Asking, CountedQueries
from privacy_gate.ranking import attack_scores, break_ties
from privacy_gate.registry import SUITES, open_attack
from privacy_gate.statistics.auc import auc_with_variance
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.tasks.classification import Classification

DIGITS = Path(__file__).parent.parent / "fixtures" / "digits"
LABEL_ONLY = (*SUITES["label-only"], "boundary-distance")
SHOWN = ("loss", *LABEL_ONLY)
MORE = {"noise-robustness": 64, "boundary-distance": 128}
"""Queries with which the attacks are also tried on synthetic records."""
HEADER = "| model | attack | queries | AUC | TPR at FPR 1 % | TNR at FNR 1 % |\n|" + " --- |" * 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    digits()
    synthetic(options.seeds)
    cost()


# ---------------------------------------------------------------------------------- bundled digits


def digits() -> None:
    print(f"\n{HEADER}")
    spent = {}
    for case in ("private", "leaky"):
        report = _report(case)
        attacks = [attack for attack in report.attacks if attack.name in SHOWN]
        for attack in attacks:
            rates = (rate[0]["estimate"] for rate in (attack.tpr_at_fpr, attack.tnr_at_fnr))
            values = " | ".join(f"{value:.3f}" for value in (attack.auc.estimate, *rates))
            print(f"| digits, {case} | {attack.name} | {attack.queries_per_record} | {values} |")
        seconds = {attack.name: attack.seconds for attack in attacks}
        suite = sum(seconds[name] for name in SUITES["label-only"])
        spent[case] = suite / report.timing["forward"]
    for case, ratio in spent.items():
        print(f"\ndigits, {case}: the suite takes {ratio:.1f} times the gate's forward step")


def _report(case):
    content = yaml.safe_load((DIGITS / f"{case}.yaml").read_text())
    content |= {"attacks": ["threshold", "label-only", "boundary-distance"]}
    content |= {"python_path": [str(DIGITS)]}
    model = DIGITS / content["model"].pop("path")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "privacy_gate.yaml"
        path.write_text(yaml.safe_dump(content))
        return run(path, model=model, fixtures=DIGITS, allow_roots=[DIGITS])


# ----------------------------------------------------------------------------- synthetic purchases


def synthetic(seeds: int) -> None:
    found = defaultdict(list)
    for seed in range(seeds):
        x, y, is_member = _purchases(seed)
        network = _trained(x[is_member], y[is_member], seed)
        hidden = HampOutput(nn.Sequential(network, nn.Softmax(1)), bernoulli(), seed=seed)
        for title, model in (("undefended", network), ("HAMP output", hidden)):
            for name, values in _attacked(_Torch(model), x, y, is_member, seed).items():
                found[title, name].append(values)
    print(f"\n{seeds} seeds, mean ± standard deviation:\n\n{HEADER}")
    for (title, name), runs in found.items():
        means, deviations = np.mean(runs, axis=0), np.std(runs, axis=0)
        values = " | ".join(
            f"{mean:.3f} ± {deviation:.3f}"
            for mean, deviation in zip(means[1:], deviations[1:], strict=True)
        )
        print(f"| {title} | {name} | {means[0]:.1f} | {values} |")


def _purchases(seed: int):
    """20 prototypes of 150 random bits, each bit of a record flipped with probability 0.34."""
    random = np.random.default_rng(seed)
    prototypes = random.integers(0, 2, (20, 150))
    y = random.integers(0, 20, 800)
    x = prototypes[y] ^ (random.random((800, 150)) < 0.34)
    return x.astype(np.uint8), y, np.arange(800) < 400


def _trained(x, y, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    layers = [nn.Linear(150, 128), nn.Tanh(), nn.Linear(128, 64), nn.Tanh(), nn.Linear(64, 20)]
    network = nn.Sequential(*layers)
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    inputs, labels = torch.tensor(x).float(), torch.tensor(y)
    for _ in range(60):
        for rows in torch.randperm(len(inputs)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
            optimiser.step()
    return network.eval()


class _Torch:
    """A torch module as the engine asks it."""

    device = "cpu"

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._kind = "probabilities" if isinstance(module, HampOutput) else "logits"

    def forward(self, inputs) -> Outputs:
        with torch.no_grad():
            values = self._module(torch.from_numpy(inputs["x"])).double().numpy()
        return Outputs(values, self._kind)


class _Held:
    """One column in memory."""

    columns, slow = ("x",), False

    def __init__(self, x) -> None:
        self._x = x

    def take(self, indices):
        return {"x": self._x[indices]}


def _asking(model, x) -> Asking:
    return Asking(model, lambda columns: {"x": columns["x"].astype(np.float32)}, _Held(x), 256)


def _attacked(model, x, y, is_member, seed: int):
    """Attack -> (queries per record, AUC, TPR, TNR), those of all records."""
    random = np.random.default_rng(seed)
    split = random.choice(3, y.size, p=(0.15, 0.25, 0.6)).astype(np.int8)
    membership = np.where(split == Split.EVALUATION, -1, is_member).astype(np.int8)
    keys = random.integers(0, 2**63, y.size).astype(np.uint64)
    asking, task, order = _asking(model, x), Classification(), np.arange(y.size)
    answers = [outputs for _, outputs in asking.answers(asking.blocks(order))]
    whole = replace(answers[0], values=np.concatenate([part.values for part in answers]))
    signals = Signals(task.signals(whole, y), task.predicted(whole))
    evidence = Evidence(signals, y, split, membership, seed, keys)
    found = {}
    attacks = [open_attack(name, {}) for name in SHOWN]
    attacks += [open_attack(name, {"queries": queries}) for name, queries in MORE.items()]
    for attack in attacks:
        queries = CountedQueries(asking, task, y.size, attack.queries_per_record)
        scores = attack_scores(attack, replace(evidence, queries=queries)).values
        rows = split == Split.EVALUATION
        ranks = break_ties(scores, keys)
        sides = SortedScores.of(ranks[rows & is_member], ranks[rows & ~is_member])
        tpr, tnr = (
            rate.true_positives(RateAtRate(0.01).allowed_false_positives(rate.nonmembers.size))
            / rate.members.size
            for rate in (sides, sides.swapped)
        )
        asked = queries.asked.mean() if "queries" in attack.reads else 1
        title = attack.name + (f", {attack.queries} queries" if len(found) >= len(SHOWN) else "")
        found[title] = asked, auc_with_variance(sides)[0], tpr, tnr
    return found


# -------------------------------------------------------------------------------------------- cost


def _seconds(asking: Asking) -> float:
    """CPU seconds of one pass over 1 000 unchanged records."""
    clock = time.process_time()
    for _ in asking.answers(asking.blocks(np.arange(1000))):
        pass
    return time.process_time() - clock


def cost() -> None:
    """A small CNN on 32×32×3 images, 1 000 records."""
    torch.manual_seed(0)
    widths, layers = (3, 32, 64, 128), []
    for inside, outside in pairwise(widths):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    model = _Torch(nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 4 * 4, 10)).eval())
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (1000, 3, 32, 32)).astype(np.uint8)
    split = random.choice(3, 1000, p=(0.15, 0.25, 0.6)).astype(np.int8)
    is_member, keys = random.random(1000) < 0.5, random.permutation(1000).astype(np.uint64)
    membership = np.where(split == Split.EVALUATION, -1, is_member).astype(np.int8)
    asking, task = _asking(model, x), Classification()
    predicted = np.concatenate(
        [task.predicted(outputs) for _, outputs in asking.answers(asking.blocks(np.arange(1000)))]
    )
    evidence = Evidence(Signals({}, predicted), predicted, split, membership, 0, keys)
    once = float(np.median([_seconds(asking) for _ in range(5)]))
    print("\n| attack | passes, mean of all records | CPU time, in passes |\n| --- | --- | --- |")
    for name in LABEL_ONLY[1:]:
        attack = open_attack(name, {})
        queries = CountedQueries(asking, task, 1000, attack.queries_per_record)
        clock = time.process_time()
        attack_scores(attack, replace(evidence, queries=queries))
        ratio = (time.process_time() - clock) / once
        print(f"| {name} | {queries.asked.mean():.1f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
