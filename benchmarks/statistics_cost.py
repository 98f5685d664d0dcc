"""What all statistics with every interval cost: CPU seconds and peak memory, fresh processes.

    python benchmarks/statistics_cost.py

One thread, median of five processes per size. Peak memory is that of the whole process, numpy,
scipy.special and the scores themselves included. The import is not part of the CPU seconds.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time

REPEATS = 5
SIZES = {100_000: (0.30, 250), 1_000_000: (4.0, None)}
"""Records a side -> (CPU seconds, MiB) that must not be exceeded."""
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def measure_here(size: int) -> dict[str, float]:
    """CPU seconds and peak MiB of one call in this process."""
    import numpy as np

    from privacy_gate.measurement import measure

    generator = np.random.default_rng(0)
    members, nonmembers = generator.normal(1, 1, size), generator.normal(size=size)
    start = time.process_time()
    found = measure(members, nonmembers).to_dict()
    seconds = time.process_time() - start
    assert found["members"] == size
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "mebibytes": kibibytes / 1024}


def measure_fresh(size: int) -> dict[str, float]:
    """The same in a process of its own."""
    # a process inherits the peak of the one it was forked from, which imports nothing heavy here
    finished = subprocess.run(
        [sys.executable, __file__, str(size)],
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(finished.stdout)
    return found


def main() -> None:
    """Print the table."""
    print("| records | CPU seconds | required | peak MiB | required |")
    print("| --- | --- | --- | --- | --- |")
    for size, (seconds, mebibytes) in SIZES.items():
        runs = [measure_fresh(size) for _ in range(REPEATS)]
        cpu = statistics.median(run["seconds"] for run in runs)
        peak = statistics.median(run["mebibytes"] for run in runs)
        limit = f"≤ {mebibytes}" if mebibytes else "–"
        print(f"| {size:,} + {size:,} | {cpu:.2f} | ≤ {seconds:g} | {peak:.0f} | {limit} |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure_here(int(sys.argv[1]))))
    else:
        main()
