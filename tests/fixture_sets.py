"""Fixture directories written by hand, independently of ``privacy_gate.fixtures.build``."""

from __future__ import annotations

import hashlib
import json

import numpy as np

KEY = bytes(range(32))
FINGERPRINT = hashlib.sha256(b"privacy-gate key" + KEY).hexdigest()[:16]
ENVIRONMENT = {"PRIVACY_GATE_KEY": KEY.hex()}


def sides(members=20, nonmembers=30, *, seed=0):
    """Two sides with input ``x`` (uint8, 3) and label ``y`` in 0..2, all contents different."""
    random = np.random.default_rng(seed)
    total = members + nonmembers
    number = random.permutation(2**16)[:total]
    x = np.stack([number % 256, number // 256, random.integers(0, 256, total)], 1).astype(np.uint8)
    y = np.resize(np.arange(3), total)
    rows = {"x": x, "y": y}
    return (
        {name: array[:members] for name, array in rows.items()},
        {name: array[members:] for name, array in rows.items()},
    )


def side_entry(directory, name, columns):
    path = directory / f"{name}.npz"
    np.savez(path, **columns)
    return {
        "count": len(next(iter(columns.values()))),
        "files": [{"path": path.name, "sha256": sha256(path)}],
        "columns": {
            column: {
                "dtype": array.dtype.str[1:] if array.dtype.kind in "US" else array.dtype.name,
                "shape": list(array.shape[1:]),
            }
            for column, array in columns.items()
        },
    }


def write_set(directory, members, nonmembers, **changes):
    """Write both sides as ``.npz`` and a manifest with ``changes``; return the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    manifest = {
        "schema": "privacy-gate.fixtures/1",
        "assignment": "randomized",
        "member_sampling": "unknown",
        "split_key": {"fingerprint": FINGERPRINT},
        "labels": {"column": "y", "classes": 3},
        "sides": {
            "members": side_entry(directory, "members", members),
            "nonmembers": side_entry(directory, "nonmembers", nonmembers),
        },
        "ood": {},
        "provenance": "made for a test",
    }
    manifest.update(changes)
    write_manifest(directory, manifest)
    return directory


def read_manifest(directory):
    return json.loads((directory / "manifest.json").read_text())


def write_manifest(directory, manifest):
    (directory / "manifest.json").write_text(json.dumps(manifest))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
