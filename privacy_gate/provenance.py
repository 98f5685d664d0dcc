"""Where a report comes from: tool, commit, machine. Not part of reproducibility, but of trust."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from privacy_gate import __version__

_PACKAGES = ("torch", "onnxruntime", "onnxruntime-gpu", "onnx", "numpy", "scipy", "safetensors")


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def run_facts(started: str, directory: Path) -> dict[str, Any]:
    """The report's ``run`` object, from GitHub's variables where they are set, else from git."""
    server, repository = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    run_id = os.environ.get("GITHUB_RUN_ID")
    # after another workflow, GitHub's variables name the default branch, whatever was checked out
    told = os.environ.get("GITHUB_EVENT_NAME") != "workflow_run"
    commit = os.environ.get("GITHUB_SHA") if told else None
    ref = os.environ.get("GITHUB_REF") if told else None
    return {
        "started": started,
        "finished": now(),
        "tool_version": __version__,
        "commit": commit or _git(directory, "rev-parse", "HEAD"),
        "ref": ref or _git(directory, "rev-parse", "--abbrev-ref", "HEAD"),
        "repository": repository,
        "run_url": f"{server}/{repository}/actions/runs/{run_id}" if run_id else None,
    }


def environment(device_name: str | None, seed: int) -> dict[str, Any]:
    """Versions, platform, device and seed: what the numbers depend on."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "versions": versions,
        "platform": f"{platform.system()} {platform.machine()}",
        "device_name": device_name,
        "seed": seed,
    }


def device_name(device: str) -> str:
    """The name of the processor behind ``cpu`` or ``cuda:N``."""
    if device.startswith("cuda"):
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
