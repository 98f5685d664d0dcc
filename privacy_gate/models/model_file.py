"""The model file itself: is it there, is it a real file, what is its digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from privacy_gate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def file_sha256(path: Path) -> str:
    """The SHA-256 of one file in lower-case hexadecimal, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def model_sha256(path: Path, model_format: str, location: str | None = None) -> str:
    """The digest that pins a model, in lower-case hexadecimal.

    One file: its SHA-256. An ONNX model with external data: the SHA-256 of the lines that
    ``sha256sum`` prints for the model and then its data files in order of name, so that
    ``sha256sum model.onnx weights.bin | sha256sum``, run beside the model, gives the same value.
    To know those files the ONNX structure is read here, but no data file that fails the checks of
    ``external_data`` is opened; those raise ``ModelError``.
    """
    digest = file_sha256(path)
    if model_format != "onnx":
        return digest
    from privacy_gate.models.external_data import external_files, read_structure

    locations = external_files(read_structure(path, location), path, location)
    if not locations:
        return digest
    lines = [f"{digest}  {path.name}\n"]
    lines += [f"{file_sha256(path.parent / name)}  {name}\n" for name in locations]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_model_file(path: Path, location: str | None) -> None:
    """``ModelError`` unless ``path`` is a regular file, not empty, not a Git LFS pointer."""
    if not path.exists():
        raise ModelError(
            f"The model file {path} does not exist.",
            hint="Check model.path, or whether the training step that writes it has run.",
            location=location,
        )
    if not path.is_file():
        raise ModelError(
            f"The model path {path} is not a regular file.",
            hint="Point model.path at the file that holds the weights or the model.",
            location=location,
        )
    with path.open("rb") as stream:
        start = stream.read(len(LFS_POINTER))
    if not start:
        raise ModelError(
            f"The model file {path} is empty.",
            hint="Save the model again; the writing step may have been interrupted.",
            location=location,
        )
    if start == LFS_POINTER:
        raise ModelError(
            f"The model file {path} is a Git LFS pointer, not the model.",
            hint="Run: git lfs pull (in GitHub Actions: checkout with lfs: true).",
            location=location,
        )
