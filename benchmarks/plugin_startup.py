"""What the installed plugin costs a pytest run that does not ask for it, as a ratio in one run.

    python benchmarks/plugin_startup.py

CPU seconds of ``pytest --version`` in turn with and without the plugin, medians of 15.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

REPEATS = 15


def cpu_seconds(*arguments: str) -> float:
    """CPU seconds of one pytest process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "pytest", "--version", *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print a small table."""
    plugin = ("-p", "privacy_gate.pytest_plugin")
    pairs = [(cpu_seconds(), cpu_seconds(*plugin)) for _ in range(REPEATS + 1)][1:]
    bare, loaded = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"| pytest alone | {bare * 1000:.0f} ms |")
    print(f"| with the plugin installed, not asked for | {loaded * 1000:.0f} ms |")
    print(f"| ratio | {ratio:.3f} |")


if __name__ == "__main__":
    main()
