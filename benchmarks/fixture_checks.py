"""How often do the fixture checks call sound fixtures faulty, and do they find what is planted?

    OMP_NUM_THREADS=1 python benchmarks/fixture_checks.py --data DATA --jobs 4

DATA is a folder of real data sets (``fixture_checks_study/pools.py`` names the files). Prints
Markdown tables. ``clean``: fresh random splits, every check. ``answers``: the checks of a model's
answers alone, in many splits. ``copies``: near copies alone, in many splits, and five planted ones.
``faults``: one fault at a time, every check. About 7 minutes of CPU.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from fixture_checks_study import faults
from fixture_checks_study.judging import (
    alarms,
    logits_of,
    with_model,
    without_model,
)
from fixture_checks_study.planted import FAULTS
from fixture_checks_study.pools import READERS, Records, available, dealt, load

from privacy_gate.domain import FixtureCheck, random_generator
from privacy_gate.fixture_checks.closeness import placed, weighed
from privacy_gate.fixture_checks.duplicates import LEAST, NearCopies, near_copies
from privacy_gate.fixture_checks.features import is_table
from privacy_gate.fixture_checks.levels import FAMILY, LEVEL
from privacy_gate.statistics.tails import proportion_interval

SIZES = (600, 600, 600, 1800)
"""Records a side, in turn; where a set has fewer, all it has."""
COPY_SPLITS = 100
ANSWER_SPLITS = 2000
ANSWERED = ("cifar10", "mnist", "adult", "location30")
SHARES = (0.01, 0.05)
Map = Callable[..., Iterator[tuple[Any, Any]]]
"""Function of an item, items, what else it is given -> the items with what it returned."""


def interval(count: int, trials: int) -> str:
    """``count``/``trials`` and the exact 95 % interval of the rate."""
    low, high = proportion_interval(count, trials, 0.95)
    return f"{count}/{trials} [{100 * low:.2g} %, {100 * high:.2g} %]"


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a Markdown table."""
    heads = list(heads)
    print("|", " | ".join(heads), "|\n|", " | ".join("---" for _ in heads), "|")
    for row in rows:
        print("|", " | ".join(map(str, row)), "|")
    print(flush=True)


def listed(found: Counter[str]) -> str:
    """Names and how often."""
    return ", ".join(f"{name}: {count}" for name, count in found.items()) or "none"


# ------------------------------------------------------------------------------------ sound splits


def clean_split(pool: Records, size: int, generator: np.random.Generator) -> list[FixtureCheck]:
    """Every check on one sound split; the model learned other records, where some are left."""
    sides, rest = dealt(pool, size, generator)
    checks = list(without_model(sides, generator))
    rest = rest.rows(np.arange(min(600, len(rest.labels))))
    if np.unique(rest.labels).size > 1:
        logits = logits_of(rest, sides.records)
        checks += with_model(logits, sides.records.labels, sides.is_member, generator)
    return checks


def clean_set(name: str, folder: Path, splits: int) -> tuple[list[FixtureCheck], int]:
    """The checks of ``splits`` fresh splits of a set, and how many splits had an alarm."""
    pool, found, faulty = load(name, folder), [], 0
    for split in range(splits):
        size = min(SIZES[split % len(SIZES)], available(pool))
        checks = clean_split(pool, size, random_generator(split, "clean", name))
        faulty += bool(alarms(checks))
        found += checks
    return found, faulty


def clean(names: Iterable[str], folder: Path, splits: int, each: Map) -> None:
    """Alarms and p-values over ``splits`` fresh splits of every set."""
    rows, found, total = [], [], 0
    for name, (checks, faulty) in each(clean_set, names, folder, splits):
        raised = Counter(name for check in checks for name in alarms([check]))
        rows.append((name, splits, listed(raised)))
        total += faulty
        found += checks
    table(("set", "splits", "alarms"), rows)
    by_check(found)
    made = splits * len(rows)
    print(f"A false alarm anywhere: {interval(total, made)} of splits; {FAMILY:.2%} is promised.\n")


def by_check(found: Iterable[FixtureCheck]) -> None:
    """Print alarms and small p-values of every check."""
    rows, named = [], defaultdict(list)
    for check in found:
        named[check.name].append(check)
    for name, checks in named.items():
        values = np.array([check.p_value for check in checks if check.p_value is not None])
        shares = [
            f"{(values <= share).mean():.3f} of {values.size}" if values.size else "no p-value"
            for share in SHARES
        ]
        level = max(check.level or 0 for check in checks)
        raised = interval(sum(bool(alarms([check])) for check in checks), len(checks))
        rows.append((name, f"{level:g}" if level else "counts", raised, *shares))
    heads = ("check", "level", "alarms", *(f"share of p ≤ {share:g}" for share in SHARES))
    table(heads, rows)


def answers_set(name: str, folder: Path) -> list[FixtureCheck]:
    """The checks of one model's answers to records that it did not learn, in ``ANSWER_SPLITS``
    splits of 600 a side."""
    pool = load(name, folder)
    known, asked = (pool.rows(rows) for rows in np.split(np.arange(len(pool.labels)), [600]))
    logits, found = logits_of(known, asked), []
    for split in range(ANSWER_SPLITS):
        generator = random_generator(split, "answers", name)
        rows = generator.permutation(len(logits))[:1200]
        is_member = np.arange(1200) < 600
        found += with_model(logits[rows], asked.labels[rows], is_member, generator)
    return found


def answers(names: Iterable[str], folder: Path, repeats: int, each: Map) -> None:
    """Checks of answers alone: false alarms are too rare for a few splits."""
    wanted = [name for name in ANSWERED if name in names]
    by_check(check for _, found in each(answers_set, wanted, folder) for check in found)


# ------------------------------------------------------------------------------------- near copies


def copies_set(name: str, folder: Path, repeats: int) -> tuple[list[NearCopies], int]:
    """Near copies by nature in ``COPY_SPLITS`` splits, and how often five planted ones are found
    in 500 + 500 records."""
    pool = load(name, folder)
    batches = [pool.inputs[at : at + 512] for at in range(0, len(pool.inputs), 512)]
    places = np.concatenate([placed(batch) for batch in batches])
    if pool.groups is not None:  # one record of each counts
        places = places[np.unique(pool.groups, return_index=True)[1]]
    size = min(1000, len(places) // 2)
    found = []
    for split in range(COPY_SPLITS):
        drawn = random_generator(split, "copies", name).permutation(len(places))[: 2 * size]
        near = weighed(places[drawn], table=is_table(pool.inputs))
        found.append(near_copies(near, np.arange(2 * size) < size))
    generators = (random_generator(repeat, "planted", name) for repeat in range(repeats))
    return found, sum(planted_copies(pool, generator) for generator in generators)


def alarmed(near: NearCopies) -> bool:
    """What ``duplicates`` makes of near copies."""
    return near.across >= LEAST and near.p_value <= LEVEL


def copies(names: Iterable[str], folder: Path, repeats: int, each: Map) -> None:
    """Near copies alone, on up to 1 000 records a side."""
    rows, wrong = [], 0
    for name, (found, caught) in each(copies_set, names, folder, repeats):
        raised = sum(map(alarmed, found))
        across, within = ([getattr(n, side) for n in found] for side in ("across", "within"))
        ratio = f"{np.median([near.threshold for near in found]):.2f}"
        means = (f"{np.mean(across):.2f} and {np.mean(within):.2f}", max(across))
        rows.append((name, ratio, *means, raised, f"{caught}/{repeats}"))
        wrong += raised
    heads = ("set", "ratio that is near", "near by nature across and within", "most across",
             f"alarms in {COPY_SPLITS}", "5 in 1 000 found")  # fmt: skip
    table(heads, rows)
    print(f"False alarms: {interval(wrong, COPY_SPLITS * len(rows))}; {LEVEL:.2%} is promised.\n")


def planted_copies(pool: Records, generator: np.random.Generator) -> bool:
    """Whether five near copies among 500 + 500 records raise the alarm of ``duplicates``."""
    sides, _ = dealt(pool, min(500, available(pool)), generator)
    spoilt = faults.near_copies(sides, generator)
    if pool.groups is not None:
        return "duplicates" in alarms(without_model(spoilt, generator))
    inputs = spoilt.records.inputs
    near = weighed(placed(inputs), table=is_table(inputs))
    return alarmed(near_copies(near, sides.is_member))


# ------------------------------------------------------------------------------------------ faults


def fault_row(number: int, folder: Path, repeats: int) -> tuple[object, ...]:
    """A fault, ``repeats`` times on new splits: how often its check caught it, and what else."""
    fault, name, named, alarming = FAULTS[number]
    pool, caught, others = load(name, folder), 0, Counter()
    size = min(500 if named == "duplicates" else 900, available(pool))
    for repeat in range(repeats):
        generator = random_generator(repeat, "faults", fault, name)
        found = alarming(dealt(pool, size, generator)[0], generator)
        caught += named in found
        others.update(found - {named})
    return fault, name, size, named, f"{caught}/{repeats}", listed(others)


def planted(names: Iterable[str], folder: Path, repeats: int, each: Map) -> None:
    """Every fault on its own."""
    wanted = [number for number, fault in enumerate(FAULTS) if fault[1] in names]
    rows = [row for _, row in each(fault_row, wanted, folder, repeats)]
    table(("fault", "set", "records a side", "check", "caught", "other alarms"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parts = {"clean": clean, "answers": answers, "copies": copies, "faults": planted}
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--sets", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--repeats", type=int, default=20, help="splits of a set, and of a fault")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.jobs) as workers:

        def each(work, items, *given):
            asked = {item: workers.submit(work, item, *given) for item in items}
            for item, future in asked.items():
                yield item, future.result()
                print(f"{work.__name__}: {item}", file=sys.stderr, flush=True)

        for part in arguments.parts:
            print(f"## {part}\n")
            parts[part](arguments.sets, arguments.data, arguments.repeats, each)


if __name__ == "__main__":
    main()
