"""The header of a ``.safetensors`` file: names, shapes and remarks, without the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_LARGEST = 32 * 2**20


def read_header(path: Path) -> dict[str, Any] | None:
    """The JSON header, ``None`` if the file does not begin with one."""
    try:
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            content = json.loads(stream.read(size)) if 0 < size <= _LARGEST else None
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def shapes_in(header: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor that the header declares."""
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    return {
        name: tuple(entry["shape"])
        for name, entry in tensors.items()
        if isinstance(entry, dict) and isinstance(entry.get("shape"), list)
    }


def is_receipt(path: Path) -> bool:
    """Whether the file is a training receipt."""
    return "privacy-gate.receipt/" in _remark(path)


def receipt_model(path: Path) -> str | None:
    """The SHA-256 of the model that a training receipt was written for."""
    try:
        facts = json.loads(_remark(path))
    except ValueError:
        return None
    return facts.get("model_sha256") if isinstance(facts, dict) else None


def _remark(path: Path) -> str:
    remarks = (read_header(path) or {}).get("__metadata__")
    return str(remarks.get("receipt", "")) if isinstance(remarks, dict) else ""
