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

    One file: its SHA-256. Several files: the SHA-256 of the lines that ``sha256sum`` prints for
    them, so that the same can be had by hand, beside the files: for a directory of weights by
    ``sha256sum *.safetensors | sha256sum``; for an ONNX model with external data, which comes after
    the model in order of name, by ``sha256sum model.onnx weights.bin | sha256sum``. To know those
    files the ONNX structure is read here, but no data file that fails the checks of
    ``external_data`` is opened; those raise ``ModelError``.
    """
    if path.is_dir():
        return _digest_of_files(path, [shard.name for shard in weight_files(path)])
    digest = file_sha256(path)
    if model_format != "onnx":
        return digest
    from privacy_gate.models.external_data import external_files, read_structure

    locations = external_files(read_structure(path, location), path, location)
    return _digest_of_files(path.parent, [path.name, *locations]) if locations else digest


def _digest_of_files(directory: Path, names: list[str]) -> str:
    lines = [f"{file_sha256(directory / name)}  {name}\n" for name in names]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def weight_files(directory: Path) -> list[Path]:
    """The ``.safetensors`` files of a directory of weights, in order of name, as a shell lists
    them."""
    return sorted(directory.glob("*.safetensors"), key=lambda path: path.name.encode())


def check_model_path(path: Path, model_format: str, location: str | None) -> None:
    """``ModelError`` unless ``path`` is a model file or, for format torch, a directory of them."""
    if path.is_dir() and model_format == "torch":
        shards = weight_files(path)
        if not shards:
            raise ModelError(
                f"The directory {path} holds no .safetensors file.",
                hint="Point model.path at the weights, or at a directory of .safetensors files.",
                location=location,
            )
        for shard in shards:
            _check_file(shard, location)
    else:
        _check_file(path, location)


def _check_file(path: Path, location: str | None) -> None:
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
