"""Peak memory of opening a large model, as a multiple of its file: adopted against copied weights.

    python benchmarks/model_memory.py [--megabytes 512]

Each way runs in a process of its own; the peak is that of resident memory above what a process has
that only imported torch.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH = 2048
CONFIG = """version: 1
name: large
model:
  format: torch
  path: model.safetensors
  factory: large:build
  kwargs: {{layers: {layers}}}
fixtures: none
budgets: [{{metric: auc, max: 0.6}}]
"""
MODULE = """
from torch import nn
def build(layers):
    return nn.Sequential(*[nn.Linear({width}, {width}, bias=False) for _ in range(layers)])
"""


def peak(directory: Path, way: str) -> int:
    """Peak resident bytes of a process that opens the model this way."""
    command = [sys.executable, __file__, "--child", way]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    return int(done.stdout)


def child(way: str) -> None:
    import torch

    from privacy_gate.models import strict_loading
    from privacy_gate.models.opening import open_model

    torch.set_num_threads(1)
    if way == "copied":
        strict_loading.LARGE_BYTES = 1 << 62
    if way != "nothing":
        from privacy_gate.config import load_config

        model = open_model(load_config("privacy_gate.yaml"))
        assert model.sha256
    # not getrusage, whose maximum a process inherits from the one that started it
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) * 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--child")
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    import torch
    from safetensors.torch import save_file

    layers = max(1, options.megabytes * 2**20 // (WIDTH * WIDTH * 4))
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        weights = {f"{number}.weight": torch.randn(WIDTH, WIDTH) for number in range(layers)}
        save_file(weights, directory / "model.safetensors")
        size = (directory / "model.safetensors").stat().st_size
        (directory / "large.py").write_text(MODULE.format(width=WIDTH))
        (directory / "privacy_gate.yaml").write_text(CONFIG.format(layers=layers))
        base = peak(directory, "nothing")
        for way in ("adopted", "copied"):
            print(
                f"{way:<8} {(peak(directory, way) - base) / size:.2f} x the file of {size >> 20} MB"
            )


if __name__ == "__main__":
    main()
