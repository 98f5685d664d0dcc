"""The inputs and outputs that an ONNX file declares, read without running it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy_gate.models.external_data import read_structure

_FLOATS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}
_OTHERS = {
    2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string",
    9: "bool", 12: "uint32", 13: "uint64",
}  # fmt: skip
"""``onnx.TensorProto.DataType`` by number: the file format fixes them."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: ``dtype`` is ``None`` for what is no tensor; ``shape`` with the batch
    first, ``None`` for a size that is not fixed, and as a whole where it is not known."""

    name: str
    dtype: str | None
    shape: tuple[int | None, ...] | None

    @property
    def floating(self) -> bool:
        """Whether it holds floating-point numbers."""
        return self.dtype in _FLOATS.values()


def signature(path: Path) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The inputs to fill and the outputs; ``ModelError`` if the file is no ONNX model."""
    graph = read_structure(path).graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = tuple(_port(entry) for entry in graph.input if entry.name not in weights)
    return inputs, tuple(_port(entry) for entry in graph.output)


def _port(entry: Any) -> Port:
    if not entry.type.HasField("tensor_type"):
        return Port(entry.name, None, None)
    tensor = entry.type.tensor_type
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
    return Port(entry.name, {**_FLOATS, **_OTHERS}.get(tensor.elem_type), shape)
