"""Over-confident networks on CIFAR-10: what calibration does to attacks, and false alarms by set.

    OMP_NUM_THREADS=1 python benchmarks/overconfidence.py --data DATA [--cache CACHE] [--seeds 3]

DATA is a folder with ``cifar10_25k.npz`` and the other sets of ``overconfidence_study/data.py``.
Prints Markdown tables. Weights are kept in CACHE, so that a second run trains nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import torch
from overconfidence_study import data, tables
from overconfidence_study.measuring import Outcome, outcomes
from overconfidence_study.training import RECIPES, ROLES, train


def prepare(folder: Path, recipe: str, role: str, seed: int, cache: Path) -> None:
    """Train one model."""
    train(data.cifar10(folder), recipe, role, seed, cache)


def measure(folder: Path, seed: int, cache: Path) -> list[Outcome]:
    """All variants of a seed."""
    torch.set_num_threads(1)
    return list(outcomes(data.cifar10(folder), folder, cache, seed))


def main() -> None:
    """Train or read, attack, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    cache = arguments.cache or Path(tempfile.gettempdir()) / "privacy-gate-overconfidence"
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    # fresh processes, which load their libraries under this variable
    os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    seeds = range(arguments.seeds)
    with ProcessPoolExecutor(arguments.processes, mp_context=context) as pool:
        models = [
            pool.submit(prepare, arguments.data, recipe, role, seed, cache)
            for seed, recipe, role in product(seeds, RECIPES, ROLES)
        ]
        for model in models:
            model.result()
        running = [pool.submit(measure, arguments.data, seed, cache) for seed in seeds]
        found = [outcome for job in running for outcome in job.result()]
    tables.print_all(found)


if __name__ == "__main__":
    main()
