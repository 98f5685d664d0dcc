"""What lies below a directory: models, fixtures, receipts, data and code, by a bounded walk."""

from __future__ import annotations

import json
import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy_gate.fixtures.manifest import MAX_BYTES, NAME
from privacy_gate.setup.safetensors_header import is_receipt

MOST_ENTRIES = 500_000
DEEPEST = 8

_SKIPPED = {"node_modules", "__pycache__", "site-packages", "venv"}
_MODELS = {".safetensors", ".pt", ".pth", ".ckpt", ".onnx", ".pt2"}
_HUB_WEIGHTS = "pytorch_model.bin"
_DATA = {".npz", ".csv", ".parquet"}
_NO_MODEL = re.compile(r"(optimizer|scheduler|scaler|rng_state|training_args)", re.IGNORECASE)
_SHARD = re.compile(r".+-\d{5}-of-\d{5}\.safetensors")
_TEST = re.compile(r"test_.*|.*_test\.py|conftest\.py")


@dataclass(frozen=True, slots=True)
class Found:
    """Files and directories, the nearest first. ``models``: files, or directories of shards;
    ``fixtures``: directories with a manifest; ``data``: tables that fixtures could be built from;
    ``sources``: Python files that are no tests; ``directories``: all that were walked.
    ``complete``: whether everything was looked at."""

    models: tuple[Path, ...]
    fixtures: tuple[Path, ...]
    receipts: tuple[Path, ...]
    data: tuple[Path, ...]
    sources: tuple[Path, ...]
    directories: tuple[Path, ...]
    complete: bool


def search(top: Path) -> Found:
    """Look at what is below ``top``: hidden directories, environments and links are passed over,
    nothing is imported or unpickled."""
    walk = _Walk(top)
    files = list(walk)
    manifests = {path: content for path in files if (content := _manifest(path)) is not None}
    held = {path.parent / name for path, found in manifests.items() for name in _held(found)}
    rest = [path for path in files if path not in held]
    receipts = tuple(path for path in rest if path.suffix == ".safetensors" and is_receipt(path))
    models = [path for path in rest if _is_model(path) and path not in receipts]
    return Found(
        models=_with_shards_joined(models),
        fixtures=tuple(path.parent for path in manifests),
        receipts=receipts,
        data=tuple(path for path in rest if path.suffix in _DATA),
        sources=tuple(path for path in rest if path.suffix == ".py" and not _is_test(path, top)),
        directories=tuple(walk.directories),
        complete=walk.complete,
    )


class _Walk:
    """Regular files below a directory that may matter, breadth first, in order of name: the records
    of an image data set are many, and passed over by name alone."""

    def __init__(self, top: Path) -> None:
        self.complete = True
        self.directories: list[Path] = []
        self._pending = deque([(top, 0)])

    def __iter__(self) -> Iterator[Path]:
        seen = 0
        while self._pending:
            directory, depth = self._pending.popleft()
            self.directories.append(directory)
            for entry in _entries(directory):
                seen += 1
                if seen > MOST_ENTRIES:
                    self.complete = False
                    return
                if entry.is_file(follow_symlinks=False):
                    if _may_matter(entry.name):
                        yield Path(entry.path)
                elif entry.is_dir(follow_symlinks=False) and _is_entered(entry):
                    self._enter(Path(entry.path), depth + 1)

    def _enter(self, directory: Path, depth: int) -> None:
        if depth > DEEPEST:
            self.complete = False
        else:
            self._pending.append((directory, depth))


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:  # not readable by us: nothing in it could be used either
        return []


def _may_matter(name: str) -> bool:
    suffix = os.path.splitext(name)[1].lower()
    return suffix in _MODELS | _DATA | {".py"} or name in (NAME, _HUB_WEIGHTS)


def _is_entered(entry: os.DirEntry[str]) -> bool:
    hidden = entry.name.startswith(".") or entry.name in _SKIPPED
    return not hidden and not os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))


def _manifest(path: Path) -> Any:
    """The content of a fixture manifest, whatever else may be wrong with it; else ``None``."""
    if path.name != NAME:
        return None
    try:
        with path.open("rb") as stream:
            content = json.loads(stream.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    schema = content.get("schema") if isinstance(content, dict) else None
    return content if str(schema).startswith("privacy-gate.fixtures/") else None


def _held(manifest: Any) -> Iterator[str]:
    """The names of the files that fixtures consist of; nothing where the manifest is broken."""
    sides = manifest.get("sides")
    for side in sides.values() if isinstance(sides, dict) else ():
        files = side.get("files") if isinstance(side, dict) else None
        for entry in files if isinstance(files, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("path"), str):
                yield entry["path"]


def _is_model(path: Path) -> bool:
    named = path.suffix.lower() in _MODELS or path.name == _HUB_WEIGHTS
    return named and not _NO_MODEL.match(path.name)


def _with_shards_joined(models: list[Path]) -> tuple[Path, ...]:
    """The models, with a directory in the place of the shards that are all it holds."""
    whole = {path.parent for path in models if not _SHARD.fullmatch(path.name)}
    joined = (
        path.parent if _SHARD.fullmatch(path.name) and path.parent not in whole else path
        for path in models
    )
    return tuple(dict.fromkeys(joined))


def _is_test(path: Path, top: Path) -> bool:
    folders = path.relative_to(top).parts[:-1]
    return bool(_TEST.fullmatch(path.name)) or bool({"test", "tests"} & set(folders))
