"""Which few-shot attacker is worth a default? Models trained on coin-flip members, Markdown tables.

    python benchmarks/few_shot.py --data DATA [--cache DIRECTORY] [--seeds 3]

DATA is a folder with ``location30.npz``, ``fashion_mnist_25k.npz``, ``orl_faces.npz``,
``cifar10_25k.npz``, ``groceries20.npz`` and ``diabetes130.parquet`` (which needs pyarrow). What the
models answer is kept in the cache, so that a second run trains nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

from few_shot_study import tables, targets
from few_shot_study.attackers import FAMILIES, attackers, run
from few_shot_study.datasets import SETS

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def study(
    name: str, folder: Path, cache: Path, seed: int, families: Iterable[str]
) -> list[tables.Outcome]:
    """All targets of one data set and seed, under all attackers."""
    targets.prepare(name, folder, cache, seed)
    outcomes = []
    for kind in targets.kinds_of(name):
        answers = targets.Answers.read(targets.file_of(cache, name, kind, seed))
        results = [run(attacker, answers, seed) for attacker in attackers(families)]
        outcomes.append(
            tables.Outcome(name, kind, answers.labels.size, answers.accuracies, results)
        )
    return outcomes


def main() -> None:
    """Train or read, attack, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    cache = arguments.cache or Path(tempfile.gettempdir()) / "privacy-gate-few-shot"
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    families = {"threshold", "anchored", *arguments.families}
    # fresh processes, which load their libraries under these variables
    os.environ.update(ONE_THREAD)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.processes, mp_context=context) as pool:
        running = [
            pool.submit(study, name, arguments.data, cache, seed, families)
            for name, seed in product(arguments.sets, range(arguments.seeds))
        ]
        outcomes = [outcome for job in running for outcome in job.result()]
    tables.print_all(outcomes)


if __name__ == "__main__":
    main()
