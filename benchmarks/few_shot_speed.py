"""CPU seconds of the few-shot attackers, one thread.

    OMP_NUM_THREADS=1 python benchmarks/few_shot_speed.py

500 episodes of 15 + 15 queries on 128 random features for K = 1, 5, 10, and the attacks as the gate
runs them on 2 000 records.
"""

from __future__ import annotations

import time

import numpy as np

from privacy_gate.attacks.few_shot.attack import anchored, laplacian_shot, simple_shot
from privacy_gate.attacks.few_shot.laplacian_shot import LaplacianShot
from privacy_gate.attacks.few_shot.simple_shot import SimpleShot
from privacy_gate.domain import Evidence, Signals
from privacy_gate.tasks.classification import signals_from_logits

EPISODES = 500
RECORDS = 2000


def episodes_table(random: np.random.Generator) -> None:
    """All shots, both attackers of the paper that need no fine-tuning."""
    total = 0.0
    print(
        f"| {EPISODES} episodes, 128 features | K = 1 | K = 5 | K = 10 |\n| --- | --- | --- | --- |"
    )
    for attacker in (SimpleShot(), LaplacianShot()):
        cells = []
        for shots in (1, 5, 10):
            parts = [random.normal(size=(EPISODES, count, 128)) for count in (2 * shots, 30, 30)]
            unit = [part / np.linalg.norm(part, axis=-1, keepdims=True) for part in parts]
            clock = time.process_time()
            attacker.score(*unit)
            cells.append(time.process_time() - clock)
        total += sum(cells)
        print(f"| {type(attacker).__name__} | " + " | ".join(f"{c:.2f}" for c in cells) + " |")
    print(f"\nall together {total:.2f} CPU s\n")


def gate_table(random: np.random.Generator) -> None:
    """The default suite on 2 000 records with 128 features."""
    labels = random.integers(0, 10, RECORDS)
    member = np.arange(RECORDS) < RECORDS // 2
    logits = random.normal(size=(RECORDS, 10))
    logits[np.arange(RECORDS), labels] += 2 + member
    split = random.choice(3, RECORDS, p=[0.15, 0.25, 0.6]).astype(np.int8)
    predicted = logits.argmax(1)
    columns = {
        **signals_from_logits(logits, labels),
        "correctness": (predicted == labels).astype(np.float64),
    }
    features = random.normal(size=(RECORDS, 128)).astype(np.float32)
    hidden = np.where(split == 2, -1, member).astype(np.int8)
    evidence = Evidence(Signals(columns, predicted, features), labels, split, hidden)
    print(f"| attack on {RECORDS} records | draws | CPU s |\n| --- | --- | --- |")
    for attack in (anchored(5), simple_shot(5), laplacian_shot(5)):
        clock = time.process_time()
        attack.score(evidence)
        print(f"| {attack.name} | {attack.draws} | {time.process_time() - clock:.2f} |")


def main() -> None:
    """Both tables."""
    random = np.random.default_rng(0)
    episodes_table(random)
    gate_table(random)


if __name__ == "__main__":
    main()
