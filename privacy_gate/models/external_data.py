"""ONNX external data: tensors kept in other files, whose names come from the model file.

A model must not be able to make the gate read or map any other file, so every location is checked
before ONNX Runtime, which opens them, sees the model.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from privacy_gate.errors import ModelError, missing_extra

KEYS = {"location", "offset", "length", "checksum"}
MEMORY_MARKER = "_ORT_MEM_ADDR_"
"""ONNX Runtime takes a location with this name for an address in its own memory."""


def read_structure(path: Path, location: str | None = None) -> Any:
    """The ``onnx.ModelProto`` without its external data; ``ModelError`` if it is none."""
    try:
        import onnx
    except ImportError:
        raise missing_extra("ONNX models", "onnx") from None
    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
    except Exception as error:  # protobuf back-ends raise different types
        raise _not_onnx(path, location) from error
    if not model.ir_version or not model.HasField("graph"):
        raise _not_onnx(path, location)
    return model


def external_files(model: Any, path: Path, location: str | None = None) -> list[str]:
    """The names of all external data files of ``model``, relative to ``path``, sorted.

    ``ModelError`` when one is not a plain relative path to a regular file beside the model, passes
    through a symbolic link, is a hard link, or is shorter than the tensors it holds.
    """
    found: set[str] = set()
    for tensor in _tensors(model):
        if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
            found.add(_checked(tensor, path.parent, location))
    return sorted(found)


def _tensors(message: Any) -> Iterator[Any]:
    """All TensorProto messages below ``message``: initializers, attributes, subgraphs, functions.

    The walk follows the message types themselves, so no place where a tensor can be is forgotten.
    """
    if message.DESCRIPTOR.full_name == "onnx.TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for child in [value] if hasattr(value, "DESCRIPTOR") else value:
            yield from _tensors(child)


def _checked(tensor: Any, directory: Path, location: str | None) -> str:
    entries = [(entry.key, entry.value) for entry in tensor.external_data]
    fields = dict(entries)
    if len(fields) != len(entries) or not {"location"} <= fields.keys() <= KEYS:
        raise _refused("names its file in a way that is not allowed", location)
    name = fields["location"]
    parts = PurePosixPath(name).parts
    absolute = name.startswith("/") or re.match(r"[A-Za-z]:", name)
    if not parts or absolute or "\\" in name or "\0" in name or ".." in parts:
        raise _refused("lies outside the model's directory", location)
    if MEMORY_MARKER in parts:
        raise _refused("is an address in memory", location)
    size = _regular_size(directory, parts, location)
    offset, length = (_whole(fields.get(key, "0"), location) for key in ("offset", "length"))
    if offset + length > size:
        raise _refused(f"needs {offset + length} bytes of a file of {size}", location)
    return "/".join(parts)


def _regular_size(directory: Path, parts: tuple[str, ...], location: str | None) -> int:
    place = directory
    for part in parts:
        place /= part
        try:
            status = place.lstat()
        except OSError:
            raise _refused(f"is missing ({'/'.join(parts)})", location) from None
        if stat.S_ISLNK(status.st_mode):
            raise _refused("is reached through a symbolic link, as in a hub's cache", location)
    if not stat.S_ISREG(status.st_mode):
        raise _refused("is not a regular file", location)
    if status.st_nlink != 1:
        raise _refused("is a hard link to a file with other names", location)
    return status.st_size


def _whole(text: str, location: str | None) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise _refused("has an offset or length that is no whole number", location)
    return int(text)


def _refused(why: str, location: str | None) -> ModelError:
    return ModelError(
        f"The external data of the ONNX model is refused: a tensor's file {why}.",
        hint="Save the model and its data as regular files in one directory (from a hub: download"
        " to a directory of your own instead of the cache), or without external data.",
        location=location,
    )


def _not_onnx(path: Path, location: str | None) -> ModelError:
    return ModelError(
        f"{path.name} is not a complete ONNX model.",
        hint="Check model.format, and export the model again.",
        location=location,
    )
